//! `tamis plugin lock`.

use crate::arguments::{Arguments, Configuration, Output};
use crate::exit::Exit;
use crate::plan;
use crate::registry::{Bar, Connection, bad_usage, ended};
use crate::screen;
use clap::Args;
use std::io::Write;
use tamis_config::{Config, Plugin, Reference};
use tamis_registry::{Error, Lock as LockFile, Locked, Store};

#[derive(Debug, Args)]
pub(crate) struct Lock {
    #[command(flatten)]
    configuration: Configuration,
    #[command(flatten)]
    connection: Connection,
}

/// What became of a reference.
struct Entry {
    reference: Reference,
    locked: Locked,
    before: Option<Locked>,
}

pub(crate) fn run(arguments: &Arguments, verb: &Lock) -> anyhow::Result<Exit> {
    let origin = verb.configuration.origin();
    if let Some(reference) = origin.references().next() {
        return Ok(bad_usage(&format!(
            "{reference}: the lock goes into a registry with its configuration; lock the files before they are pushed"
        )));
    }
    let (config, findings) = plan::load(&origin);
    plan::show(arguments, &findings);
    let Some(config) = config else { return Ok(Exit::BadConfiguration) };
    let (lock, entries, gone) = match locked(&config, &verb.connection) {
        Ok(done) => done,
        Err(error) => return Ok(ended(&error)),
    };
    let mut out = std::io::stdout();
    if arguments.output == Output::Json {
        let entry = |entry: &Entry| {
            serde_json::json!({
                "reference": entry.reference.to_string(),
                "manifest": entry.locked.manifest.as_str(),
                "component": entry.locked.component.as_str(),
                "before": entry.before.as_ref().map(|before| before.manifest.as_str()),
            })
        };
        let entries: Vec<_> = entries.iter().map(entry).collect();
        writeln!(out, "{}", serde_json::json!({ "lock": lock.path(), "plugins": entries, "removed": gone }))?;
        return Ok(Exit::Success);
    }
    for Entry { reference, locked, before } in &entries {
        match before {
            Some(before) if before == locked => writeln!(out, "{reference}  {} as before", locked.manifest)?,
            Some(before) => writeln!(out, "{reference}  {} was {}", locked.manifest, before.manifest)?,
            None => writeln!(out, "{reference}  {} new", locked.manifest)?,
        }
    }
    for reference in &gone {
        writeln!(out, "{reference}  no longer named")?;
    }
    writeln!(out, "{}", screen::path(lock.path()))?;
    Ok(Exit::Success)
}

/// Asks for every tag, keeps what it leads to, and writes the lock at the end: a lock holds only what was there.
fn locked(config: &Config, connection: &Connection) -> Result<(LockFile, Vec<Entry>, Vec<String>), Error> {
    let mut lock = LockFile::read(&config.folder)?;
    let store = Store::in_data_dir(config.settings.data_dir.as_path());
    let plugins: Vec<(&Reference, &Plugin)> =
        config.plugins.values().filter_map(|plugin| Some((plugin.value.reference.as_ref()?, &plugin.value))).collect();
    let mut entries: Vec<Entry> = Vec::new();
    for (reference, plugin) in &plugins {
        if entries.iter().any(|entry| entry.reference == **reference) {
            continue;
        }
        let client = connection.client(reference.repository().registry())?;
        let artifact = {
            let bar = Bar::new();
            client.pull(reference, plugin.limits.component.0, &mut |done, total| bar.step(done, total))?
        };
        store.put(&artifact.digest, &artifact.manifest)?;
        store.put(&artifact.component, &artifact.wasm)?;
        let locked = Locked { manifest: artifact.digest, component: artifact.component };
        let before = lock.set(reference, locked.clone());
        entries.push(Entry { reference: (*reference).clone(), locked, before });
    }
    let wanted: Vec<Reference> = entries.iter().map(|entry| entry.reference.clone()).collect();
    let gone = lock.keep_only(&wanted);
    lock.write()?;
    Ok((lock, entries, gone))
}
