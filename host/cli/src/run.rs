//! `tamis run`.

use crate::arguments::{Arguments, Output, Run};
use crate::exit::Exit;
use crate::plan::{self, Planned};
use crate::progress::Bar;
use crate::{report, screen, signals};
use anyhow::Context as _;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tamis_admin::{AdminError, Listener};
use tamis_config::{Admin, Settings};
use tamis_delivery::{FolderLock, LockError};
use tamis_runtime::{Ended, Engine, Metrics, StartOptions, Stop};

/// How often the end and the time-out are looked for.
const LOOK: Duration = Duration::from_millis(5);
/// How long threads may take to end when everything is to end now.
const GRACE: Duration = Duration::from_secs(1);

/// How long the data folder is waited for: a host that is just ending, or a command that is about to be done with it.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// Files that must be free to open before anything starts: the libraries for signals and sockets panic without.
const FILES_MIN: usize = 16;

pub(crate) fn run(arguments: &Arguments, verb: &Run) -> anyhow::Result<Exit> {
    let (planned, findings) = plan::plan(&verb.configuration, true);
    plan::show(arguments, &findings);
    let Some(planned) = planned else { return Ok(Exit::BadConfiguration) };
    let Planned { config, plan, tools } = planned;
    enough_files()?;
    // Before anything in it is opened, and until everything has ended.
    let _lock = hold(&config.settings)?;
    let metrics = Arc::new(Metrics::new());
    let stop = Stop::default();
    metrics.watch_disk(config.settings.data_dir.as_path());
    let interrupted = Arc::new(AtomicBool::new(false));
    let io = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .thread_name("admin")
        .build()
        .context("cannot start the admin thread")?;
    {
        let _entered = io.enter();
        io.spawn(signals::watch(stop.clone(), Arc::clone(&interrupted)));
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
    let options = StartOptions { once: verb.once, again: verb.again, samples: verb.report.unwrap_or(0) };
    let engine = Engine::start(&config, &plan, &tools, Arc::clone(&metrics), stop.clone(), &options)?;
    let progress = engine.progress();
    let engine = Arc::new(Mutex::new(Some(engine)));
    if let Some(listener) = listener {
        tracing::info!("admin API on {}", listener.address);
        let engine = Arc::clone(&engine);
        let summary = Arc::new(move || engine.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Engine::summary));
        io.spawn(tamis_admin::serve(listener, tamis_admin::State { plan: Arc::new(plan), metrics, stop: stop.clone(), summary }));
    }
    let bar = Bar::new(progress, verb.once);
    let abandon = await_end(&engine, &stop, config.settings.shutdown_timeout, bar.as_ref());
    if let Some(bar) = bar {
        bar.finish();
    }
    let engine = engine.lock().unwrap_or_else(PoisonError::into_inner).take();
    let ended = engine.context("the host ended twice; this is a bug")?.wait(abandon);
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
    match &settings.admin {
        Admin::Off => Ok(None),
        Admin::Address(address) => Listener::tcp(address).await.map(Some),
        Admin::Unix(path) => Listener::unix(path.as_path()).await.map(Some),
    }
}

/// Waits until everything has ended; ends it when draining takes longer than it may. Gives whether something did not end even then.
fn await_end(engine: &Mutex<Option<Engine>>, stop: &Stop, shutdown_timeout: Duration, bar: Option<&Bar>) -> bool {
    let mut draining: Option<Instant> = None;
    let mut ending: Option<Instant> = None;
    loop {
        if engine.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_none_or(Engine::is_finished) {
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
        screen::tell(&format!("tamis: {error}"));
        return Ok(Exit::NotStarted);
    }
    Ok(if interrupted { Exit::Interrupted } else { Exit::Success })
}

/// Tells now what would end in a panic later.
fn enough_files() -> anyhow::Result<()> {
    let opened: Result<Vec<_>, _> = (0..FILES_MIN).map(|_| std::fs::File::open("/dev/null")).collect();
    opened.map(drop).with_context(|| format!("fewer than {FILES_MIN} files can be opened; raise the limit (`ulimit -n`)"))
}
