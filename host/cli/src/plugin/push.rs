//! `tamis plugin push`.

use super::files;
use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::registry::{Bar, Connection, ended, moved_from};
use crate::screen;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use tamis_config::Reference;
use tamis_registry::signature::claimed_key;

#[derive(Debug, Args)]
pub(crate) struct Push {
    /// The component. A signature beside it (`<file>.minisig`) goes with it.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where it goes: `oci://registry/team/name:tag`.
    #[arg(value_name = "REFERENCE")]
    reference: Reference,
    /// Refuse if the tag leads to something else already.
    #[arg(long)]
    no_move: bool,
    #[command(flatten)]
    connection: Connection,
}

pub(crate) fn run(arguments: &Arguments, verb: &Push) -> anyhow::Result<Exit> {
    let reference = &verb.reference;
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
        let before = client.manifest_tagged(reference)?.map(|found| found.digest);
        let digest = tamis_registry::digest_to_push(&name, &wasm, signature.as_deref())?;
        let moved = match moved_from(reference, before, &digest, verb.no_move) {
            Ok(moved) => moved,
            Err(message) => return Ok(Err(message)),
        };
        let bar = Bar::new();
        let pushed = client.push(reference, &name, &wasm, signature.as_deref(), &mut |done, total| bar.step(done, total))?;
        Ok(Ok((pushed, moved)))
    })();
    let (pushed, moved) = match pushed {
        Ok(Ok(pushed)) => pushed,
        Ok(Err(message)) => {
            screen::complain(&message);
            return Ok(Exit::Failure);
        }
        Err(error) => return Ok(ended(&error)),
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
