//! `tamis plugin`: one file a verb.

mod bench;
mod build;
mod check;
mod component;
mod dev;
pub(crate) mod files;
mod inspect;
mod list;
mod lock;
mod new;
mod options;
mod pull;
mod push;
mod replay;
mod sdk;
pub(crate) mod sign;
mod test;

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
    /// Hold a plugin to the guard-rails before it is shipped.
    Check(check::Check),
    /// Run the test cases of plugins (`cases/*.yaml`).
    Test(test::Test),
    /// Measure a plugin on the input of its cases, against its previous build.
    Bench(bench::Bench),
    /// Watch a plugin's sources: rebuild, run its cases again, show each record before and after.
    Dev(dev::Dev),
    /// See a failure again: give a plugin what a capsule holds (`tamis dead-letters capsule`).
    Replay(replay::Replay),
    /// Show what a component is, asks for and says of itself.
    Inspect(inspect::Inspect),
    /// Update the SDK that a plugin keeps, or write one out.
    Sdk(sdk::Sdk),
    /// Make a pair of keys for signing.
    Keygen(sign::Keygen),
    /// Sign components.
    Sign(sign::Sign),
    /// Check the signature of a component. Exit code 1 when it does not hold.
    Verify(sign::Verify),
    /// Put a component, with its signature, into an OCI registry.
    Push(push::Push),
    /// Get a component, with its signature, from an OCI registry.
    Pull(pull::Pull),
    /// Note in `tamis.lock` what the tags of a configuration lead to, and keep it.
    Lock(lock::Lock),
    /// List the plugins of a folder or a registry: owner, fields, signature, who uses them.
    List(list::List),
}

impl Plugin {
    /// Whether the verb prints test results, which `--output junit` is for.
    pub(crate) fn tests(&self) -> bool {
        matches!(self.verb, Verb::Test(_))
    }
}

pub(crate) fn run(arguments: &Arguments, plugin: &Plugin) -> anyhow::Result<Exit> {
    match &plugin.verb {
        Verb::New(verb) => new::run(arguments, verb),
        Verb::Build(verb) => build::run(arguments, verb),
        Verb::Sdk(verb) => sdk::run(arguments, verb),
        Verb::Check(verb) => check::run(arguments, verb),
        Verb::Inspect(verb) => inspect::run(arguments, verb),
        Verb::Test(verb) => test::run(arguments, verb),
        Verb::Bench(verb) => bench::run(arguments, verb),
        Verb::Dev(verb) => dev::run(arguments, verb),
        Verb::Replay(verb) => replay::run(arguments, verb),
        Verb::Push(verb) => push::run(arguments, verb),
        Verb::Pull(verb) => pull::run(arguments, verb),
        Verb::Lock(verb) => lock::run(arguments, verb),
        Verb::Keygen(verb) => sign::keygen(arguments, verb),
        Verb::Sign(verb) => sign::sign_files(arguments, verb),
        Verb::Verify(verb) => sign::verify_file(arguments, verb),
        Verb::List(verb) => list::run(arguments, verb),
    }
}
