//! `tamis plugin push`.

use super::files;
use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::registry::{Bar, Connection, bad_usage, ended};
use crate::screen;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use tamis_config::{Reference, ReferenceError};
use tamis_registry::Error;
use tamis_registry::signature::claimed_key;

#[derive(Debug, Args)]
pub(crate) struct Push {
    /// The component. A signature beside it (`<file>.minisig`) goes with it.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where it goes: `oci://registry/team/name:tag`.
    #[arg(value_name = "REFERENCE")]
    reference: String,
    /// Refuse if the tag leads to something else already.
    #[arg(long)]
    no_move: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Registry(#[from] Error),
    #[error(transparent)]
    Reference(#[from] ReferenceError),
}

pub(crate) fn run(arguments: &Arguments, verb: &Push) -> anyhow::Result<Exit> {
    let reference: Reference = match verb.reference.parse() {
        Ok(reference) => reference,
        Err(error) => return Ok(bad_usage(&error.to_string())),
    };
    let (wasm, signature) = match files::component(&verb.file).and_then(|wasm| Ok((wasm, files::signature(&verb.file, None)?))) {
        Ok(read) => read,
        Err(error) => return Ok(ended(&error)),
    };
    if let Err(error) = tamis_authoring::component::imports_of(reference.repository().short_name(), &wasm) {
        screen::complain(&error.to_string());
        return Ok(Exit::Failure);
    }
    let signed_by = match signature.as_deref().map(claimed_key).transpose() {
        Ok(key) => key,
        Err(error) => {
            screen::tell(&format!("tamis: {}: {error}", screen::path(&files::signature_path(&verb.file))));
            return Ok(Exit::Failure);
        }
    };
    let name = verb.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let pushed = (|| {
        let client = verb.connection.client(reference.repository().registry())?;
        let before = match reference.tag() {
            // Without its digest: where the tag leads now is the question.
            Some(tag) => match client.manifest(&Reference::tagged(reference.repository().clone(), tag)?) {
                Ok(found) => Some(found.digest),
                // Whoever may push may not always read.
                Err(Error::NotFound { .. } | Error::Denied { .. }) => None,
                Err(error) => return Err(error.into()),
            },
            None => None,
        };
        let digest = tamis_registry::digest_to_push(&name, &wasm, signature.as_deref())?;
        let moved = before.filter(|before| *before != digest);
        if let (Some(before), true) = (&moved, verb.no_move) {
            return Ok(Err(format!("{reference} leads to {before} already, and this would be {digest}; take another tag")));
        }
        let bar = Bar::new();
        let pushed = client.push(&reference, &name, &wasm, signature.as_deref(), &mut |done, total| bar.step(done, total))?;
        Ok::<_, Failed>(Ok((pushed, moved)))
    })();
    let (pushed, moved) = match pushed {
        Ok(Ok(pushed)) => pushed,
        Ok(Err(message)) => {
            screen::complain(&message);
            return Ok(Exit::Failure);
        }
        Err(Failed::Registry(error)) => return Ok(ended(&error)),
        Err(Failed::Reference(error)) => return Ok(bad_usage(&error.to_string())),
    };
    if let Some(before) = &moved {
        screen::tell(&format!("tamis: the tag led to {before} before; hosts that have locked it refuse it until their lock is renewed"));
    }
    let pinned = reference.pinned(pushed.digest.clone());
    let mut out = std::io::stdout();
    if arguments.output == Output::Json {
        let told = serde_json::json!({
            "reference": reference.to_string(),
            "pinned": pinned.to_string(),
            "digest": pushed.digest.as_str(),
            "component": pushed.component.as_str(),
            "bytes": wasm.len(),
            "known": pushed.known,
            "moved_from": moved.as_ref().map(tamis_config::Digest::as_str),
            "signed_by": signed_by,
        });
        writeln!(out, "{told}")?;
    } else {
        let signed = signed_by.map_or_else(|| "not signed".to_owned(), |key| format!("signed by {key}"));
        writeln!(out, "{pinned} ({} bytes, {signed})", wasm.len())?;
    }
    Ok(Exit::Success)
}
