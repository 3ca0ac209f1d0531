//! `tamis dead-letters`.

mod capsule;
mod choice;
mod files;
mod list;
mod replay;

use crate::arguments::{Arguments, DeadLettersVerb};
use crate::exit::Exit;
use crate::{plan, screen};
use choice::Chooser;

pub(crate) fn run(arguments: &Arguments, verb: &crate::arguments::DeadLetters) -> anyhow::Result<Exit> {
    let choice = match &verb.verb {
        DeadLettersVerb::List(list) => &list.choice,
        DeadLettersVerb::Replay(replay) => &replay.choice,
        DeadLettersVerb::Capsule(capsule) => return capsule::run(arguments, capsule),
    };
    // Only names and paths are needed: a plugin that does not load is no reason not to look at what it rejected.
    let (config, findings) = plan::load(&choice.configuration.origin());
    let Some(config) = config else {
        plan::show(arguments, &findings);
        return Ok(Exit::BadConfiguration);
    };
    let files = files::find(&config)?;
    let chooser = Chooser::new(choice);
    match &verb.verb {
        DeadLettersVerb::List(list) => list::run(arguments, list, &files, chooser),
        DeadLettersVerb::Replay(_) | DeadLettersVerb::Capsule(_) => replay::run(arguments, &config, &files, chooser),
    }
}

/// Hexadecimal digits of a letter's name.
const ID_DIGITS: usize = 16;

/// What a letter is called: the beginning of the SHA-256 of its line, so that it is the same in every file it is in.
fn id(line: &[u8]) -> String {
    tamis_registry::digest_of(line).hex().chars().take(ID_DIGITS).collect()
}

/// Damaged lines of a file: how many, and where the first one is.
#[derive(Debug, Default, Clone, Copy)]
struct Damage {
    lines: u64,
    first: u64,
}

impl Damage {
    fn note(&mut self, offset: u64) {
        if self.lines == 0 {
            self.first = offset;
        }
        self.lines += 1;
    }

    fn tell(self, file: &std::path::Path) {
        if self.lines > 0 {
            let (lines, first) = (self.lines, self.first);
            screen::tell(&format!("tamis: {lines} lines of `{}` are no dead letters, the first at byte {first}", shown(file)));
        }
    }
}

/// A path that does not drive the terminal.
fn shown(path: &std::path::Path) -> String {
    tamis_config::escaped(&path.to_string_lossy())
}
