//! `tamis explain`.

use crate::arguments::{Arguments, Explain, Output};
use crate::exit::Exit;
use crate::{plan, screen};
use std::fmt::Write as _;
use std::io::Write as _;
use tamis_plan::{Mode, Origin, Plan, Target, Way, lineage};
use tamis_record::Field;

pub(crate) fn run(arguments: &Arguments, verb: &Explain) -> anyhow::Result<Exit> {
    let origin = verb.configuration.origin();
    let (planned, findings) = plan::plan(&origin, false);
    let Some(planned) = planned else {
        plan::show(arguments, &findings);
        return Ok(Exit::BadConfiguration);
    };
    let mut out = std::io::stdout();
    if let Some(field) = &verb.field {
        let path = match field.parse() {
            Ok(path) => path,
            Err(error) => {
                screen::tell(&format!("tamis: {error}"));
                return Ok(Exit::BadConfiguration);
            }
        };
        let lineage = lineage(&planned.plan, &path);
        match arguments.output {
            Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&lineage)?)?,
            _ => write!(out, "{}", printable(&field_text(&lineage)?))?,
        }
        return Ok(Exit::Success);
    }
    match arguments.output {
        Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&planned.plan)?)?,
        Output::Dot => write!(out, "{}", tamis_plan::to_dot(&planned.plan))?,
        Output::Mermaid => write!(out, "{}", tamis_plan::to_mermaid(&planned.plan))?,
        Output::Text | Output::Junit | Output::Markdown => write!(out, "{}", printable(&text(&planned.plan)?))?,
    }
    Ok(Exit::Success)
}

/// Nothing in a name moves the terminal's cursor.
fn printable(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", tamis_config::escaped(line))).collect()
}

fn fields(fields: &[Field]) -> String {
    if fields.is_empty() {
        "nothing".into()
    } else {
        fields.iter().map(|f| format!("{} ({})", f.path, f.kind)).collect::<Vec<_>>().join(", ")
    }
}

fn text(plan: &Plan) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    for pipeline in &plan.pipelines {
        writeln!(out, "pipeline {}", pipeline.name)?;
        for origin in &pipeline.from {
            match origin {
                Origin::Source(name) => writeln!(out, "  from {name} ({})", plan.sources.get(name).map_or("", |s| s.kind.as_str()))?,
                Origin::Pipeline { name, output } => writeln!(out, "  from {name}.{output} (pipeline)")?,
            }
        }
        for (number, step) in pipeline.steps.iter().enumerate() {
            writeln!(out, "  {}. {} ({})", number + 1, step.name, step.mode.word())?;
            if let Mode::Plugin(name) = &step.mode
                && let Some(plugin) = plan.plugins.get(name)
            {
                writeln!(out, "       component  {} {}", plugin.component, plugin.digest)?;
                if let Some(key) = &plugin.signed_by {
                    writeln!(out, "       signed by  {key}")?;
                }
                let granted = |paths: &[String]| if paths.is_empty() { "nothing".to_string() } else { paths.join(", ") };
                writeln!(out, "       granted    read {}; write {}", granted(&plugin.granted_read), granted(&plugin.granted_write))?;
            }
            writeln!(out, "       reads      {}", fields(&step.signature.reads))?;
            writeln!(out, "       writes     {}", fields(&step.signature.writes))?;
            if !step.signature.outputs.is_empty() {
                writeln!(out, "       sends to   {}", step.signature.outputs.join(", "))?;
            }
            if step.signature.drops {
                writeln!(out, "       drops      yes")?;
            }
            writeln!(out, "       on failure {}", tamis_plan::model::word_of(step.on_failure))?;
        }
        for output in &pipeline.outputs {
            let way = match &output.way {
                Way::Dropped => "dropped on purpose".into(),
                Way::Default => "as default".into(),
                Way::To(targets) => {
                    let names = targets.iter().map(|t| match t {
                        Target::Sink(name) => format!("{name} ({})", plan.sinks.get(name).map_or("", String::as_str)),
                        Target::Pipeline(name) => format!("{name} (pipeline)"),
                    });
                    names.collect::<Vec<_>>().join(", ")
                }
            };
            writeln!(out, "  to {} → {way}", output.name)?;
        }
        let dead = if pipeline.dead_letters.is_empty() { "the data directory".into() } else { pipeline.dead_letters.join(", ") };
        writeln!(out, "  dead letters → {dead}")?;
    }
    Ok(out)
}

fn field_text(lineage: &tamis_plan::Lineage) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    writeln!(out, "field {}", lineage.field)?;
    for (title, list) in [("read by", &lineage.readers), ("written by", &lineage.writers)] {
        writeln!(out, "  {title}{}", if list.is_empty() { " nobody" } else { "" })?;
        for access in list {
            let through = if access.path == lineage.field { String::new() } else { format!(", through {}", access.path) };
            let plugin = access.plugin.as_ref().map_or_else(|| "native".to_string(), |p| format!("plugin {p}"));
            writeln!(out, "    {}/{} ({plugin}, {}{through})", access.pipeline, access.step, access.kind)?;
        }
    }
    writeln!(out, "  used by{}", if lineage.used_by.is_empty() { " no sink" } else { "" })?;
    for used in &lineage.used_by {
        let through = if used.path == lineage.field { String::new() } else { format!(", through {}", used.path) };
        writeln!(out, "    {} ({}, `{}`{through})", used.sink, used.kind, used.option)?;
    }
    writeln!(out, "  reaches{}", if lineage.sinks.is_empty() { " no sink" } else { "" })?;
    for (sink, writers) in &lineage.sinks {
        let after = if writers.is_empty() { "as it came".into() } else { format!("after {}", writers.join(", ")) };
        writeln!(out, "    {sink} ({after})")?;
    }
    if !lineage.hidden_from.is_empty() {
        writeln!(out, "  never shown to {}", lineage.hidden_from.join(", "))?;
    }
    Ok(out)
}
