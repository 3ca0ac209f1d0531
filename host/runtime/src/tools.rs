//! The plan's toolbox for real: components are loaded into the sandbox, programs compiled. What was loaded for the plan is what runs.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tamis_config::{Config, Plugin as PluginConfig, StepKind};
use tamis_nodes::steps::{CompileError, Program, compile_filter, compile_route, compile_vrl};
use tamis_plan::{PluginPlan, Problem, ProgramProblem, Toolbox, codes, upgrade};
use tamis_record::Signature;
use tamis_registry::{Admission, Refusal, RefusalKind};
use tamis_sandbox::{Limits, Plugin, Sandbox, SandboxOptions};

/// A plugin that was loaded and read its configuration.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) plugin: Plugin,
    pub(crate) config: Arc<str>,
    pub(crate) signature: Arc<Signature>,
    /// What it has for a batch.
    pub(crate) deadline: Duration,
    /// The version that the component says it is.
    version: Option<String>,
    /// What was filled into its configuration, and must not come back in what it says.
    pub(crate) filled: Vec<Arc<str>>,
    /// See [`tamis_config::Setup::fingerprint`].
    pub(crate) setup: Arc<str>,
}

/// The bytes of a component, and the text of its signature where the policy asks for one.
pub type Component = (Vec<u8>, Option<String>);

/// Loads plugins and compiles programs, and keeps them for the lanes.
#[derive(Debug)]
pub struct Tools {
    sandbox: Result<Sandbox, String>,
    options: SandboxOptions,
    admission: Admission,
    /// The components that were loaded, until somebody takes them.
    components: Mutex<BTreeMap<String, Component>>,
    pub(crate) plugins: BTreeMap<String, Loaded>,
    /// Digest and version of the plugins that these are to take over from, where some run.
    before: Option<BTreeMap<String, (String, Option<String>)>>,
    pub(crate) programs: HashMap<(String, usize), Program>,
}

impl Tools {
    /// Builds a sandbox that suits the configuration. Compiled plugins are cached under the data directory when `cache` says so;
    /// components from registries are kept there when `keep` does.
    pub fn new(config: &Config, cache: bool, keep: bool) -> Self {
        let options = options(config, cache);
        // A configuration without plugins pays for no sandbox.
        let sandbox = if config.plugins.is_empty() {
            Err("no plugin is configured".into())
        } else {
            Sandbox::new(options.clone()).map_err(|e| e.to_string())
        };
        Self::with(sandbox, options, Admission::new(config, keep))
    }

    fn with(sandbox: Result<Sandbox, String>, options: SandboxOptions, admission: Admission) -> Self {
        let (components, plugins, programs) = (Mutex::default(), BTreeMap::new(), HashMap::new());
        Self { sandbox, options, admission, components, plugins, before: None, programs }
    }

    /// The components that were loaded, by the plugin's name, for whoever keeps them; they are given once.
    pub fn take_components(&self) -> BTreeMap<String, Component> {
        std::mem::take(&mut *self.components.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same for another generation: in this one's sandbox, where that is large enough.
    pub fn after(&self, config: &Config, cache: bool, keep: bool) -> Self {
        let (options, had) = (options(config, cache), &self.options);
        let fits = options.pool_slots <= had.pool_slots
            && options.memory_bytes_max <= had.memory_bytes_max
            && options.table_elements_max <= had.table_elements_max
            && options.cache_dir == had.cache_dir;
        let after = match &self.sandbox {
            Ok(sandbox) if fits => Self::with(Ok(sandbox.clone()), had.clone(), Admission::new(config, keep)),
            _ => Self::new(config, cache, keep),
        };
        let known = |(name, loaded): (&String, &Loaded)| (name.clone(), (loaded.plugin.digest().to_owned(), loaded.version.clone()));
        Self { before: Some(self.plugins.iter().map(known).collect()), ..after }
    }
}

fn options(config: &Config, cache: bool) -> SandboxOptions {
    let limits = config.plugins.values().map(|p| &p.value.limits);
    let steps: usize =
        config.pipelines.values().map(|p| p.value.steps.iter().filter(|s| matches!(s.value.kind, StepKind::Plugin(_))).count()).sum();
    let defaults = SandboxOptions::default();
    SandboxOptions {
        cache_dir: cache.then(|| config.settings.data_dir.join("cache")),
        key_path: cache.then(|| config.settings.data_dir.join("cache.key")),
        // Two generations have their instances side by side while one takes over from the other.
        pool_slots: defaults.pool_slots.max((2 * steps * (crate::engine::lanes(config) + 1) + 4) as u32),
        memory_bytes_max: limits.clone().map(|l| l.memory.0).max().unwrap_or(defaults.memory_bytes_max),
        table_elements_max: limits.map(|l| l.table_elements).max().unwrap_or(defaults.table_elements_max),
        ..defaults
    }
}

/// The sandbox's limits for a plugin.
fn limits(plugin: &PluginConfig) -> Limits {
    let l = &plugin.limits;
    Limits {
        memory_bytes: l.memory.0,
        deadline: l.deadline,
        init_deadline: l.init_deadline,
        table_elements: l.table_elements,
        host_call_bytes: l.host_call_bytes.0,
        log_lines_per_s: l.log_lines,
        component_bytes_max: l.component.0,
        ..Limits::default()
    }
}

/// Why a plugin did not get as far as the sandbox.
fn refused(refusal: Refusal) -> Problem {
    let code = match refusal.kind {
        RefusalKind::Unavailable => None,
        RefusalKind::NotAllowed => Some(codes::NOT_ALLOWED),
        RefusalKind::NotSigned => Some(codes::NOT_SIGNED),
        RefusalKind::Moved => Some(codes::TAG_MOVED),
        RefusalKind::NotLocked => Some(codes::NOT_LOCKED),
        RefusalKind::Damaged => Some(codes::DAMAGED),
    };
    Problem { in_configuration: false, code, message: refusal.message, help: refusal.help }
}

impl Toolbox for Tools {
    fn plugin(&mut self, name: &str, plugin: &PluginConfig) -> Result<PluginPlan, Problem> {
        let sandbox = self.sandbox.as_ref().map_err(|e| Problem { in_configuration: false, code: None, message: e.clone(), help: None })?;
        let admitted = self.admission.admit(plugin).map_err(refused)?;
        for note in &admitted.notes {
            tracing::warn!(plugin = name, "{note}");
        }
        let load = if self.before.is_some() { Sandbox::load_beside } else { Sandbox::load };
        let loaded = load(sandbox, name, &admitted.wasm, &limits(plugin)).map_err(|error| {
            let message = error.to_string();
            let prefix = format!("plugin `{name}`");
            let message = message.strip_prefix(&prefix).map_or(message.as_str(), |m| m.trim_start_matches(':').trim_start()).to_string();
            Problem { in_configuration: false, code: None, message, help: None }
        })?;
        let config: Arc<str> = plugin.config.to_string().into();
        let signature = loaded.signature(&config).map_err(|failure| Problem {
            in_configuration: true,
            code: None,
            message: tamis_config::without_filled(&format!("its `init` failed: {failure}"), &plugin.filled),
            help: Some(format!("look at plugins.{name}.config and the plugin's documentation")),
        })?;
        let version = tamis_registry::facts(&admitted.wasm).version;
        let before =
            self.before.as_ref().and_then(|before| before.get(name)).map(|(digest, version)| (digest.as_str(), version.as_deref()));
        let planned = PluginPlan {
            component: plugin.component.value.shown().into(),
            digest: loaded.digest().into(),
            upgrade: before.and_then(|before| upgrade(before, (loaded.digest(), version.as_deref()))),
            version: version.clone(),
            signed_by: admitted.signed_by,
            bytes: loaded.size(),
            signature: signature.clone(),
            granted_read: plugin.grant.read.iter().map(|p| p.value.to_string()).collect(),
            granted_write: plugin.grant.write.iter().map(|p| p.value.to_string()).collect(),
        };
        let components = self.components.get_mut().unwrap_or_else(PoisonError::into_inner);
        components.insert(name.into(), (admitted.wasm, admitted.signature));
        let loaded = Loaded {
            plugin: loaded,
            config,
            signature: Arc::new(signature),
            deadline: plugin.limits.deadline,
            version,
            filled: plugin.filled.clone(),
            setup: Arc::clone(&plugin.setup),
        };
        self.plugins.insert(name.into(), loaded);
        Ok(planned)
    }

    fn program(&mut self, pipeline: &str, step: usize, kind: &StepKind) -> (Option<Signature>, Vec<ProgramProblem>) {
        let compiled = match kind {
            StepKind::Vrl(source) => compile_vrl(&source.value),
            StepKind::Filter(source) => compile_filter(&source.value),
            StepKind::Route(cases) => {
                compile_route(&cases.iter().map(|(output, condition)| (output.value.clone(), condition.value.clone())).collect::<Vec<_>>())
            }
            StepKind::Plugin(_) => return (None, Vec::new()),
        };
        match compiled {
            Ok(program) => {
                let warnings = program.warnings().map(|w| problem(w, true)).collect();
                let signature = program.signature().clone();
                self.programs.insert((pipeline.into(), step), program);
                (Some(signature), warnings)
            }
            Err(errors) => (None, errors.iter().map(|e| problem(e, false)).collect()),
        }
    }
}

fn problem(error: &CompileError, warning: bool) -> ProgramProblem {
    ProgramProblem {
        case: error.case,
        warning,
        message: error.message.clone(),
        line: error.line,
        column: error.column,
        help: (!error.notes.is_empty()).then(|| error.notes.join("; ")),
    }
}
