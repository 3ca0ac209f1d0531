//! `tamis plugin`: one file a verb.

mod build;
mod new;
mod sdk;
mod check;
mod inspect;
mod subject;

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
    /// Begin a plugin: a folder that builds, tests and runs as it is.
    New(new::New),
    /// Build plugins into components.
    Build(build::Build),
    /// Update the SDK that a plugin keeps, or write one out.
    Sdk(sdk::Sdk),
    /// Hold a plugin to the guard-rails before it is shipped.
    Check(check::Check),
    /// Show what a component is, asks for and says of itself.
    Inspect(inspect::Inspect),
}

pub(crate) fn run(arguments: &Arguments, plugin: &Plugin) -> anyhow::Result<Exit> {
    match &plugin.verb {
        Verb::New(verb) => new::run(arguments, verb),
        Verb::Build(verb) => build::run(arguments, verb),
        Verb::Sdk(verb) => sdk::run(arguments, verb),
        Verb::Check(verb) => check::run(arguments, verb),
        Verb::Inspect(verb) => inspect::run(arguments, verb),
    }
}
