//! `tamis config pull`.

use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::plugin::sign::Signed;
use crate::registry::{Wanted, bad_usage, ended};
use crate::screen;
use clap::Args;
use std::io::Write;
use std::path::{Path, PathBuf};
use tamis_config::Reference;
use tamis_registry::Bundled;

#[derive(Debug, Args)]
pub(crate) struct Pull {
    #[command(flatten)]
    wanted: Wanted,
    /// The folder for its files, which must be empty or not there. Default: the last part of the name.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments, verb: &Pull) -> anyhow::Result<Exit> {
    let reference = &verb.wanted.reference;
    let keys = match verb.wanted.keys() {
        Ok(keys) => keys,
        Err(exit) => return Ok(exit),
    };
    let out = verb.out.clone().unwrap_or_else(|| PathBuf::from(reference.repository().short_name()));
    if out.exists() && !std::fs::read_dir(&out).is_ok_and(|mut entries| entries.next().is_none()) {
        return Ok(bad_usage(&format!("`{}` is there and is no empty folder: give another one with --out", screen::path(&out))));
    }
    let pulled = verb.wanted.client().and_then(|client| {
        let found = client.manifest(reference)?;
        client.bundle(reference, found, |_, _, _| Ok(()))
    });
    let bundled = match pulled {
        Ok(bundled) => bundled,
        Err(error) => return Ok(ended(&error)),
    };
    let signed = match Signed::of(&keys, bundled.contents(), bundled.signature.as_deref()) {
        Ok(signed) => signed,
        Err(message) => {
            screen::complain(&format!("{reference}: {message}; nothing is written"));
            return Ok(Exit::Failure);
        }
    };
    if let Err(error) = bundled.bundle.unpack(&out) {
        return Ok(ended(&error));
    }
    told(arguments, reference, &out, &bundled, &signed)
}

fn told(arguments: &Arguments, reference: &Reference, folder: &Path, bundled: &Bundled, signed: &Signed) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout();
    if arguments.output == Output::Json {
        let files: Vec<_> = bundled.bundle.files().map(|(name, bytes)| serde_json::json!({ "name": name, "bytes": bytes.len() })).collect();
        let told = serde_json::json!({
            "reference": reference.to_string(),
            "pinned": reference.pinned(bundled.digest.clone()).to_string(),
            "digest": bundled.digest.as_str(),
            "folder": folder,
            "files": files,
            "signed_by": signed.by,
            "verified": signed.is_verified,
        });
        writeln!(out, "{told}")?;
        return Ok(Exit::Success);
    }
    for (name, bytes) in bundled.bundle.files() {
        writeln!(out, "  {} ({} bytes)", screen::path(&folder.join(name)), bytes.len())?;
    }
    writeln!(out, "{} ({signed})", reference.pinned(bundled.digest.clone()))?;
    Ok(Exit::Success)
}
