//! `tamis plugin`: one file a verb.

mod bench;
mod build;
mod new;
mod sdk;
mod check;
mod inspect;
mod subject;
mod component;
mod dev;
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
    /// Update the SDK that a plugin keeps, or write one out.
    Sdk(sdk::Sdk),
    /// Hold a plugin to the guard-rails before it is shipped.
    Check(check::Check),
    /// Show what a component is, asks for and says of itself.
    Inspect(inspect::Inspect),
    /// Run the test cases of plugins (`cases/*.yaml`).
    Test(test::Test),
    /// Measure a plugin on the input of its cases, against its previous build.
    Bench(bench::Bench),
    /// Watch a plugin's sources: rebuild, run its cases again, show each record before and after.
    Dev(dev::Dev),
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
    }
}
