//! Letting one configuration take over from another while the host runs: requests are taken one at a time, those that come meanwhile
//! are taken together, and what became of each is written down.

mod history;
mod tokens;
mod trial;
mod watch;

pub use history::{Entry, GENERATIONS_KEPT, History, HistoryError, LastGood, kept_component, kept_files};
pub use tokens::Tokens;
use trial::Trying;
pub use trial::{Promotion, Trial, TrialKind, TrialReport};
pub use watch::{FOLLOW_INTERVAL, Watch, follow};

use serde::Serialize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tamis_config::{Config, Diagnostics, FileText, PluginsPolicy, ProcessEnvironment};
use tamis_plan::{Change, Plan, diff};
use tamis_registry::Origin;
use tamis_runtime::{Engine, StartError, Tools};

/// How often the worker looks at a trial.
const LOOK: Duration = Duration::from_millis(200);
/// Requests that may wait; further ones are refused.
pub const REQUESTS_MAX: usize = 256;

/// A sound configuration, and what was loaded for it.
#[derive(Debug)]
pub struct Planned {
    /// The files it was read from.
    pub files: Vec<FileText>,
    /// The configuration.
    pub config: Config,
    /// Its plan.
    pub plan: Plan,
    /// What was loaded for the plan.
    pub tools: Tools,
}

impl Planned {
    /// Plans what files say, with what was loaded `before` where it can be used again. `components` gives the files of plugins whose
    /// bytes were kept, by the plugin's name. `policy` counts in place of the one in the files. `run`: compiled plugins are kept for the next start.
    pub fn of(
        files: Vec<FileText>,
        mut findings: Diagnostics,
        before: Option<&Tools>,
        components: impl Fn(&str) -> Option<PathBuf>,
        policy: Option<&PluginsPolicy>,
        run: bool,
    ) -> (Option<Self>, Diagnostics) {
        let config = Config::of(&files, &ProcessEnvironment, &mut findings);
        let Some(mut config) = config else {
            findings.sort();
            return (None, findings);
        };
        if let Some(policy) = policy {
            config.plugins_policy.clone_from(policy);
        }
        for (name, plugin) in &mut config.plugins {
            plugin.value.kept = components(name);
        }
        let cache = run || config.settings.data_dir.join("cache").is_dir();
        let mut tools = before.map_or_else(|| Tools::new(&config, cache, run), |before| before.after(&config, cache, run));
        let plan = tamis_plan::plan(&config, &mut tools, &mut findings);
        findings.sort();
        (plan.map(|plan| Self { files, config, plan, tools }), findings)
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// To take up the configuration files as they are.
    Reload,
    /// To tell what a reload would change, and change nothing.
    DryRun,
    /// To go back to an earlier generation: this one, or the newest before the running one that is not the same.
    Rollback(Option<u64>),
    /// To try the configuration files as they are, beside what runs.
    Try(Trial),
    /// To end a trial, whatever it has found.
    EndTrial,
}

impl Ask {
    /// The word of the history.
    pub fn word(self) -> &'static str {
        match self {
            Self::Reload | Self::DryRun => "reload",
            Self::Rollback(_) => "rollback",
            Self::Try(trial) => trial.kind.word(),
            Self::EndTrial => "end of a trial",
        }
    }
}

/// What is asked for, and by whom.
#[derive(Debug, Clone)]
pub struct Request {
    /// What.
    pub ask: Ask,
    /// Who: a token's name, `SIGHUP`, `--watch`.
    pub who: String,
    /// Why, in the words of whoever asked.
    pub why: Option<String>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The new generation runs.
    Applied,
    /// There is nothing to change.
    Unchanged,
    /// It would be applied.
    Sound,
    /// It is being tried beside the running generation.
    Trying,
    /// What it did on trial was not good enough, or the trial was ended. The running generation goes on.
    GaveUp,
    /// The configuration is not sound. The running generation goes on.
    Refused,
    /// It is sound and could not be built, or there is no such generation. The running generation goes on.
    Failed,
    /// Another request, which came later, was taken in its place.
    Superseded,
}

impl Verdict {
    fn of(error: &StartError) -> Self {
        match error {
            StartError::NeedsRestart { .. } => Self::Refused,
            _ => Self::Failed,
        }
    }

    /// The word of the history and the metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Sound => "sound",
            Self::Trying => "trying",
            Self::GaveUp => "gave_up",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
        }
    }
}

/// The answer to a request.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// What became of it.
    pub result: Verdict,
    /// The generation that runs now.
    pub generation: u64,
    /// In a sentence.
    pub message: String,
    /// What changes, in words.
    pub changes: Vec<Change>,
    /// What is wrong with the configuration, as `tamis check --output json` tells it.
    pub findings: serde_json::Value,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

type Waiting = (Request, Box<dyn FnOnce(Answer) + Send>);

struct Mailbox {
    waiting: Mutex<Vec<Waiting>>,
    changed: Condvar,
    closed: AtomicBool,
}

impl Mailbox {
    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way to ask. Clones share one.
#[derive(Clone)]
pub struct Control {
    mailbox: Arc<Mailbox>,
    running: Arc<Mutex<Running>>,
    history: Arc<Mutex<History>>,
    engine: Arc<Engine>,
    origin: Arc<Origin>,
}

/// Why a host runs an earlier generation than its files say, and what of it counts all the same.
#[derive(Debug, Clone)]
pub struct StandIn {
    /// In a sentence.
    pub why: String,
    /// Who may use the admin API.
    pub tokens: Tokens,
}

/// What runs: the configuration and its plan.
struct Running {
    planned: Arc<Planned>,
    degraded: Option<String>,
    trying: Option<Trying>,
    /// That of the files that were read last: going back to an earlier generation does not bring back one that was tightened since.
    policy: Arc<PluginsPolicy>,
    /// Those that files said last: going back to an earlier generation does not bring back tokens that were taken away since.
    admin_tokens: Arc<Tokens>,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// That a generation runs, and what it is where a registry holds its configuration.
pub fn runs(generation: u64, origin: &Origin) -> String {
    let taken = origin.taken();
    let of = if taken.is_empty() { String::new() } else { format!(": {}", taken.join("; ")) };
    format!("generation {generation} runs{of}")
}

impl Control {
    /// Begins to take requests for `engine`, which runs `planned` of what is at `origin`, or stands in for what they say.
    ///
    /// # Errors
    /// When its thread cannot be started.
    pub fn start(
        engine: Arc<Engine>,
        planned: Arc<Planned>,
        origin: Arc<Origin>,
        history: History,
        stand_in: Option<StandIn>,
    ) -> std::io::Result<Self> {
        let policy = Arc::new(planned.config.plugins_policy.clone());
        let (degraded, tokens) = stand_in.map(|StandIn { why, tokens }| (why, tokens)).unzip();
        let admin_tokens = Arc::new(tokens.unwrap_or_else(|| Tokens::of(&planned.config.settings)));
        let control = Self {
            mailbox: Arc::new(Mailbox { waiting: Mutex::default(), changed: Condvar::new(), closed: AtomicBool::new(false) }),
            running: Arc::new(Mutex::new(Running { planned, degraded, trying: None, policy, admin_tokens })),
            history: Arc::new(Mutex::new(history)),
            engine,
            origin,
        };
        control.engine.metrics().set_degraded(control.degraded().is_some());
        control.origin.runs(&control.planned().files);
        let worker = control.clone();
        std::thread::Builder::new().name("reload".into()).spawn(move || worker.work())?;
        Ok(control)
    }

    /// Asks; `tell` gets the answer, once. Gives the request back when too many wait.
    pub fn ask(&self, request: Request, tell: impl FnOnce(Answer) + Send + 'static) -> Result<(), Request> {
        let mut waiting = self.mailbox.waiting();
        if waiting.len() >= REQUESTS_MAX {
            return Err(request);
        }
        waiting.push((request, Box::new(tell)));
        drop(waiting);
        self.mailbox.changed.notify_all();
        Ok(())
    }

    /// Takes no more requests; the thread ends.
    pub fn close(&self) {
        self.mailbox.closed.store(true, Ordering::SeqCst);
        self.mailbox.changed.notify_all();
    }

    /// The running plan.
    pub fn planned(&self) -> Arc<Planned> {
        Arc::clone(&self.running().planned)
    }

    /// Why the host runs something else than its files say, if it does.
    pub fn degraded(&self) -> Option<String> {
        self.running().degraded.clone()
    }

    /// Who may use the admin API.
    pub fn admin_tokens(&self) -> Arc<Tokens> {
        Arc::clone(&self.running().admin_tokens)
    }

    /// The history, oldest first; at most `max` entries from its end.
    pub fn history(&self, max: usize) -> Result<Vec<Entry>, HistoryError> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).entries(max)
    }

    /// The files to watch: those of the configuration and of its plugins.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let planned = self.planned();
        let plugins = planned.config.plugins.values().map(|plugin| plugin.value.component_path.clone());
        self.origin.paths().iter().cloned().chain(plugins).collect()
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(batch) = self.next() {
            self.look_at_trial();
            let (dry, real): (Vec<Waiting>, Vec<Waiting>) = batch.into_iter().partition(|(request, _)| request.ask == Ask::DryRun);
            for (request, tell) in dry {
                tell(self.answer(&request));
            }
            // The last one wins; those that asked for the same get its answer.
            let Some((last, _)) = real.last() else { continue };
            let last = last.clone();
            let answer = self.answer(&last);
            for (request, tell) in real {
                let same = request.ask == last.ask;
                let superseded = || Answer {
                    result: Verdict::Superseded,
                    message: "another request, which came later, was taken in its place".into(),
                    changes: Vec::new(),
                    ..answer.clone()
                };
                tell(if same { answer.clone() } else { superseded() });
            }
        }
    }

    fn next(&self) -> Option<Vec<Waiting>> {
        let mut waiting = self.mailbox.waiting();
        if waiting.is_empty() {
            (waiting, _) = self.mailbox.changed.wait_timeout(waiting, LOOK).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.is_empty() && self.mailbox.closed.load(Ordering::SeqCst) {
            return None;
        }
        Some(std::mem::take(&mut waiting))
    }

    fn answer(&self, request: &Request) -> Answer {
        let started = Instant::now();
        let mut answer = match request.ask {
            Ask::EndTrial => match self.end_trial() {
                Some(found) => self.say(Verdict::GaveUp, format!("ended: {found}")),
                None => self.say(Verdict::Unchanged, "no trial runs".into()),
            },
            Ask::Reload | Ask::DryRun | Ask::Try(_) => {
                let mut findings = Diagnostics::new();
                let files = match request.ask {
                    Ask::DryRun => self.origin.look(&mut findings),
                    _ => self.origin.read(&mut findings),
                };
                let (planned, findings) = Planned::of(files, findings, Some(&self.planned().tools), |_| None, None, true);
                self.take_over(request, planned, &findings, None)
            }
            Ask::Rollback(to) => {
                let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
                let snapshot = history.snapshot(to, self.engine.generation(), &self.planned());
                drop(history);
                match snapshot {
                    Ok(snapshot) => {
                        let policy = Arc::clone(&self.running().policy);
                        let (planned, findings) = snapshot.plan(Some(&self.planned().tools), Some(&policy));
                        self.take_over(request, planned, &findings, Some(snapshot.generation))
                    }
                    Err(error) => self.say(Verdict::Failed, error.to_string()),
                }
            }
        };
        answer.took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.engine.metrics().reloaded(answer.result.word());
        match answer.result {
            Verdict::Refused | Verdict::Failed => tracing::error!(who = request.who, "{}", answer.message),
            Verdict::Sound => {}
            _ => tracing::info!(who = request.who, "{}", answer.message),
        }
        if request.ask != Ask::DryRun {
            self.write_down(request, &answer);
        }
        answer
    }

    fn say(&self, result: Verdict, message: String) -> Answer {
        let generation = self.engine.generation();
        Answer { result, generation, message, changes: Vec::new(), findings: serde_json::Value::Null, took_ms: 0 }
    }

    fn take_over(&self, request: &Request, planned: Option<Planned>, findings: &Diagnostics, back: Option<u64>) -> Answer {
        let running = self.planned();
        let number = self.engine.generation();
        let told = findings.to_json();
        let Some(planned) = planned else {
            let first = findings.iter().find(|finding| finding.severity == tamis_config::Severity::Error);
            let first = first.map(|finding| match &finding.place {
                Some(place) => format!("{place}: {}", finding.message),
                None => finding.message.clone(),
            });
            let message = format!("not sound, generation {number} goes on: {}", first.unwrap_or_else(|| findings.summary()));
            return Answer { findings: told, ..self.say(Verdict::Refused, message) };
        };
        let changes = diff((&running.config, &running.plan), (&planned.config, &planned.plan));
        if changes.is_empty() {
            if request.ask == Ask::Reload {
                let mut running = self.running();
                running.degraded = None;
                // A rollback may have brought back other ones than the files say.
                running.admin_tokens = Arc::new(Tokens::of(&planned.config.settings));
                running.policy = Arc::new(planned.config.plugins_policy.clone());
                drop(running);
                self.engine.metrics().set_degraded(false);
            }
            if !matches!(request.ask, Ask::DryRun | Ask::Try(_)) {
                self.trial_gives_way(request, self.found());
            }
            return Answer { findings: told, ..self.say(Verdict::Unchanged, format!("nothing changes: generation {number} goes on")) };
        }
        if request.ask == Ask::DryRun {
            return match self.engine.reloadable(&planned.config) {
                Ok(()) => Answer { changes, findings: told, ..self.say(Verdict::Sound, "sound: it would take over".into()) },
                Err(error) => Answer { changes, findings: told, ..self.say(Verdict::of(&error), error.to_string()) },
            };
        }
        if let Ask::Try(trial) = request.ask {
            return match self.begin_trial(trial, request, planned) {
                Ok(message) => Answer { changes, findings: told, ..self.say(Verdict::Trying, message) },
                Err(error) => Answer { changes, findings: told, ..self.say(Verdict::of(&error), error.to_string()) },
            };
        }
        let found = self.found();
        let answer = self.apply(planned, changes, told, back);
        if answer.result == Verdict::Applied {
            self.trial_gives_way(request, found);
        }
        answer
    }

    fn apply(&self, planned: Planned, changes: Vec<Change>, told: serde_json::Value, back: Option<u64>) -> Answer {
        let number = self.engine.generation();
        match self.engine.reload(&planned.config, &planned.plan, &planned.tools) {
            Ok(taken) => {
                let mut running = self.running();
                if back.is_none() {
                    running.policy = Arc::new(planned.config.plugins_policy.clone());
                    running.admin_tokens = Arc::new(Tokens::of(&planned.config.settings));
                }
                self.origin.runs(&planned.files);
                (running.planned, running.degraded) = (Arc::new(planned), None);
                self.engine.metrics().set_degraded(false);
                let message = match back {
                    Some(back) => format!("generation {} runs: generation {back} again", taken.generation),
                    None => runs(taken.generation, &self.origin),
                };
                drop(running);
                Answer { changes, findings: told, ..self.say(Verdict::Applied, message) }
            }
            Err(error @ StartError::NeedsRestart { .. }) => {
                Answer { changes, findings: told, ..self.say(Verdict::Refused, error.to_string()) }
            }
            Err(error) => {
                let message = format!("it could not be built, generation {number} goes on: {error}");
                Answer { changes, findings: told, ..self.say(Verdict::Failed, message) }
            }
        }
    }

    fn write_down(&self, request: &Request, answer: &Answer) {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let planned = (answer.result == Verdict::Applied).then(|| self.planned());
        if let Err(error) = history.add(&Entry::new(request, answer), planned.as_deref()) {
            tracing::error!("{error}");
        }
    }
}
