//! `tamis check`.

use crate::arguments::{Arguments, Check, Output};
use crate::exit::Exit;
use crate::{plan, screen};
use std::io::Write;

pub(crate) fn run(arguments: &Arguments, verb: &Check) -> anyhow::Result<Exit> {
    let (planned, findings) = plan::plan(&verb.configuration, false);
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

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
