//! `tamis plugin`: one file a verb.

mod bench;
mod build;
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
    /// Build plugins into components.
    Build(build::Build),
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
        Verb::Build(verb) => build::run(arguments, verb),
        Verb::Test(verb) => test::run(arguments, verb),
        Verb::Bench(verb) => bench::run(arguments, verb),
        Verb::Dev(verb) => dev::run(arguments, verb),
    }
}
