//! `tamis run`.

use crate::arguments::{Arguments, Output, Run};
use crate::exit::Exit;
use crate::plan::{self, Planned};
use crate::progress::Bar;
use crate::{report, screen, signals};
use anyhow::Context as _;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tamis_admin::control::{Control, Entry, History, LastGood, StandIn, Tokens, Watch, follow, runs};
use tamis_admin::{AdminError, Listener};
use tamis_config::{Admin, Diagnostics, ProcessEnvironment, Settings};
use tamis_delivery::{FolderLock, LockError};
use tamis_registry::Origin;
use tamis_runtime::{Ended, Engine, Metrics, StartError, StartOptions, Stop};

/// How often the end and the time-out are looked for.
const LOOK: Duration = Duration::from_millis(5);
/// How long threads may take to end when everything is to end now.
const GRACE: Duration = Duration::from_secs(1);

/// How long the data folder is waited for: a host that is just ending, or a command that is about to be done with it.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// Files that must be free to open before anything starts: the libraries for signals and sockets panic without.
const FILES_MIN: usize = 16;

pub(crate) fn run(arguments: &Arguments, verb: &Run) -> anyhow::Result<Exit> {
    let origin = Arc::new(verb.configuration.kept_origin());
    let mut watch = Some(Watch::of(origin.paths())).filter(|_| verb.watch && !verb.once);
    let (planned, findings) = plan::plan(&origin, true);
    plan::show(arguments, &findings);
    let (planned, stand_in) = match planned {
        Some(planned) => (planned, None),
        None => match last_good(verb, &origin, &findings) {
            Some((planned, stand_in)) => (planned, Some(stand_in)),
            None => return Ok(Exit::BadConfiguration),
        },
    };
    let planned = Arc::new(planned);
    let config = &planned.config;
    enough_files()?;
    // Before anything in it is opened, and until everything has ended.
    let _lock = hold(&config.settings)?;
    let mut history = (!verb.once).then(|| History::open(config.settings.data_dir.as_path()));
    let metrics = Arc::new(Metrics::new());
    let stop = Stop::default();
    metrics.watch_disk(config.settings.data_dir.as_path());
    let interrupted = Arc::new(AtomicBool::new(false));
    let signalled = Arc::new(OnceLock::new());
    let io = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .thread_name("admin")
        .build()
        .context("cannot start the admin thread")?;
    {
        let _entered = io.enter();
        // Delivering may take as long again, and half of it comes on top.
        let time = config.settings.shutdown_timeout / 2;
        let files = verb.drain_files.then(|| signals::Files { metrics: Arc::clone(&metrics), time });
        io.spawn(signals::watch(stop.clone(), Arc::clone(&interrupted), Arc::clone(&signalled), files));
    }
    // Bound before anything is read, so that a second host on the same address does not get to work.
    let listener = match io.block_on(listen(&config.settings)) {
        Ok(listener) => listener,
        Err(error) if config.settings.admin == Settings::default().admin && matches!(error, AdminError::Bind { .. }) => {
            tracing::warn!("{error}; going on without it (set `settings.admin` to choose another address, or `off`)");
            None
        }
        Err(error) => return Err(error.into()),
    };
    let generation = history.as_ref().map_or(0, History::last);
    let options = StartOptions { once: verb.once, again: verb.again, samples: verb.report.unwrap_or(0), generation };
    let engine = match Engine::start(config, &planned.plan, &planned.tools, metrics, stop.clone(), &options) {
        Ok(engine) => Arc::new(engine),
        // While the receivers of sinks were asked for their health: nothing was read yet.
        Err(StartError::Stopping) if interrupted.load(Ordering::SeqCst) => return Ok(Exit::Interrupted),
        Err(StartError::Stopping) => return Ok(Exit::Success),
        Err(error) => return Err(error.into()),
    };
    // One that stands in was not read just now.
    for taken in origin.taken().into_iter().filter(|_| stand_in.is_none()) {
        tracing::info!("configuration {taken}");
    }
    let progress = engine.progress();
    if let Some(history) = &mut history {
        let message = stand_in.as_ref().map_or_else(|| runs(generation + 1, &origin), |stand_in| stand_in.why.clone());
        // One that only stands in for files that do not plan is kept already.
        if let Err(error) = history.add(&Entry::started(generation + 1, message), stand_in.is_none().then_some(&planned)) {
            tracing::error!("{error}");
        }
    }
    // What nobody keeps need not stay in memory.
    drop(planned.tools.take_components());
    let history = history.unwrap_or_else(History::none);
    let control = Control::start(Arc::clone(&engine), Arc::clone(&planned), Arc::clone(&origin), history, stand_in)?;
    if !verb.once {
        let _ = signalled.set(control.clone());
    }
    if let Some(watch) = watch.take() {
        follow_tags(verb, &origin, &control, &stop)?;
        let (control, stop) = (control.clone(), stop.clone());
        std::thread::Builder::new().name("watch".into()).spawn(move || watch.run(&control, || stop.is_draining()))?;
    }
    if let Some(listener) = listener {
        tracing::info!("admin API on {}", listener.address);
        let state = tamis_admin::State { engine: Arc::clone(&engine), control: control.clone(), stop: stop.clone() };
        io.spawn(tamis_admin::serve(listener, state));
    }
    let bar = Bar::new(progress, verb.once);
    let abandon = await_end(&engine, &stop, config.settings.shutdown_timeout, bar.as_ref());
    if let Some(bar) = bar {
        bar.finish();
    }
    control.close();
    let ended = engine.wait(abandon);
    // Gives the admin API the time to take its socket away.
    io.shutdown_timeout(Duration::from_millis(500));
    if stop.is_reader_gone() {
        return Ok(Exit::Success);
    }
    if verb.once && stop.is_draining() && ended.source_errors.is_empty() && ended.halted.is_none() {
        tracing::error!("stopped by a signal before the end of the input");
        let exit = finish(arguments, verb, &ended, interrupted.load(Ordering::SeqCst))?;
        return Ok(if exit == Exit::Success { Exit::Undelivered } else { exit });
    }
    finish(arguments, verb, &ended, interrupted.load(Ordering::SeqCst))
}

/// Looks where tags of registries lead, where there are any.
fn follow_tags(verb: &Run, origin: &Arc<Origin>, control: &Control, stop: &Stop) -> std::io::Result<()> {
    if origin.may_move() {
        let (origin, control, stop, every) = (Arc::clone(origin), control.clone(), stop.clone(), *verb.watch_interval);
        std::thread::Builder::new().name("follow".into()).spawn(move || follow(&origin, &control, every, || stop.is_draining()))?;
    }
    Ok(())
}

/// What ran last, when the files do not plan: better than nothing, and told.
fn last_good(verb: &Run, origin: &Origin, findings: &Diagnostics) -> Option<(Planned, StandIn)> {
    if verb.once {
        return None;
    }
    // A component that the policy refuses now is not run because it was allowed before.
    let refused = [tamis_plan::codes::NOT_ALLOWED, tamis_plan::codes::NOT_SIGNED];
    if findings.iter().any(|finding| refused.contains(&finding.code)) {
        return None;
    }
    // What a registry gives and nothing vouches for says nothing, not even where the data lies.
    let mut files = origin.read(&mut Diagnostics::new());
    if files.is_empty() {
        files = origin.kept();
    }
    let data_dir = Settings::data_dir_in(&files);
    if !data_dir.join("generations").is_dir() {
        return None;
    }
    let LastGood { generation, planned } = History::open(&data_dir).last_good(origin)?;
    let why = format!("the configuration is not sound ({}): generation {generation}, the last good one, runs instead", findings.summary());
    tracing::error!("{why}");
    // A token that the files have taken away does not come back because they are not sound.
    let kept = &planned.config.settings.admin_tokens;
    let tokens = Tokens::still(kept, &Settings::admin_tokens_in(&files, &ProcessEnvironment));
    if tokens.needed && tokens.known != *kept {
        let (count, of) = (tokens.known.len(), kept.len());
        tracing::warn!(
            "{count} of the {of} admin tokens of generation {generation} work: those that the files still give, as far as they can be read"
        );
    }
    Some((planned, StandIn { why, tokens }))
}

/// Holds the data folder for this host alone. One that cannot be written is nobody's: whatever needs it says so.
fn hold(settings: &Settings) -> Result<Option<FolderLock>, LockError> {
    match FolderLock::take(settings.data_dir.as_path(), "tamis run", LOCK_PATIENCE) {
        Ok(lock) => Ok(Some(lock)),
        Err(error @ LockError::Taken { .. }) => Err(error),
        Err(error @ LockError::Io { .. }) => {
            tracing::warn!("{error}; going on without a lock: no other host may use this folder");
            Ok(None)
        }
    }
}

async fn listen(settings: &Settings) -> Result<Option<Listener>, AdminError> {
    match &settings.admin.value {
        Admin::Off => Ok(None),
        Admin::Address(address) => Listener::tcp(address, !settings.admin_tokens.is_empty()).await.map(Some),
        Admin::Unix(path) => Listener::unix(path.as_path()).await.map(Some),
    }
}

/// Waits until everything has ended; ends it when draining takes longer than it may. Gives whether something did not end even then.
fn await_end(engine: &Engine, stop: &Stop, shutdown_timeout: Duration, bar: Option<&Bar>) -> bool {
    let mut draining: Option<Instant> = None;
    let mut ending: Option<Instant> = None;
    loop {
        if engine.is_finished() {
            return false;
        }
        std::thread::sleep(LOOK);
        if let Some(bar) = bar {
            bar.update();
        }
        if stop.is_now() && ending.get_or_insert_with(Instant::now).elapsed() >= GRACE {
            return true;
        }
        if stop.is_draining() && !stop.is_now() {
            let since = *draining.get_or_insert_with(Instant::now);
            if since.elapsed() >= shutdown_timeout {
                tracing::error!("not everything was delivered within `shutdown_timeout` ({} s): giving up", shutdown_timeout.as_secs());
                stop.now();
            }
        }
    }
}

fn finish(arguments: &Arguments, verb: &Run, ended: &Ended, interrupted: bool) -> anyhow::Result<Exit> {
    let summary = &ended.summary;
    for pipeline in &summary.pipelines {
        tracing::info!(
            pipeline = pipeline.name,
            "in {}, out {}, dropped {}, dead letters {}",
            pipeline.taken,
            pipeline.out,
            pipeline.dropped,
            pipeline.rejected
        );
    }
    for sink in summary.sinks.iter().filter(|sink| sink.rejected > 0) {
        tracing::warn!(sink = sink.name, "refused {} records, which are among the dead letters", sink.rejected);
    }
    for sink in summary.sinks.iter().filter(|sink| sink.unnamed > 0) {
        tracing::warn!(sink = sink.name, "{} records were rejected by the receiver, which does not say which", sink.unnamed);
    }
    if verb.report.is_some() {
        let mut out = std::io::stdout();
        if arguments.output == Output::Json {
            writeln!(out, "{}", serde_json::to_string_pretty(summary)?)?;
        } else {
            out.write_all(report::text(summary)?.as_bytes())?;
        }
    }
    if let Some(reason) = &ended.halted {
        tracing::error!("halted: {reason}");
    }
    if ended.undelivered > 0 || ended.halted.is_some() {
        tracing::error!("{} records were read and not delivered", ended.undelivered);
        return Ok(Exit::Undelivered);
    }
    if let Some(error) = ended.source_errors.first() {
        screen::complain(&error.to_string());
        return Ok(Exit::NotStarted);
    }
    Ok(if interrupted { Exit::Interrupted } else { Exit::Success })
}

/// Tells now what would end in a panic later.
fn enough_files() -> anyhow::Result<()> {
    let opened: Result<Vec<_>, _> = (0..FILES_MIN).map(|_| std::fs::File::open("/dev/null")).collect();
    opened.map(drop).with_context(|| format!("fewer than {FILES_MIN} files can be opened; raise the limit (`ulimit -n`)"))
}
