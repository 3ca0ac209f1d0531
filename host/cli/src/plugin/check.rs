//! `tamis plugin check`.

use super::component::{self, Component};
use super::options;
use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::screen;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use tamis_authoring::cases::{self, Trial};
use tamis_authoring::guard::{self, Fixture, Report, Severity};
use tamis_config::escaped;
use tamis_sandbox::Limits;

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The component, or the folder of the plugin, which is built first.
    #[arg(value_name = "FILE|FOLDER", default_value = ".")]
    plugin: PathBuf,
    /// Folder of the plugin whose cases are taken; of a folder that is built, itself.
    #[arg(long, value_name = "FOLDER")]
    cases: Option<PathBuf>,
    /// Try it with this configuration (JSON or a file of it) instead of those of the cases.
    #[arg(long, value_name = "FILE|JSON")]
    config: Option<String>,
    /// Limits it has to keep, such as `memory=16MiB,deadline=100ms`; those not named are the host's defaults.
    #[arg(long, value_name = "LIMITS", value_parser = options::limits, default_value = "")]
    limits: Limits,
    /// Fail on warnings too.
    #[arg(long)]
    strict: bool,
}

pub(crate) fn run(arguments: &Arguments, verb: &Check) -> anyhow::Result<Exit> {
    let (found, fixtures) = match prepare(verb) {
        Ok(prepared) => prepared,
        Err(error) => {
            screen::tell(&format!("tamis: {error}"));
            return Ok(Exit::BadConfiguration);
        }
    };
    let desk = component::desk(verb.limits.clone())?;
    let report = guard::check(&desk, &guard::Subject { name: &found.name, component: &found.bytes, fixtures });
    let mut out = std::io::stdout();
    if arguments.output == Output::Json {
        writeln!(out, "{}", json(&found, &report))?;
    } else {
        out.write_all(text(&found, &report).as_bytes())?;
    }
    let bad = if verb.strict { report.findings.len() } else { report.errors() };
    Ok(if bad == 0 { Exit::Success } else { Exit::Failure })
}

fn prepare(verb: &Check) -> Result<(Component, Vec<Fixture>), String> {
    let config = verb.config.as_deref().map(options::config).transpose().map_err(|error| escaped(&error))?;
    let folder = verb.cases.clone().or_else(|| verb.plugin.is_dir().then(|| verb.plugin.clone()));
    let mut fixtures = Vec::new();
    if let Some(folder) = folder {
        let (cases, findings) = cases::load(&folder);
        if findings.has_errors() {
            return Err(format!("the cases cannot be read:\n{}", findings.render(screen::colour_on_stderr())));
        }
        let cases = cases.into_iter().filter(|case| matches!(case.trial, Trial::Records { .. }));
        fixtures = cases.map(|case| Fixture { records: case.input().to_vec(), name: case.name, config: case.config }).collect();
    }
    if let Some(config) = config {
        if fixtures.is_empty() {
            fixtures.push(Fixture { name: "--config".to_owned(), config: String::new(), records: Vec::new() });
        }
        fixtures.iter_mut().for_each(|fixture| fixture.config.clone_from(&config));
    }
    Ok((Component::find(&verb.plugin).map_err(|error| escaped(&error))?, fixtures))
}

fn text(found: &Component, report: &Report) -> String {
    let colour = screen::colour_on_stdout();
    let mut out = String::new();
    for finding in &report.findings {
        let (word, paint) = match finding.rule.severity {
            Severity::Error => ("error", "\u{1b}[31m"),
            Severity::Warning => ("warning", "\u{1b}[33m"),
        };
        let (on, off) = if colour { (paint, "\u{1b}[0m") } else { ("", "") };
        out.push_str(&format!("{on}{word}[{}]{off}: expected {}\n", finding.rule.code, finding.rule.title));
        out.push_str(&format!("  found: {}\n  help:  {}\n", finding.reason, finding.rule.cure));
    }
    let warnings = report.findings.len() - report.errors();
    let tried = if report.ran {
        format!("{} configurations, {} records of cases", report.configurations, report.records)
    } else {
        "it was not run".to_owned()
    };
    out.push_str(&format!("{}: {} errors, {warnings} warnings ({tried})\n", escaped(&found.path.display().to_string()), report.errors()));
    out
}

fn json(found: &Component, report: &Report) -> serde_json::Value {
    let finding = |finding: &guard::Finding| {
        serde_json::json!({
            "code": finding.rule.code,
            "severity": finding.rule.severity.as_str(),
            "expected": finding.rule.title,
            "found": finding.reason,
            "help": finding.rule.cure,
        })
    };
    serde_json::json!({
        "plugin": found.name,
        "path": found.path,
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "errors": report.errors(),
        "warnings": report.findings.len() - report.errors(),
        "ran": report.ran,
        "configurations": report.configurations,
        "records": report.records,
    })
}
