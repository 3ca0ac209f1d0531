//! `tamis plugin list`: the catalogue.

mod entry;
mod pages;
mod users;

use super::sign::public_keys;
use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::registry::{Connection, bad_usage, ended};
use crate::screen;
use clap::Args;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use entry::Entry;
use std::io::Write;
use std::path::PathBuf;
use tamis_config::{Repository, SCHEME, escaped};

#[derive(Debug, Args)]
pub(crate) struct List {
    /// A folder of components, or `oci://registry/team` with the repositories below it.
    #[arg(value_name = "WHERE", default_value = "target/plugins")]
    place: String,
    /// A configuration whose use of the plugins is shown; may be given several times, each is one of its own.
    #[arg(short, long = "config", value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Check signatures with this public key (`RW…`) or its file; may be given several times.
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
    /// Write a page for each plugin, and one that lists them, as Markdown into this folder.
    #[arg(long, value_name = "FOLDER")]
    docs: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

pub(crate) fn run(arguments: &Arguments, verb: &List) -> anyhow::Result<Exit> {
    let keys = match public_keys(&verb.key) {
        Ok(keys) => keys,
        Err(message) => return Ok(bad_usage(&message)),
    };
    let found = if verb.place.starts_with(SCHEME) {
        let prefix = match Repository::parse_prefix(&verb.place) {
            Ok(prefix) => prefix,
            Err(error) => return Ok(bad_usage(&error.to_string())),
        };
        verb.connection.client(prefix.registry()).and_then(|client| entry::in_registry(&client, &prefix, !keys.is_empty()))
    } else {
        entry::in_folder(verb.place.as_ref())
    };
    let mut found = match found {
        Ok(found) => found,
        Err(error) => return Ok(ended(&error)),
    };
    for entry in &mut found.entries {
        entry.verify(&keys);
    }
    for note in &found.notes {
        screen::tell(&format!("tamis: {note}"));
    }
    let all_sound = users::note(arguments, &verb.config, &mut found.entries);
    let entries: Vec<Entry> = found.entries;
    if let Some(folder) = &verb.docs
        && let Err(error) = pages::write(folder, &entries)
    {
        return Ok(ended(&error));
    }
    let has_problem = entries.iter().any(|entry| entry.problem.is_some());
    let mut out = std::io::stdout();
    if arguments.output == Output::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&entries)?)?;
    } else if entries.is_empty() {
        screen::tell(&format!("tamis: there is no plugin in {}", escaped(&verb.place)));
    } else {
        writeln!(out, "{}", table(&entries))?;
    }
    Ok(match (all_sound, entries.is_empty()) {
        (false, _) => Exit::BadConfiguration,
        (true, true) => Exit::Failure,
        (true, false) if has_problem => Exit::Failure,
        (true, false) => Exit::Success,
    })
}

fn table(entries: &[Entry]) -> Table {
    let mut table = Table::new();
    let with_problems = entries.iter().any(|entry| entry.problem.is_some());
    let heads = ["plugin", "version", "owner", "digest", "reads", "writes", "signed by", "used by"];
    table.load_style(UTF8_FULL_CONDENSED).set_header(heads.into_iter().chain(with_problems.then_some("problem")));
    for entry in entries {
        let users: Vec<String> = entry.used_by.iter().map(users::User::shown).collect();
        let text = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), escaped);
        let digest: String = entry.digest.chars().take("sha256:".len() + 12).collect();
        let row = [
            escaped(&entry.name),
            text(&entry.version),
            text(&entry.owner),
            if digest.is_empty() { "-".to_owned() } else { digest },
            entry.fields(&entry.reads),
            entry.fields(&entry.writes),
            entry.signer(),
            if users.is_empty() { "-".to_owned() } else { users.join("\n") },
        ];
        table.add_row(row.into_iter().chain(with_problems.then(|| text(&entry.problem))));
    }
    table
}
