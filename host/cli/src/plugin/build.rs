//! `tamis plugin build`.

use super::component;
use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::screen;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Build {
    /// Folders of the plugins.
    #[arg(default_value = ".")]
    folders: Vec<PathBuf>,
    /// Where the components go.
    #[arg(long, value_name = "FOLDER", default_value = "target/plugins")]
    out: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, verb: &Build) -> anyhow::Result<Exit> {
    let outcome =
        tamis_authoring::build(&verb.folders, &verb.out, component::cache().as_deref(), &mut |message: &str| screen::tell(message));
    let mut out = std::io::stdout();
    if arguments.output == Output::Json {
        let built = outcome.built.iter();
        let list: Vec<_> =
            built.map(|b| serde_json::json!({ "name": b.name, "path": b.path, "bytes": b.bytes, "imports": b.imports })).collect();
        writeln!(out, "{}", serde_json::Value::from(list))?;
    } else {
        for plugin in &outcome.built {
            writeln!(out, "{} ({} bytes)", screen::path(&plugin.path), plugin.bytes)?;
        }
    }
    for error in &outcome.failed {
        screen::complain(&error.to_string());
    }
    if outcome.failed.is_empty() {
        return Ok(Exit::Success);
    }
    let (built, of) = (outcome.built.len(), verb.folders.len());
    if of > 1 {
        screen::tell(&format!("tamis: {built} of {of} plugins were built"));
    }
    Ok(Exit::Failure)
}
