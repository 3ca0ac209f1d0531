//! What must hold after the host was started from a state: it ends well, every line of the input is where it belongs, no line
//! is there that nobody wrote, and nothing comes again that a durable checkpoint covers.

use super::scenario::{Scenario, State};
use crate::harness::Site;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::process::Command;

/// The places where lines must come to, with the sink behind the spool as the last.
pub(super) const PLACES: [&str; 4] = ["out", "parts", "packed", "queued"];
const LETTERS: &str = "data/dead_letters";

/// How often each line is in each place.
#[derive(Debug, Default)]
pub(super) struct Held {
    lines: HashMap<&'static str, BTreeMap<String, usize>>,
    /// Lines of compressed files up to where they are damaged: the last of them may be anything. The host has put such files
    /// aside; what had been promised lies before the damage.
    doubtful: BTreeSet<String>,
}

impl Held {
    /// Reads the files of all sinks, and what the server has taken.
    pub(super) fn read(site: &Site, taken: Vec<String>) -> Self {
        let mut held = Self::default();
        for place in PLACES {
            let lines = held.lines.entry(place).or_default();
            files(&site.path(place), &mut |path| {
                let (text, whole) = text(path);
                for line in text.lines() {
                    *lines.entry(line.to_owned()).or_default() += 1;
                    if !whole {
                        held.doubtful.insert(line.to_owned());
                    }
                }
            });
        }
        for line in taken {
            *held.lines.entry("queued").or_default().entry(line).or_default() += 1;
        }
        let letters = held.lines.entry(LETTERS).or_default();
        files(&site.path(LETTERS), &mut |path| {
            for line in text(path).0.lines() {
                let letter: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
                let record = letter["record"].as_str().map_or_else(|| format!("no dead letter: {line}"), str::to_owned);
                *letters.entry(record).or_default() += 1;
            }
        });
        held
    }

    fn count(&self, place: &str, line: &str) -> usize {
        self.lines.get(place).and_then(|lines| lines.get(line)).copied().unwrap_or(0)
    }

    /// Adds what was taken elsewhere.
    pub(super) fn add(&mut self, place: &'static str, other: &Self) {
        for (line, count) in other.lines.get(place).into_iter().flatten() {
            *self.lines.entry(place).or_default().entry(line.clone()).or_default() += count;
        }
    }
}

/// A file's text, and whether that is all of it: of a compressed one, it ends at the first member that is damaged.
fn text(path: &Path) -> (String, bool) {
    let (bytes, whole) = if path.extension().is_some_and(|ending| ending == "gz") {
        let gzip = Command::new("gzip").arg("-dc").arg(path).output().expect("gzip");
        (gzip.stdout, gzip.status.success())
    } else {
        (std::fs::read(path).expect("a file"), true)
    };
    (String::from_utf8_lossy(&bytes).into_owned(), whole)
}

fn files(folder: &Path, each: &mut dyn FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files(&path, each) } else { each(&path) }
    }
}

impl Scenario {
    /// What is wrong after a start from a state. `promised`: up to where each input file was covered by a durable
    /// checkpoint; with `all`, everything had been delivered, behind the spool too.
    pub(super) fn violation(&self, state: &State, promised: &BTreeMap<String, u64>, all: bool) -> Option<String> {
        if state.run.code != Some(0) {
            return Some(format!("it did not end well: {}", state.run));
        }
        let mut expected: HashMap<&str, BTreeMap<&str, bool>> = HashMap::new();
        for line in &self.lines {
            let covered = promised.get(line.file).is_some_and(|position| line.end <= *position);
            let places = if line.tenant.is_some() { &PLACES[..] } else { &[LETTERS] };
            for place in places {
                expected.entry(place).or_default().insert(&line.text, covered && (all || *place != "queued"));
            }
        }
        for (place, lines) in &expected {
            for (line, covered) in lines {
                let (before, after) = (state.before.count(place, line), state.after.count(place, line));
                if after == 0 {
                    return Some(format!("lost in `{place}`: {line}"));
                }
                if *covered && after > before {
                    return Some(format!("covered by a checkpoint, and again in `{place}`: {line}"));
                }
            }
            if let Some(line) = state
                .after
                .lines
                .get(place)
                .into_iter()
                .flatten()
                .map(|(line, _)| line)
                .find(|l| !lines.contains_key(l.as_str()) && !state.after.doubtful.contains(*l))
            {
                return Some(format!("invented or damaged in `{place}`: {:?}", line.chars().take(300).collect::<String>()));
            }
        }
        None
    }

    /// How many lines came more often than once.
    pub(super) fn repeats(state: &State) -> usize {
        state.after.lines.values().flat_map(BTreeMap::values).map(|count| count - 1).sum()
    }
}
