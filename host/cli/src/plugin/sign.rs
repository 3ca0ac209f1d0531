//! `tamis plugin keygen`, `sign` and `verify`: signatures in minisign's format, without a network.

use super::files;
use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::registry::{bad_usage, ended};
use crate::screen;
use clap::Args;
use std::fmt;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use tamis_registry::digest_of;
use tamis_registry::signature::{PublicKey, SecretKey, SignatureError, claimed_key, generate, sign, verify};

/// The secret key as text.
const SECRET_KEY_VARIABLE: &str = "TAMIS_SIGNING_KEY";
/// The secret key's password.
const PASSWORD_VARIABLE: &str = "TAMIS_SIGNING_PASSWORD";

#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// The secret key's file; the public key goes beside it, with `.pub` for the extension.
    #[arg(long, value_name = "FILE", default_value = "tamis.key")]
    out: PathBuf,
    /// Do not encrypt the secret key.
    #[arg(long, conflicts_with = "password_file")]
    no_password: bool,
    #[command(flatten)]
    password: Password,
}

#[derive(Debug, Args)]
pub(crate) struct Password {
    /// A file whose first line is the password. Without it: TAMIS_SIGNING_PASSWORD, or the terminal is asked.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The components; the signature of each goes to `<file>.minisig`.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The secret key's file. Without it: the key's text in TAMIS_SIGNING_KEY, otherwise `tamis.key`.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// What is signed too and shown when the signature is verified. Default: the file's name and digest.
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    #[command(flatten)]
    password: Password,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The component.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A public key (`RW…`) or its file; may be given several times.
    #[arg(long, value_name = "KEY", required = true)]
    key: Vec<String>,
    /// The signature. Default: `<file>.minisig`.
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
}

/// Who signed what was pulled.
pub(crate) struct Signed {
    /// The key, where there is a signature.
    pub(crate) by: Option<String>,
    /// Whether that is proved; otherwise it is what the signature says.
    pub(crate) is_verified: bool,
}

impl Signed {
    /// Who signed these bytes, proved where there are keys.
    ///
    /// # Errors
    /// What to tell where there are keys and none of them signed, and where the signature is none.
    pub(crate) fn of(keys: &[PublicKey], bytes: &[u8], signature: Option<&str>) -> Result<Self, String> {
        let is_verified = !keys.is_empty();
        let by = match signature {
            None if is_verified => return Err("it is not signed".to_owned()),
            None => None,
            Some(text) if is_verified => Some(verify(keys, bytes, text).map_err(|error| error.to_string())?.key),
            Some(text) => Some(claimed_key(text).map_err(|error| error.to_string())?),
        };
        Ok(Self { by, is_verified })
    }
}

impl fmt::Display for Signed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by {
            None => out.write_str("not signed"),
            Some(key) => write!(out, "signed by {key}, {}", if self.is_verified { "verified" } else { "not verified" }),
        }
    }
}

pub(crate) fn keygen(arguments: &Arguments, verb: &Keygen) -> anyhow::Result<Exit> {
    let public_path = verb.out.with_extension("pub");
    if public_path == verb.out {
        return Ok(bad_usage("`--out` names the secret key's file, and `.pub` is for the public one: give another name"));
    }
    if verb.out.exists() || public_path.exists() {
        return Ok(bad_usage(&format!(
            "`{}` or `{}` is there already; keys are not overwritten: give another name with --out",
            screen::path(&verb.out),
            screen::path(&public_path)
        )));
    }
    let password = if verb.no_password {
        None
    } else {
        match password(&verb.password, true) {
            Ok(Some(password)) => Some(password),
            Ok(None) => return Ok(bad_usage(&no_password("--no-password leaves the key unencrypted"))),
            Err(message) => return Ok(bad_usage(&message)),
        }
    };
    let made = match generate(password.as_deref()) {
        Ok(made) => made,
        Err(error) => {
            screen::complain(&error.to_string());
            return Ok(Exit::NotStarted);
        }
    };
    let written = files::write(&verb.out, made.secret.as_bytes(), true);
    if let Err(error) = written.and_then(|()| files::write(&public_path, made.public.as_bytes(), false)) {
        return Ok(ended(&error));
    }
    let mut out = std::io::stdout();
    if arguments.output == Output::Json {
        let told = serde_json::json!({
            "secret": verb.out, "public": public_path, "key": made.key.id(), "text": made.key.text(), "encrypted": password.is_some(),
        });
        writeln!(out, "{told}")?;
    } else {
        writeln!(out, "{} (secret), {} (public), key {}", printable(&verb.out), printable(&public_path), made.key.id())?;
        writeln!(out, "plugins_policy: {{ require_signature: [{}] }}", made.key.text())?;
    }
    Ok(Exit::Success)
}

pub(crate) fn sign_files(arguments: &Arguments, verb: &Sign) -> anyhow::Result<Exit> {
    let from_environment = is_key_in_environment() && verb.key.is_none();
    let path = if from_environment { None } else { Some(verb.key.as_deref().unwrap_or(Path::new("tamis.key"))) };
    let key = match signing_key(path, &verb.password) {
        Ok(key) => key,
        Err(exit) => return Ok(exit),
    };
    let mut told = Vec::new();
    let mut out = std::io::stdout();
    for file in &verb.files {
        let wasm = match files::component(file) {
            Ok(wasm) => wasm,
            Err(error) => return Ok(ended(&error)),
        };
        let digest = digest_of(&wasm);
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let comment = verb.comment.clone().unwrap_or_else(|| format!("file:{name} {digest}"));
        let (signature, id) = sign(&key, &wasm, &comment)?;
        let path = files::signature_path(file);
        if let Err(error) = files::write(&path, signature.as_bytes(), false) {
            return Ok(ended(&error));
        }
        if arguments.output == Output::Json {
            told.push(serde_json::json!({ "file": file, "signature": path, "key": id, "component": digest.as_str() }));
        } else {
            writeln!(out, "{} (key {id})", printable(&path))?;
        }
    }
    if arguments.output == Output::Json {
        writeln!(out, "{}", serde_json::Value::from(told))?;
    }
    Ok(Exit::Success)
}

pub(crate) fn verify_file(arguments: &Arguments, verb: &Verify) -> anyhow::Result<Exit> {
    let keys = match public_keys(&verb.key) {
        Ok(keys) => keys,
        Err(message) => return Ok(bad_usage(&message)),
    };
    let read = files::component(&verb.file).and_then(|wasm| Ok((wasm, files::signature(&verb.file, verb.signature.as_deref())?)));
    let (wasm, signature) = match read {
        Ok(read) => read,
        Err(error) => return Ok(ended(&error)),
    };
    let result = match &signature {
        Some(text) => verify(&keys, &wasm, text).map_err(|error| error.to_string()),
        None => Err(format!("there is no signature: expected {}", screen::path(&files::signature_path(&verb.file)))),
    };
    let mut out = std::io::stdout();
    if arguments.output == Output::Json {
        let signed = result.as_ref().ok();
        let told = serde_json::json!({
            "file": verb.file,
            "sound": result.is_ok(),
            "key": signed.map(|signed| &signed.key),
            "comment": signed.map(|signed| &signed.comment),
            "reason": result.as_ref().err(),
        });
        writeln!(out, "{told}")?;
    } else if let Ok(signed) = &result {
        writeln!(out, "{}: signed by {} ({})", printable(&verb.file), signed.key, signed.comment)?;
    }
    match result {
        Ok(_) => Ok(Exit::Success),
        Err(reason) => {
            screen::tell(&format!("tamis: {}: {}", printable(&verb.file), tamis_config::escaped(&reason)));
            Ok(Exit::Failure)
        }
    }
}

/// A path fit for the terminal.
fn printable(path: &Path) -> String {
    tamis_config::escaped(&path.to_string_lossy())
}

/// Public keys from texts and files.
pub(crate) fn public_keys(named: &[String]) -> Result<Vec<PublicKey>, String> {
    let read = |named: &String| {
        if PublicKey::is_key_text(named) {
            return PublicKey::parse(named).map_err(|error| error.to_string());
        }
        let text = files::key(Path::new(named)).map_err(|error| format!("expected a public key (`RW…`) or its file: {error}"))?;
        PublicKey::parse(&text).map_err(|error| format!("{named}: {error}"))
    };
    named.iter().map(read).collect()
}

/// Whether the environment holds a secret key.
pub(crate) fn is_key_in_environment() -> bool {
    std::env::var_os(SECRET_KEY_VARIABLE).is_some_and(|text| !text.is_empty())
}

/// The secret key of a file, or of the environment. What is wrong with it is told.
pub(crate) fn signing_key(path: Option<&Path>, password: &Password) -> Result<SecretKey, Exit> {
    let text = match path {
        Some(path) => files::key(path).map_err(|error| ended(&error))?,
        None => std::env::var(SECRET_KEY_VARIABLE).unwrap_or_default(),
    };
    secret_key(&text, password).map_err(|message| bad_usage(&message))
}

fn secret_key(text: &str, from: &Password) -> Result<SecretKey, String> {
    let told = |error: SignatureError| error.to_string();
    if !SecretKey::is_encrypted(text).map_err(told)? {
        return SecretKey::parse(text, None).map_err(told);
    }
    let password = password(from, false)?.ok_or_else(|| no_password("the secret key is encrypted"))?;
    SecretKey::parse(text, Some(&password)).map_err(told)
}

fn no_password(why: &str) -> String {
    format!("there is no password: set {PASSWORD_VARIABLE}, name a file with --password-file, or run it on a terminal; {why}")
}

/// The password from a file, the environment, or the terminal (`twice`: it is typed again).
fn password(from: &Password, twice: bool) -> Result<Option<String>, String> {
    if let Some(path) = &from.password_file {
        let text = files::key(path).map_err(|error| error.to_string())?;
        let first = text.lines().next().unwrap_or_default();
        return if first.is_empty() { Err(format!("{}: the first line is empty", path.display())) } else { Ok(Some(first.to_owned())) };
    }
    if let Some(text) = std::env::var(PASSWORD_VARIABLE).ok().filter(|text| !text.is_empty()) {
        return Ok(Some(text));
    }
    if !std::io::stdin().is_terminal() {
        return Ok(None);
    }
    let ask = |prompt: &str| rpassword::prompt_password(prompt).map_err(|error| format!("the terminal gives no password: {error}"));
    let password = ask("password of the secret key: ")?;
    if twice && ask("again: ")? != password {
        return Err("the two passwords differ".to_owned());
    }
    Ok(Some(password))
}
