//! From files to a plan, with everything that is wrong told.

use crate::arguments::{Arguments, Configuration, Output};
use crate::screen;
pub(crate) use tamis_admin::control::Planned;
use tamis_config::{Diagnostics, FileText};

/// Loads and plans. `run`: compiled plugins are kept for the next start (otherwise an existing cache is used and none is made).
pub(crate) fn plan(configuration: &Configuration, run: bool) -> (Option<Planned>, Diagnostics) {
    let mut findings = Diagnostics::new();
    let files = FileText::read(&configuration.config, &mut findings);
    Planned::of(files, findings, None, |_| None, None, run)
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
