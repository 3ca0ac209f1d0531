//! From files to a plan, with everything that is wrong told.

use crate::arguments::{Arguments, Configuration, Output};
use crate::screen;
use tamis_config::{Config, Diagnostics, ProcessEnvironment};
use tamis_plan::Plan;
use tamis_runtime::Tools;

/// A sound configuration, and what was loaded for it.
pub(crate) struct Planned {
    pub(crate) config: Config,
    pub(crate) plan: Plan,
    pub(crate) tools: Tools,
}

/// Loads and plans. `run`: compiled plugins are kept for the next start (otherwise an existing cache is used and none is made).
pub(crate) fn plan(configuration: &Configuration, run: bool) -> (Option<Planned>, Diagnostics) {
    let (config, mut findings) = Config::load(&configuration.config, &ProcessEnvironment);
    let Some(config) = config else {
        findings.sort();
        return (None, findings);
    };
    let cache = run || config.settings.data_dir.join("cache").is_dir();
    let mut tools = Tools::new(&config, cache, run);
    let plan = tamis_plan::plan(&config, &mut tools, &mut findings);
    findings.sort();
    (plan.map(|plan| Planned { config, plan, tools }), findings)
}

/// Shows the findings: on standard error as text, or as JSON for machines.
pub(crate) fn show(arguments: &Arguments, findings: &Diagnostics) {
    if findings.is_empty() {
        return;
    }
    if arguments.output == Output::Json {
        screen::tell(&findings.to_json().to_string());
    } else {
        screen::tell(&findings.render(screen::colour_on_stderr()));
    }
}
