//! `tamis plugin pull`.

use super::files;
use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::registry::{Bar, Connection, bad_usage, ended};
use crate::screen;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use tamis_config::{FileError, Reference};
use tamis_registry::COMPONENT_BYTES_MAX;
use tamis_registry::signature::{PublicKey, claimed_key, verify};

#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// What is pulled: `oci://registry/team/name:tag`, with `@sha256:…` only when the tag leads there.
    #[arg(value_name = "REFERENCE")]
    reference: String,
    /// Where the component goes; the signature goes beside it. Default: the last part of the name, with `.wasm`.
    #[arg(long, value_name = "FILE")]
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
    let keys = match super::sign::public_keys(&verb.key) {
        Ok(keys) => keys,
        Err(message) => return Ok(bad_usage(&message)),
    };
    let out = verb.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}.wasm", reference.repository().short_name())));
    let pulled = verb.connection.client(reference.repository().registry()).and_then(|client| {
        let bar = Bar::new();
        client.pull(&reference, COMPONENT_BYTES_MAX, &mut |done, total| bar.step(done, total))
    });
    let artifact = match pulled {
        Ok(artifact) => artifact,
        Err(error) => return Ok(ended(&error)),
    };
    let signed_by = match signer(&keys, &artifact.wasm, artifact.signature.as_deref()) {
        Ok(key) => key,
        Err(message) => {
            screen::tell(&format!("tamis: {reference}: {message}; nothing is written"));
            return Ok(Exit::Failure);
        }
    };
    let written = files::write(&out, &artifact.wasm, false).and_then(|()| {
        let beside = files::signature_path(&out);
        match &artifact.signature {
            Some(text) => files::write(&beside, text.as_bytes(), false),
            // One that lies there from before would be of other bytes.
            None if beside.exists() => std::fs::remove_file(&beside).map_err(|source| FileError { path: beside, source }.into()),
            None => Ok(()),
        }
    });
    if let Err(error) = written {
        return Ok(ended(&error));
    }
    let mut stdout = std::io::stdout();
    if arguments.output == Output::Json {
        let told = serde_json::json!({
            "reference": reference.to_string(),
            "pinned": reference.pinned(artifact.digest.clone()).to_string(),
            "digest": artifact.digest.as_str(),
            "component": artifact.component.as_str(),
            "bytes": artifact.wasm.len(),
            "path": out,
            "signed_by": signed_by,
            "verified": !keys.is_empty(),
        });
        writeln!(stdout, "{told}")?;
    } else {
        let verified = if keys.is_empty() { "not verified" } else { "verified" };
        let signed = signed_by.map_or_else(|| "not signed".to_owned(), |key| format!("signed by {key}, {verified}"));
        writeln!(stdout, "{} ({} bytes, {}, {signed})", screen::path(&out), artifact.wasm.len(), artifact.digest)?;
    }
    Ok(Exit::Success)
}

/// The key that signed: proved where keys are given, otherwise only what the signature says.
fn signer(keys: &[PublicKey], wasm: &[u8], signature: Option<&str>) -> Result<Option<String>, String> {
    let Some(text) = signature else {
        return if keys.is_empty() { Ok(None) } else { Err("it is not signed".to_owned()) };
    };
    if keys.is_empty() { claimed_key(text).map(Some) } else { verify(keys, wasm, text).map(|signed| Some(signed.key)) }
        .map_err(|error| error.to_string())
}
