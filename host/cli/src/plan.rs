//! From files to a plan, with everything that is wrong told.

use crate::arguments::{Arguments, Output};
use crate::screen;
pub(crate) use tamis_admin::control::Planned;
use tamis_config::{Config, Diagnostics, ProcessEnvironment};
use tamis_registry::Origin;

/// Loads and plans. `run`: compiled plugins are kept for the next start (otherwise an existing cache is used and none is made). Files
/// that the configuration names are there as long as `origin` is.
pub(crate) fn plan(origin: &Origin, run: bool) -> (Option<Planned>, Diagnostics) {
    let mut findings = Diagnostics::new();
    let files = origin.read(&mut findings);
    Planned::of(files, findings, None, |_| None, None, run)
}

/// The configuration alone, without its plugins.
pub(crate) fn load(origin: &Origin) -> (Option<Config>, Diagnostics) {
    let mut findings = Diagnostics::new();
    let files = origin.read(&mut findings);
    let config = Config::of(&files, &ProcessEnvironment, &mut findings);
    findings.sort();
    (config, findings)
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
