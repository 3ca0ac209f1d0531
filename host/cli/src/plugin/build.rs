//! `tamis plugin build`.

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
