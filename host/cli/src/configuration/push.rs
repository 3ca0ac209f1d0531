//! `tamis config push`.

use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::plan::{self, Planned};
use crate::plugin::sign::{Password, is_key_in_environment, signing_key};
use crate::registry::{Bar, Connection, bad_usage, ended, moved_from};
use crate::screen;
use clap::Args;
use std::io::Write;
use std::path::{Path, PathBuf};
use tamis_config::{Diagnostics, Digest, FileText, Reference, SCHEME};
use tamis_registry::signature::{SecretKey, SignatureError, claimed_key, sign};
use tamis_registry::{Bundle, Error, digest_of};

#[derive(Debug, Args)]
pub(crate) struct Push {
    /// Where it goes: `oci://registry/team/name:tag`.
    #[arg(value_name = "REFERENCE")]
    reference: Reference,
    /// Configuration file, or a folder of *.yaml files that are merged; may be given several times. `tamis.lock` beside the first goes
    /// with them.
    #[arg(short, long = "config", value_name = "FILE", default_value = "tamis.yaml", env = "TAMIS_CONFIG")]
    config: Vec<PathBuf>,
    /// A file that the configuration names, in its folder or below; may be given several times.
    #[arg(long, value_name = "FILE")]
    with: Vec<PathBuf>,
    /// Sign with this secret key's file. Without it: with the key's text in TAMIS_SIGNING_KEY, where that is set.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    password: Password,
    /// Push what is not sound here: variables or plugins that only the hosts have.
    #[arg(long)]
    no_check: bool,
    /// Refuse if the tag leads to something else already.
    #[arg(long)]
    no_move: bool,
    #[command(flatten)]
    connection: Connection,
}

pub(crate) fn run(arguments: &Arguments, verb: &Push) -> anyhow::Result<Exit> {
    let reference = &verb.reference;
    if let Some(path) = verb.config.iter().find(|path| path.to_str().is_some_and(|text| text.starts_with(SCHEME))) {
        return Ok(bad_usage(&format!("{}: expected files; `tamis config pull` gets them", screen::path(path))));
    }
    let mut findings = Diagnostics::new();
    let files = FileText::read(&verb.config, &mut findings);
    if findings.has_errors() {
        plan::show(arguments, &findings);
        return Ok(Exit::BadConfiguration);
    }
    let bundle = match Bundle::of(&files, &verb.with) {
        Ok(bundle) => bundle,
        Err(error @ Error::Bundle { .. }) => return Ok(bad_usage(&error.to_string())),
        Err(error) => return Ok(ended(&error)),
    };
    if !verb.no_check && !is_sound(arguments, &bundle, files)? {
        screen::complain("nothing is pushed: it is not sound (`--no-check` pushes what only the hosts can plan)");
        return Ok(Exit::BadConfiguration);
    }
    let key = match (verb.key.as_deref(), is_key_in_environment()) {
        (None, false) => None,
        (path, _) => match signing_key(path, &verb.password) {
            Ok(key) => Some(key),
            Err(exit) => return Ok(exit),
        },
    };
    let pushed = match send(verb, reference, &bundle, key.as_ref()) {
        Ok(Ok(pushed)) => pushed,
        Ok(Err(message)) => {
            screen::complain(&message);
            return Ok(Exit::Failure);
        }
        Err(Failed::Registry(error)) => return Ok(ended(&error)),
        Err(Failed::Signature(error)) => return Err(error.into()),
    };
    if let Some(before) = &pushed.moved_from {
        screen::tell(&format!("tamis: the tag led to {before} before"));
    }
    told(arguments, reference, &bundle, &pushed)?;
    Ok(Exit::Success)
}

/// Whether the bundle plans as a host would find it: with nothing else of this folder.
fn is_sound(arguments: &Arguments, bundle: &Bundle, files: Vec<FileText>) -> anyhow::Result<bool> {
    let folder = bundle.unpacked()?;
    let texts = bundle.texts("", folder.path())?;
    // What is told bears the names that were given.
    let files = files.into_iter().zip(texts).map(|(file, text)| FileText { folder: text.folder, ..file }).collect();
    let (planned, findings) = Planned::of(files, Diagnostics::new(), None, |_| None, None, false);
    plan::show(arguments, &findings);
    Ok(planned.is_some() && !findings.has_errors())
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Registry(#[from] Error),
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

struct Pushed {
    digest: Digest,
    signed_by: Option<String>,
    moved_from: Option<Digest>,
}

fn send(verb: &Push, reference: &Reference, bundle: &Bundle, key: Option<&SecretKey>) -> Result<Result<Pushed, String>, Failed> {
    let client = verb.connection.client(reference.repository().registry())?;
    let before = client.manifest_tagged(reference)?;
    let contents = bundle.contents();
    // Each signature is another one. The same files, signed with the same key, are to stay the same configuration.
    let signed_before = before.as_ref().and_then(|found| bundle.signature_in(&found.text));
    let signature = match key {
        Some(key) => match signed_before.filter(|signature| key.has_signed(&contents, signature)) {
            Some(signature) => Some(signature),
            None => Some(sign(key, &contents, &format!("configuration:{} {}", reference.repository().name(), digest_of(&contents)))?.0),
        },
        None => None,
    };
    let digest = digest_of(&bundle.manifest(signature.as_deref()));
    let moved_from = match moved_from(reference, before.map(|found| found.digest), &digest, verb.no_move) {
        Ok(moved_from) => moved_from,
        Err(message) => return Ok(Err(message)),
    };
    let bar = Bar::new();
    let digest = client.push_bundle(reference, bundle, signature.as_deref(), &mut |done, total| bar.step(done, total))?;
    let signed_by = signature.as_deref().map(claimed_key).transpose()?;
    Ok(Ok(Pushed { digest, signed_by, moved_from }))
}

fn told(arguments: &Arguments, reference: &Reference, bundle: &Bundle, pushed: &Pushed) -> anyhow::Result<()> {
    let pinned = reference.pinned(pushed.digest.clone()).to_string();
    let mut out = std::io::stdout();
    if arguments.output == Output::Json {
        let files: Vec<_> = bundle.files().map(|(name, bytes)| serde_json::json!({ "name": name, "bytes": bytes.len() })).collect();
        let told = serde_json::json!({
            "reference": reference.to_string(),
            "pinned": pinned,
            "digest": pushed.digest.as_str(),
            "files": files,
            "signed_by": pushed.signed_by,
            "moved_from": pushed.moved_from.as_ref().map(Digest::as_str),
        });
        writeln!(out, "{told}")?;
        return Ok(());
    }
    for (name, bytes) in bundle.files() {
        writeln!(out, "  {} ({} bytes)", screen::path(Path::new(name)), bytes.len())?;
    }
    let signed = pushed.signed_by.as_ref().map_or_else(|| "not signed".to_owned(), |key| format!("signed by {key}"));
    writeln!(out, "{pinned} ({signed})")?;
    Ok(())
}
