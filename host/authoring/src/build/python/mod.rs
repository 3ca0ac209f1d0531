//! Plugins written in Python: componentize-py makes a component of the author's package, the SDK and CPython.

mod inputs;
mod project;
mod stage;
mod tool;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::Component;
use crate::{Error, Language, component};
use project::Project;
use stage::Stage;
use tamis_config::FileError;
use tool::Tool;

pub use stage::SDK;
pub use tool::VERSION;

/// Builds the projects in `folders`, one after the other.
///
/// The tool bakes a new seed for hashes into each component, so no two builds are equal. A component in `out` that was built of the same
/// inputs is therefore left as it is: see [`inputs`].
pub(super) fn components(folders: &[PathBuf], out: &Path, on_message: &mut dyn FnMut(&str)) -> Vec<Result<Component, Error>> {
    folders.iter().map(|folder| component_of(folder, out, on_message)).collect()
}

fn component_of(folder: &Path, out: &Path, on_message: &mut dyn FnMut(&str)) -> Result<Component, Error> {
    let project = Project::read(folder)?;
    let tool = tool::find(&project.folder)?;
    let stage = Stage::fill(&project)?;
    let digest = inputs::digest(&stage, &tool.version)?;
    let name = project.name.clone();
    let built = fs::read(out.join(format!("{name}.wasm"))).ok().and_then(|bytes| inputs::built_of(bytes, &digest));
    let bytes = match built {
        Some(bytes) => {
            on_message(&format!("{name}: unchanged since it was built"));
            bytes
        }
        None => {
            on_message(&format!("{name}: {tool}; this takes about 10 s"));
            let mut bytes = componentize(&project, &tool, &stage, on_message)?;
            component::check(&name, &bytes, "does `[tool.tamis] plugin` name the plugin's class?")?;
            inputs::mark(&mut bytes, &digest);
            bytes
        }
    };
    Ok(Component { name, folder: project.folder, language: Language::Python, bytes })
}

fn componentize(project: &Project, tool: &Tool, stage: &Stage, on_message: &mut dyn FnMut(&str)) -> Result<Vec<u8>, Error> {
    let mut command = tool.command(stage);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|source| Error::Start { program: tool.path.display().to_string(), source })?;
    if let Some(messages) = child.stderr.take() {
        for line in BufReader::new(messages).split(b'\n') {
            let line = line.map_err(FileError::at(&project.folder))?;
            on_message(String::from_utf8_lossy(&line).trim_end());
        }
    }
    let status = child.wait().map_err(FileError::at(&project.folder))?;
    if !status.success() {
        return Err(Error::Componentize { folder: project.folder.clone(), status: status.to_string() });
    }
    let component = stage.component();
    Ok(fs::read(&component).map_err(FileError::at(component))?)
}
