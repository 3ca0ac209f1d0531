//! `tamis config pull`.

use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::plugin::sign::public_keys;
use crate::registry::{Connection, bad_usage, ended};
use crate::screen;
use clap::Args;
use std::io::Write;
use std::path::{Path, PathBuf};
use tamis_config::Reference;
use tamis_registry::Bundled;
use tamis_registry::signature::{PublicKey, claimed_key, verify};

#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// What is pulled: `oci://registry/team/name:tag`, with `@sha256:…` only when the tag leads there.
    #[arg(value_name = "REFERENCE")]
    reference: String,
    /// The folder for its files, which must be empty or not there. Default: the last part of the name.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Write nothing unless it is signed with this key (`RW…`, or its file); may be given several times.
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
    #[command(flatten)]
    connection: Connection,
}

pub(crate) fn run(arguments: &Arguments, verb: &Pull) -> anyhow::Result<Exit> {
    let reference: Reference = match verb.reference.parse() {
        Ok(reference) => reference,
        Err(error) => return Ok(bad_usage(&error.to_string())),
    };
    let keys = match public_keys(&verb.key) {
        Ok(keys) => keys,
        Err(message) => return Ok(bad_usage(&message)),
    };
    let out = verb.out.clone().unwrap_or_else(|| PathBuf::from(reference.repository().short_name()));
    if out.exists() && !std::fs::read_dir(&out).is_ok_and(|mut entries| entries.next().is_none()) {
        return Ok(bad_usage(&format!("`{}` is there and is no empty folder: give another one with --out", screen::path(&out))));
    }
    let pulled = verb.connection.client(reference.repository().registry()).and_then(|client| {
        let found = client.manifest(&reference)?;
        client.bundle(&reference, found, |_, _, _| Ok(()))
    });
    let bundled = match pulled {
        Ok(bundled) => bundled,
        Err(error) => return Ok(ended(&error)),
    };
    let signed_by = match signer(&keys, &bundled) {
        Ok(key) => key,
        Err(message) => {
            screen::complain(&format!("{reference}: {message}; nothing is written"));
            return Ok(Exit::Failure);
        }
    };
    if let Err(error) = bundled.bundle.unpack(&out) {
        return Ok(ended(&error));
    }
    told(arguments, verb, &reference, &out, &bundled, signed_by)
}

/// The key that signed: proved where keys are given, otherwise only what the signature says.
fn signer(keys: &[PublicKey], bundled: &Bundled) -> Result<Option<String>, String> {
    let Some(text) = &bundled.signature else {
        return if keys.is_empty() { Ok(None) } else { Err("it is not signed".to_owned()) };
    };
    if keys.is_empty() { claimed_key(text).map(Some) } else { verify(keys, bundled.contents(), text).map(|signed| Some(signed.key)) }
        .map_err(|error| error.to_string())
}

fn told(
    arguments: &Arguments,
    verb: &Pull,
    reference: &Reference,
    folder: &Path,
    bundled: &Bundled,
    signed_by: Option<String>,
) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout();
    if arguments.output == Output::Json {
        let files: Vec<_> = bundled.bundle.files().map(|(name, bytes)| serde_json::json!({ "name": name, "bytes": bytes.len() })).collect();
        let told = serde_json::json!({
            "reference": reference.to_string(),
            "pinned": reference.pinned(bundled.digest.clone()).to_string(),
            "digest": bundled.digest.as_str(),
            "folder": folder,
            "files": files,
            "signed_by": signed_by,
            "verified": !verb.key.is_empty(),
        });
        writeln!(out, "{told}")?;
        return Ok(Exit::Success);
    }
    for (name, bytes) in bundled.bundle.files() {
        writeln!(out, "  {} ({} bytes)", screen::path(&folder.join(name)), bytes.len())?;
    }
    let verified = if verb.key.is_empty() { "not verified" } else { "verified" };
    let signed = signed_by.map_or_else(|| "not signed".to_owned(), |key| format!("signed by {key}, {verified}"));
    writeln!(out, "{} ({signed})", reference.pinned(bundled.digest.clone()))?;
    Ok(Exit::Success)
}
