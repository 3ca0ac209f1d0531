//! `tamis check`.

use crate::arguments::{Arguments, Check, Output};
use crate::exit::Exit;
use crate::{plan, screen};
use std::io::Write;
use std::net::SocketAddr;
use tamis_admin::control::Planned;
use tamis_config::{Admin, Diagnostic, codes};

pub(crate) fn run(arguments: &Arguments, verb: &Check) -> anyhow::Result<Exit> {
    let origin = verb.configuration.origin();
    let (planned, mut findings) = plan::plan(&origin, false);
    if let Some(finding) = planned.as_ref().and_then(open_admin) {
        findings.push(finding);
        findings.sort();
    }
    let planned = planned.filter(|_| !findings.has_errors());
    let sound = planned.is_some() && !(verb.strict && findings.warning_count() > 0);
    let mut out = std::io::stdout();
    if arguments.output == Output::Json {
        writeln!(
            out,
            "{}",
            serde_json::json!({ "sound": sound, "errors": findings.error_count(), "warnings": findings.warning_count(), "findings": findings.to_json() })
        )?;
    } else {
        screen::tell(&findings.render(screen::colour_on_stderr()));
        match &planned {
            Some(planned) => {
                let plan = &planned.plan;
                let steps: usize = plan.pipelines.iter().map(|p| p.steps.len()).sum();
                let warnings = if findings.warning_count() > 0 { format!(" ({})", findings.summary()) } else { String::new() };
                let parts = [
                    counted(plan.pipelines.len(), "pipeline"),
                    counted(steps, "step"),
                    counted(plan.plugins.len(), "plugin"),
                    counted(plan.sinks.len(), "sink"),
                ];
                writeln!(out, "sound: {}{warnings}", parts.join(", "))?;
            }
            None => screen::tell(&format!("not sound: {}", findings.summary())),
        }
    }
    Ok(if sound { Exit::Success } else { Exit::BadConfiguration })
}

/// That `tamis run` would not start: others reach the admin API, and there are no tokens. Names are not looked up.
fn open_admin(planned: &Planned) -> Option<Diagnostic> {
    let settings = &planned.config.settings;
    let Admin::Address(address) = &settings.admin.value else { return None };
    let open = address.as_str().parse::<SocketAddr>().is_ok_and(|address| !address.ip().is_loopback());
    if !open || !settings.admin_tokens.is_empty() {
        return None;
    }
    let finding = Diagnostic::error(
        codes::BAD_VALUE,
        format!("others can reach the admin API on `{}`, and there are no `admin_tokens`: the host would not start", address.shown()),
    )
    .help("write a loopback address such as `127.0.0.1:9480`, or `unix:/path`, or make a token with `tamis admin token`");
    // It is not the default, so it is written somewhere.
    Some(finding.at(&settings.admin.place))
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
