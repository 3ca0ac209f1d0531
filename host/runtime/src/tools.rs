//! The plan's toolbox for real: components are loaded into the sandbox, programs compiled. What was loaded for the plan is what runs.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::sync::Arc;
use tamis_config::{Config, Plugin as PluginConfig, StepKind};
use tamis_nodes::steps::{CompileError, Program, compile_filter, compile_route, compile_vrl};
use tamis_plan::{PluginPlan, Problem, ProgramProblem, Toolbox};
use tamis_record::Signature;
use tamis_sandbox::{Limits, Plugin, Sandbox, SandboxOptions};

/// A plugin that was loaded and read its configuration.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) plugin: Plugin,
    pub(crate) config: Arc<str>,
    pub(crate) signature: Arc<Signature>,
}

/// Loads plugins and compiles programs, and keeps them for the lanes.
#[derive(Debug)]
pub struct Tools {
    sandbox: Result<Sandbox, String>,
    options: SandboxOptions,
    pub(crate) plugins: BTreeMap<String, Loaded>,
    pub(crate) programs: HashMap<(String, usize), Program>,
}

impl Tools {
    /// Builds a sandbox that suits the configuration. Compiled plugins are cached under the data directory when `cache` says so.
    pub fn new(config: &Config, cache: bool) -> Self {
        let options = options(config, cache);
        // A configuration without plugins pays for no sandbox.
        let sandbox = if config.plugins.is_empty() {
            Err("no plugin is configured".into())
        } else {
            Sandbox::new(options.clone()).map_err(|e| e.to_string())
        };
        Self { sandbox, options, plugins: BTreeMap::new(), programs: HashMap::new() }
    }

    /// The same for another generation: in this one's sandbox, where that is large enough.
    pub fn after(&self, config: &Config, cache: bool) -> Self {
        let (options, had) = (options(config, cache), &self.options);
        let fits = options.pool_slots <= had.pool_slots
            && options.memory_bytes_max <= had.memory_bytes_max
            && options.table_elements_max <= had.table_elements_max
            && options.cache_dir == had.cache_dir;
        match &self.sandbox {
            Ok(sandbox) if fits => {
                Self { sandbox: Ok(sandbox.clone()), options: had.clone(), plugins: BTreeMap::new(), programs: HashMap::new() }
            }
            _ => Self::new(config, cache),
        }
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

impl Toolbox for Tools {
    fn plugin(&mut self, name: &str, plugin: &PluginConfig) -> Result<PluginPlan, Problem> {
        let component = |message: String, help: Option<&str>| Problem { in_configuration: false, message, help: help.map(str::to_string) };
        let path = &plugin.component_path;
        let sandbox = self.sandbox.as_ref().map_err(|e| component(e.clone(), None))?;
        let size = std::fs::metadata(path).map_err(|error| {
            component(
                format!("cannot read the component `{}`: {error}", plugin.component.value.shown()),
                Some("the path is relative to the folder of the configuration file; build the reference plugins with `make plugins`"),
            )
        })?;
        if size.len() > plugin.limits.component.0 {
            return Err(component(
                format!("the component has {} bytes, more than its limit of {}", size.len(), plugin.limits.component.0),
                Some("build it smaller or raise `limits.component`"),
            ));
        }
        // Not `fs::read`: a device such as `/dev/zero` has no size and no end.
        let read = std::fs::File::open(path).and_then(|file| {
            let mut wasm = Vec::new();
            file.take(plugin.limits.component.0 + 1).read_to_end(&mut wasm).map(|_| wasm)
        });
        let wasm =
            read.map_err(|error| component(format!("cannot read the component `{}`: {error}", plugin.component.value.shown()), None))?;
        let loaded = sandbox.load(name, &wasm, &limits(plugin)).map_err(|error| {
            let message = error.to_string();
            let prefix = format!("plugin `{name}`");
            let message = message.strip_prefix(&prefix).map_or(message.as_str(), |m| m.trim_start_matches(':').trim_start()).to_string();
            component(message, None)
        })?;
        let config: Arc<str> = plugin.config.to_string().into();
        let signature = loaded.signature(&config).map_err(|failure| Problem {
            in_configuration: true,
            message: format!("its `init` failed: {failure}"),
            help: Some(format!("look at plugins.{name}.config and the plugin's documentation")),
        })?;
        let planned = PluginPlan {
            component: plugin.component.value.shown().into(),
            digest: loaded.digest().into(),
            bytes: loaded.size(),
            signature: signature.clone(),
            granted_read: plugin.grant.read.iter().map(|p| p.value.to_string()).collect(),
            granted_write: plugin.grant.write.iter().map(|p| p.value.to_string()).collect(),
        };
        self.plugins.insert(name.into(), Loaded { plugin: loaded, config, signature: Arc::new(signature) });
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
