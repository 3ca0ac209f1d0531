//! `tamis plugin`.

use crate::arguments::{Arguments, Output, Plugin, PluginBuild, PluginVerb};
use crate::exit::Exit;
use crate::screen;
use std::io::Write;

pub(crate) fn run(arguments: &Arguments, verb: &Plugin) -> anyhow::Result<Exit> {
    match &verb.verb {
        PluginVerb::Build(verb) => build(arguments, verb),
    }
}

fn build(arguments: &Arguments, verb: &PluginBuild) -> anyhow::Result<Exit> {
    let built = match tamis_authoring::build(&verb.folders, &verb.out, &mut |message: &str| screen::tell(message)) {
        Ok(built) => built,
        Err(error) => {
            screen::tell(&format!("tamis: {error}"));
            return Ok(Exit::Failure);
        }
    };
    let mut out = std::io::stdout();
    if arguments.output == Output::Json {
        let list: Vec<_> =
            built.iter().map(|b| serde_json::json!({ "name": b.name, "path": b.path, "bytes": b.bytes, "imports": b.imports })).collect();
        writeln!(out, "{}", serde_json::Value::from(list))?;
    } else {
        for plugin in built {
            writeln!(out, "{} ({} bytes)", plugin.path.display(), plugin.bytes)?;
        }
    }
    Ok(Exit::Success)
}
