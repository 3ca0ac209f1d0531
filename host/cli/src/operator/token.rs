//! `tamis admin token`.

use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::screen;
use anyhow::Context as _;
use std::fs::File;
use std::io::{Read, Write};
use tamis_admin::token_hash;
use tamis_config::{Role, is_name};

/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;
/// What a token begins with, for those who look for secrets in what is published.
const PREFIX: &str = "tamis_";

pub(super) fn run(arguments: &Arguments, name: &str, role: Role) -> anyhow::Result<Exit> {
    if !is_name(name) {
        screen::tell("tamis: `--name` is a letter or `_`, then letters, digits, `_` and `-`, 64 at most");
        return Ok(Exit::BadConfiguration);
    }
    let mut random = [0; TOKEN_BYTES];
    File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut random)).context("the system gives no random bytes")?;
    let token = format!("{PREFIX}{}", hex(&random));
    let (sha256, role) = (token_hash(&token), role.as_str());
    let mut out = std::io::stdout();
    if arguments.output == Output::Json {
        writeln!(out, "{}", serde_json::json!({ "name": name, "role": role, "token": token, "sha256": sha256 }))?;
        return Ok(Exit::Success);
    }
    // The token alone on standard output, to be put into a file.
    writeln!(out, "{token}")?;
    out.flush()?;
    screen::tell(&format!(
        "The token is the line above; it is not shown again. It is good for `{role}`. For the configuration:\n\nsettings:\n  admin_tokens:\n    {name}: {{ role: {role}, sha256: '{sha256}' }}\n"
    ));
    Ok(Exit::Success)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
