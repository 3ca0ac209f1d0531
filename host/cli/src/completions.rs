//! `tamis completions`.

use crate::arguments::{Arguments, Completions};
use crate::exit::Exit;
use clap::CommandFactory;
use std::io::Write;

pub(crate) fn run(verb: &Completions) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(verb.shell, &mut Arguments::command(), "tamis", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(Exit::Success)
}
