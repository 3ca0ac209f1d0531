//! `tamis plugin new`.

use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::screen;
use clap::Args;
use clap::builder::PossibleValuesParser;
use std::io::Write;
use std::path::{Path, PathBuf};
use tamis_authoring::template::{self, Author, Created};

#[derive(Debug, Args)]
pub(crate) struct New {
    /// Its name: lower-case letters, digits and single `-` between them, such as `slow-calls`; 64 characters at most.
    name: String,
    /// What it is written in.
    #[arg(long, value_name = "LANGUAGE", value_parser = PossibleValuesParser::new(template::languages()))]
    lang: String,
    /// The folder in which the plugin's own is made.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    out: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, verb: &New) -> anyhow::Result<Exit> {
    match template::create(&verb.name, &verb.lang, &verb.out, &Author::of_git(&verb.out)) {
        Ok(created) => {
            tell(arguments, &created)?;
            Ok(Exit::Success)
        }
        Err(error) => Ok(refuse(&error)),
    }
}

/// Tells why not. A name or a folder to choose anew is the command line's fault, a disk that does not take a file is not.
pub(super) fn refuse(error: &template::Error) -> Exit {
    screen::complain(&error.to_string());
    match error {
        template::Error::File { .. } => Exit::NotStarted,
        template::Error::Edited { .. } => Exit::Failure,
        _ => Exit::BadConfiguration,
    }
}

fn tell(arguments: &Arguments, created: &Created) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    let next = next(created);
    if arguments.output == Output::Json {
        let Created { name, language, folder, files, prepare: _ } = created;
        let answer = serde_json::json!({ "name": name, "language": language, "folder": folder, "files": files, "next": next });
        return writeln!(out, "{answer}");
    }
    let folder = created.folder.strip_prefix(".").unwrap_or(&created.folder);
    writeln!(out, "{}: a plugin in {}, {} files and its SDK\n\nNext:", screen::path(folder), created.language, created.files.len())?;
    for command in next {
        writeln!(out, "  {command}")?;
    }
    Ok(())
}

/// The commands that follow.
fn next(created: &Created) -> Vec<String> {
    let folder = created.folder.strip_prefix(".").unwrap_or(&created.folder);
    let verbs = ["tamis plugin build", "tamis plugin check", "tamis plugin test", "tamis run --once --again"];
    [format!("cd {}", quoted(folder))].into_iter().chain(created.prepare.clone()).chain(verbs.map(str::to_owned)).collect()
}

/// The path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
    if text.chars().all(plain) && !text.starts_with('-') { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_named_as_a_shell_takes_it() {
        for (path, word) in [("a/slow-calls", "a/slow-calls"), ("my plugins/a", "'my plugins/a'"), ("o'clock/$a", r"'o'\''clock/$a'")] {
            assert_eq!(quoted(Path::new(path)), word);
        }
    }
}
