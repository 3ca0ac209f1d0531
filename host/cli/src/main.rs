//! The `tamis` command: one file a verb.

mod arguments;
mod check;
mod completions;
mod configuration;
mod dead_letters;
mod exit;
mod explain;
mod junit;
mod logging;
mod operator;
mod plan;
mod plugin;
mod progress;
mod registry;
mod report;
mod run;
mod schema;
mod screen;
mod signals;
mod tap;
mod test;

use arguments::{Arguments, Verb};
use clap::Parser;
use exit::Exit;

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    logging::start(&arguments);
    // A panic's message may hold what a record held (a library's assertion on a value): only its place is told.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_string(), ToString::to_string);
        tracing::error!("an internal fault at {place}; please report it");
    }));
    if let Some(why) = arguments.unprintable() {
        screen::tell(&format!("tamis: {why}"));
        return Exit::BadConfiguration.into();
    }
    let result = match &arguments.verb {
        Verb::Run(verb) => run::run(&arguments, verb),
        Verb::Check(verb) => check::run(&arguments, verb),
        Verb::Explain(verb) => explain::run(&arguments, verb),
        Verb::Test(verb) => test::run(&arguments, verb),
        Verb::Plugin(verb) => plugin::run(&arguments, verb),
        Verb::Config(verb) => configuration::run(&arguments, verb),
        Verb::DeadLetters(verb) => dead_letters::run(&arguments, verb),
        Verb::Status(verb) => operator::status(&arguments, verb),
        Verb::Top(verb) => operator::top(&arguments, verb),
        Verb::Reload(verb) => operator::reload(&arguments, verb),
        Verb::Rollback(verb) => operator::rollback(&arguments, verb),
        Verb::Generations(verb) => operator::generations(&arguments, verb),
        Verb::Admin(verb) => operator::admin(&arguments, verb),
        Verb::Tap(verb) => tap::run(&arguments, verb),
        Verb::Schema => schema::run(&arguments),
        Verb::Completions(verb) => completions::run(verb),
    };
    match result {
        Ok(exit) => exit.into(),
        // Whoever read the output has had enough.
        Err(error) if error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe) => {
            Exit::Success.into()
        }
        Err(error) => {
            screen::complain(&format!("{error:#}"));
            Exit::NotStarted.into()
        }
    }
}
