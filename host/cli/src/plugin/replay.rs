//! `tamis plugin replay`: a failure again, at the author's desk.

mod print;

use super::{component, files, options};
use crate::arguments::Arguments;
use crate::exit::Exit;
use crate::screen;
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tamis_admin::control::kept_component;
use tamis_authoring::capsule::{Bench, Capsule, FUEL_MAX, Verdict};
use tamis_config::{Digest, escaped};
use tamis_registry::{Store, digest_of};

/// Components of a folder that are looked at.
const COMPONENTS_MAX: usize = 1_000;

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The capsule that `tamis dead-letters capsule` wrote.
    capsule: PathBuf,
    /// The component; else the one of the capsule's digest in `target/plugins` or in the data folder.
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Take the component even if its digest is not the capsule's: to see whether a changed plugin is mended.
    #[arg(long, requires = "component")]
    any_digest: bool,
    /// A host's data folder, to look for the component in.
    #[arg(long, value_name = "FOLDER", default_value = "./data")]
    data_dir: PathBuf,
    /// The configuration (JSON or a file of it), in place of the capsule's.
    #[arg(long, value_name = "FILE|JSON")]
    config: Option<String>,
    /// A value for `${NAME}` in the capsule's configuration; without `=VALUE` that of this process's environment.
    #[arg(short, long, value_name = "NAME[=VALUE]", conflicts_with = "config")]
    env: Vec<String>,
    /// Units of fuel that the call may use, in place of the capsule's.
    #[arg(long, value_name = "UNITS", value_parser = clap::value_parser!(u64).range(1..=FUEL_MAX))]
    fuel: Option<u64>,
    /// Exit with 0 when the records pass, with 1 when the plugin fails.
    #[arg(long)]
    expect_pass: bool,
}

pub(crate) fn run(arguments: &Arguments, verb: &Replay) -> anyhow::Result<Exit> {
    let refused = |reason: &str, exit| {
        screen::tell(&format!("tamis: {}", escaped(reason)));
        Ok(exit)
    };
    let mut capsule = match Capsule::read(&verb.capsule) {
        Ok(capsule) => capsule,
        Err(error) => {
            // What is wrong with the file itself names it.
            let path = verb.capsule.display().to_string();
            let error = error.to_string();
            let told = if error.starts_with(&path) { error } else { format!("{path}: {error}") };
            return refused(&told, Exit::BadConfiguration);
        }
    };
    if let Some(fuel) = verb.fuel {
        capsule.fuel.call = fuel;
    }
    let wanted = capsule.digest()?;
    let (path, bytes) = match find(verb, &wanted) {
        Ok(Some(found)) => found,
        Ok(None) => {
            let reason = format!(
                "the component {wanted} of plugin `{}` is neither in `{}` nor in the data folder `{}`: give it with `--component FILE`",
                capsule.plugin.name,
                component::OUT,
                verb.data_dir.display()
            );
            return refused(&reason, Exit::NotStarted);
        }
        Err(reason) => return refused(&reason, Exit::NotStarted),
    };
    let found = digest_of(&bytes);
    if found != wanted && !verb.any_digest {
        let reason = format!(
            "{} is {found}, and the capsule is of {wanted}; `--any-digest` takes it all the same, to see whether it is mended",
            path.display()
        );
        return refused(&reason, Exit::BadConfiguration);
    }
    let config = match config(verb, &capsule) {
        Ok(config) => config,
        Err(reason) => return refused(&reason, Exit::BadConfiguration),
    };
    let replayed = Bench::new(&capsule, &bytes, component::cache()).and_then(|bench| bench.replay(&config));
    let replay = match replayed {
        Ok(replay) => replay,
        Err(error) => return refused(&error.to_string(), Exit::NotStarted),
    };
    let told = print::Told { capsule: &capsule, replay: &replay, component: &path, digest: &found, same: found == wanted };
    told.print(arguments.output)?;
    let yes = if verb.expect_pass { replay.verdict == Verdict::Passes } else { replay.verdict == Verdict::Reproduced };
    Ok(if yes { Exit::Success } else { Exit::Failure })
}

/// The component: the one that is named, or the one of the digest.
fn find(verb: &Replay, wanted: &Digest) -> Result<Option<(PathBuf, Vec<u8>)>, String> {
    let read = |path: &Path| files::at_most(path, component::COMPONENT_BYTES_MAX).map_err(|error| error.to_string());
    if let Some(path) = &verb.component {
        return Ok(Some((path.clone(), read(path)?)));
    }
    let mut places = vec![kept_component(&verb.data_dir, wanted), Store::in_data_dir(&verb.data_dir).path(wanted)];
    let built = std::fs::read_dir(component::OUT).into_iter().flatten().flatten().take(COMPONENTS_MAX).map(|entry| entry.path());
    places.extend(built.filter(|path| path.extension().is_some_and(|extension| extension == "wasm")));
    // What cannot be read is not the one that is looked for.
    Ok(places.into_iter().filter(|path| path.is_file()).find_map(|path| {
        let bytes = read(&path).ok()?;
        (digest_of(&bytes) == *wanted).then_some((path, bytes))
    }))
}

/// The configuration as JSON, with the values that the capsule leaves out.
fn config(verb: &Replay, capsule: &Capsule) -> Result<String, String> {
    if let Some(given) = &verb.config {
        return options::config(given);
    }
    let mut given = BTreeMap::new();
    for variable in &verb.env {
        let (name, value) = match variable.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => {
                let value = std::env::var(variable).map_err(|_| format!("--env {variable}: this process has no such variable"))?;
                (variable.as_str(), value)
            }
        };
        given.insert(name.to_owned(), value);
    }
    let needs: Vec<&str> = capsule.setup.filled.iter().flat_map(|filled| filled.needs()).collect();
    let mut missing: Vec<&str> = needs.into_iter().filter(|name| !given.contains_key(*name)).collect();
    missing.sort_unstable();
    missing.dedup();
    if !missing.is_empty() {
        let options: Vec<String> = missing.iter().map(|name| format!("--env '{name}=VALUE'")).collect();
        return Err(format!(
            "the capsule leaves out values that came from outside the configuration: give some of your own with {}, or the whole configuration with `--config`",
            options.join(" ")
        ));
    }
    let mut config = capsule.setup.config.clone();
    for filled in &capsule.setup.filled {
        filled.fill(&mut config, &given).map_err(|error| format!("setup.filled: {error}"))?;
    }
    Ok(config.to_string())
}
