//! `tamis plugin pull`.

use super::files;
use super::sign::Signed;
use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::registry::{Bar, Wanted, ended};
use crate::screen;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use tamis_config::FileError;
use tamis_registry::COMPONENT_BYTES_MAX;

#[derive(Debug, Args)]
pub(crate) struct Pull {
    #[command(flatten)]
    wanted: Wanted,
    /// Where the component goes; the signature goes beside it. Default: the last part of the name, with `.wasm`.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments, verb: &Pull) -> anyhow::Result<Exit> {
    let reference = &verb.wanted.reference;
    let keys = match verb.wanted.keys() {
        Ok(keys) => keys,
        Err(exit) => return Ok(exit),
    };
    let out = verb.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}.wasm", reference.repository().short_name())));
    let pulled = verb.wanted.client().and_then(|client| {
        let bar = Bar::new();
        client.pull(reference, COMPONENT_BYTES_MAX, &mut |done, total| bar.step(done, total))
    });
    let artifact = match pulled {
        Ok(artifact) => artifact,
        Err(error) => return Ok(ended(&error)),
    };
    let signed = match Signed::of(&keys, &artifact.wasm, artifact.signature.as_deref()) {
        Ok(signed) => signed,
        Err(message) => {
            screen::complain(&format!("{reference}: {message}; nothing is written"));
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
            "signed_by": signed.by,
            "verified": signed.is_verified,
        });
        writeln!(stdout, "{told}")?;
    } else {
        writeln!(stdout, "{} ({} bytes, {}, {signed})", screen::path(&out), artifact.wasm.len(), artifact.digest)?;
    }
    Ok(Exit::Success)
}
