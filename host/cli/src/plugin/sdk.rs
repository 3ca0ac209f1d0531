//! `tamis plugin sdk`: the SDKs that the binary carries with it.

use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::plugin::new;
use crate::screen;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use std::io::Write;
use std::path::PathBuf;
use tamis_authoring::sdk::{self, Written};
use tamis_authoring::template;

#[derive(Debug, Args)]
pub(crate) struct Sdk {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Replace the SDK that a plugin keeps in `.tamis/sdk` by the one of this `tamis`.
    Update(Update),
    /// Write an SDK into a folder of its own, such as one that several plugins share.
    Export(Export),
}

#[derive(Debug, Args)]
struct Update {
    /// Folders of the plugins.
    #[arg(default_value = ".")]
    folders: Vec<PathBuf>,
    /// Replace files too that were changed by hand.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
struct Export {
    /// The language.
    #[arg(long, value_name = "LANGUAGE", value_parser = PossibleValuesParser::new(template::languages()))]
    lang: String,
    /// The folder: empty, or not there yet.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, sdk: &Sdk) -> anyhow::Result<Exit> {
    let written: Result<Vec<_>, _> = match &sdk.verb {
        Verb::Update(verb) => verb.folders.iter().map(|folder| sdk::update(folder, verb.force)).collect(),
        Verb::Export(verb) => sdk::export(&verb.lang, &verb.out).map(|written| vec![written]),
    };
    match written {
        Ok(written) => {
            tell(arguments, &written)?;
            Ok(Exit::Success)
        }
        Err(error) => Ok(new::refuse(&error)),
    }
}

fn tell(arguments: &Arguments, all: &[Written]) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    if arguments.output == Output::Json {
        let list: Vec<_> = all
            .iter()
            .map(|Written { language, before, version, folder, files, changed }| {
                serde_json::json!({
                    "language": language, "before": before, "version": version, "folder": folder, "files": files, "changed": changed,
                })
            })
            .collect();
        return writeln!(out, "{}", serde_json::Value::from(list));
    }
    for written in all {
        let before = written.before.iter().filter(|before| **before != written.version).map(|before| format!(", was {before}"));
        writeln!(
            out,
            "{}: the SDK for {} {}{}, {} of {} files written",
            screen::path(&written.folder),
            written.language,
            written.version,
            before.collect::<String>(),
            written.changed,
            written.files
        )?;
    }
    Ok(())
}
