//! `tamis config`: configurations in registries.

mod pull;
mod push;

use crate::arguments::Arguments;
use crate::exit::Exit;
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check a configuration and put it into an OCI registry, signed.
    Push(push::Push),
    /// Get the files of a configuration from an OCI registry.
    Pull(pull::Pull),
}

pub(crate) fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<Exit> {
    match &config.verb {
        Verb::Push(verb) => push::run(arguments, verb),
        Verb::Pull(verb) => pull::run(arguments, verb),
    }
}
