//! `tamis plugin`: one file a verb.

mod build;
mod files;
mod list;
mod lock;
mod pull;
mod push;
mod registry;
mod sign;

use crate::arguments::Arguments;
use crate::exit::Exit;
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct Plugin {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Build plugins into components.
    Build(build::Build),
    /// Put a component, with its signature, into an OCI registry.
    Push(push::Push),
    /// Get a component, with its signature, from an OCI registry.
    Pull(pull::Pull),
    /// Note in `tamis.lock` what the tags of a configuration lead to, and keep it.
    Lock(lock::Lock),
    /// Make a pair of keys for signing.
    Keygen(sign::Keygen),
    /// Sign components.
    Sign(sign::Sign),
    /// Check the signature of a component. Exit code 1 when it does not hold.
    Verify(sign::Verify),
    /// List the plugins of a folder or a registry: owner, fields, signature, who uses them.
    List(list::List),
}

pub(crate) fn run(arguments: &Arguments, plugin: &Plugin) -> anyhow::Result<Exit> {
    match &plugin.verb {
        Verb::Build(verb) => build::run(arguments, verb),
        Verb::Push(verb) => push::run(arguments, verb),
        Verb::Pull(verb) => pull::run(arguments, verb),
        Verb::Lock(verb) => lock::run(arguments, verb),
        Verb::Keygen(verb) => sign::keygen(arguments, verb),
        Verb::Sign(verb) => sign::sign_files(arguments, verb),
        Verb::Verify(verb) => sign::verify_file(arguments, verb),
        Verb::List(verb) => list::run(arguments, verb),
    }
}
