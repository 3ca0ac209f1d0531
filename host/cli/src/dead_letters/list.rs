//! `tamis dead-letters list`.

use super::choice::Chooser;
use super::files::{Letters, Packing, lines};
use super::{Damage, id, shown};
use crate::arguments::{Arguments, LettersList, Output};
use crate::exit::Exit;
use crate::screen;
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use tamis_config::escaped;
use tamis_delivery::letters::{Content, Damaged, Letter};

/// How many of a kind, and the first and last time.
#[derive(Debug, Default)]
struct Kind {
    count: u64,
    first: String,
    last: String,
}

/// Letters by pipeline, step and cause.
type Kinds = BTreeMap<(String, String, String), Kind>;

pub(super) fn run(arguments: &Arguments, verb: &LettersList, files: &[Letters], mut chooser: Chooser<'_>) -> anyhow::Result<Exit> {
    let json = arguments.output == Output::Json;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut kinds = Kinds::new();
    let (mut count, mut unreadable) = (0u64, false);
    for letters in files {
        if letters.packing == Packing::Unknown {
            screen::tell(&format!(
                "tamis: `{}` is not looked at: it is compressed in a way that this command does not read",
                shown(&letters.path)
            ));
            continue;
        }
        let mut damage = Damage::default();
        let read = file(letters, &mut chooser, &mut damage, |line, letter| {
            count += 1;
            if verb.summary {
                note(&mut kinds, letter);
                return Ok(());
            }
            if !json && count == 1 {
                writeln!(out, "{:16}  {:24}  {:12}  {:12}  {:8}  {:24}  reason", "id", "time", "pipeline", "step", "cause", "source")?;
            }
            if json {
                writeln!(out, "{}", printable_json(&with_id(line)))
            } else {
                out.write_all(text(line, letter, verb.records).as_bytes())
            }
        });
        match read {
            Err(error) if error.downcast_ref::<OutputError>().is_some() => return Err(error.downcast::<OutputError>()?.0.into()),
            Err(error) => {
                unreadable = true;
                screen::complain(&format!("{error:#}"));
            }
            Ok(()) => {}
        }
        damage.tell(&letters.path);
        if chooser.is_full() {
            break;
        }
    }
    if verb.summary {
        write_summary(&mut out, &kinds, json)?;
    }
    out.flush()?;
    Ok(match (unreadable, count) {
        (true, _) => Exit::NotStarted,
        (false, 0) => {
            screen::tell("tamis: no dead letters");
            Exit::Failure
        }
        _ => Exit::Success,
    })
}

/// Standard output failed, not the file that is read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct OutputError(std::io::Error);

/// Shows the letters of a file that are wanted.
fn file(
    letters: &Letters,
    chooser: &mut Chooser<'_>,
    damage: &mut Damage,
    mut show: impl FnMut(&[u8], &Letter<'_>) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    let unreadable = || format!("cannot read `{}`", shown(&letters.path));
    let file = File::open(&letters.path).with_context(unreadable)?;
    let end = file.metadata().with_context(unreadable)?.len();
    let mut lines = lines(&file, letters.packing, end);
    while let Some(line) = lines.next_line().with_context(unreadable)? {
        match line.text.map(|text| (text, Letter::parse(text))) {
            Some((text, Ok(letter))) => {
                if chooser.wants(&letter) {
                    chooser.took_one();
                    show(text, &letter).map_err(OutputError)?;
                }
            }
            Some((_, Err(Damaged::TakenOut))) => {}
            Some((_, Err(_))) | None => damage.note(line.offset),
        }
        if chooser.is_full() {
            break;
        }
    }
    Ok(())
}

fn text(line: &[u8], letter: &Letter<'_>, records: bool) -> String {
    let failure = &letter.failure;
    let place = format!("{}:{}:{}", letter.origin.source, letter.origin.position.stream, letter.origin.position.offset);
    let step = failure.step.as_deref().unwrap_or("-");
    let mut line = format!(
        "{}  {:24}  {:12}  {:12}  {:8}  {:24}  {}\n",
        id(line),
        escaped(&failure.time),
        escaped(&failure.pipeline),
        escaped(step),
        escaped(&failure.cause),
        escaped(&place),
        escaped(&failure.reason)
    );
    if records {
        let record = match letter.content() {
            Ok(Content::Record(record)) => escaped(&String::from_utf8_lossy(record)),
            Ok(Content::Raw(bytes)) => escaped(&String::from_utf8_lossy(&bytes)),
            Err(error) => format!("({error})"),
        };
        // Writing into memory cannot fail.
        let _ = writeln!(line, "    {record}");
    }
    line
}

/// The letter's line with its name as the first member.
fn with_id(line: &[u8]) -> Vec<u8> {
    let members = line.trim_ascii_start().strip_prefix(b"{").unwrap_or(line);
    [format!("{{\"id\":\"{}\",", id(line)).as_bytes(), members].concat()
}

/// A line of JSON in which nothing drives a terminal: such characters can only stand in strings, as escapes.
fn printable_json(line: &[u8]) -> String {
    let mut out = String::with_capacity(line.len());
    for character in String::from_utf8_lossy(line).chars() {
        if character.is_ascii_graphic() || character == ' ' || escaped(character.encode_utf8(&mut [0; 4])).starts_with(character) {
            out.push(character);
        } else if matches!(character, '\t' | '\r') {
            out.push(' ');
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

fn note(kinds: &mut Kinds, letter: &Letter<'_>) {
    let failure = &letter.failure;
    let step = failure.step.clone().unwrap_or_else(|| "-".into());
    let kind = kinds.entry((failure.pipeline.to_string(), step, failure.cause.to_string())).or_default();
    kind.count += 1;
    if kind.first.is_empty() || *failure.time < *kind.first {
        kind.first = failure.time.to_string();
    }
    if *failure.time > *kind.last {
        kind.last = failure.time.to_string();
    }
}

fn write_summary(out: &mut impl Write, kinds: &Kinds, json: bool) -> anyhow::Result<()> {
    if !json && !kinds.is_empty() {
        writeln!(out, "{:>10}  {:12}  {:12}  {:8}  {:24}  last", "letters", "pipeline", "step", "cause", "first")?;
    }
    for ((pipeline, step, cause), kind) in kinds {
        if json {
            let step = (step != "-").then_some(step);
            let line = serde_json::json!({ "pipeline": pipeline, "step": step, "cause": cause, "letters": kind.count, "first": kind.first, "last": kind.last });
            writeln!(out, "{}", printable_json(line.to_string().as_bytes()))?;
        } else {
            let (pipeline, step, cause) = (escaped(pipeline), escaped(step), escaped(cause));
            let (first, last) = (escaped(&kind.first), escaped(&kind.last));
            writeln!(out, "{:>10}  {pipeline:12}  {step:12}  {cause:8}  {first:24}  {last}", kind.count)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::printable_json;

    #[test]
    fn json_stays_json_and_drives_no_terminal() {
        let line = "{\"a\":\t\"é\u{9b}31m\u{202e}😀\u{7f}\"}";
        assert_eq!(printable_json(line.as_bytes()), "{\"a\": \"é\\u009b31m\\u202e😀\\u007f\"}");
    }
}
