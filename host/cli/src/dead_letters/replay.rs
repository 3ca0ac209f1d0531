//! `tamis dead-letters replay`: chosen letters go, whole and durable, into the folder from which the host runs them again,
//! and then out of the file they were in. A crash in between leaves them in both: repeated, never lost.

use super::choice::Chooser;
use super::files::{Letters, Packing, lines};
use super::{Damage, shown};
use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::screen;
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::Duration;
use tamis_config::{Config, escaped};
use tamis_delivery::letters::{Letter, ReplayFolder, Staged, compact, is_remainder, take_out};
use tamis_delivery::{FolderLock, LockError};

/// What became of the chosen letters.
#[derive(Debug, Default)]
struct Moved {
    /// By pipeline.
    letters: BTreeMap<String, u64>,
    /// Of pipelines that the configuration does not have.
    homeless: u64,
    /// Of whose records only the beginning was kept, or whose `record` cannot be read.
    cut: u64,
    /// In files that are compressed.
    packed: u64,
    /// Files that were begun.
    files: usize,
}

pub(super) fn run(arguments: &Arguments, config: &Config, files: &[Letters], mut chooser: Chooser<'_>) -> anyhow::Result<Exit> {
    let data = config.settings.data_dir.as_path();
    for pipeline in chooser.pipelines() {
        if !config.pipelines.contains_key(pipeline) {
            screen::tell(&format!("tamis: the configuration has no pipeline `{}`: its letters stay where they are", escaped(pipeline)));
        }
    }
    if files.is_empty() {
        screen::tell("tamis: no dead letters");
        return Ok(Exit::Failure);
    }
    let folder = ReplayFolder::new(data);
    let choosing = folder.lock().with_context(|| format!("cannot write to `{}`", shown(&data.join("replay"))))?;
    if choosing.is_none() {
        anyhow::bail!("another `tamis dead-letters replay` is at work in `{}`: try again when it is done", shown(data));
    }
    folder.tidy().with_context(|| format!("cannot write to `{}`", shown(&data.join("replay"))))?;
    // Without a host, none may begin to append while files are rewritten.
    let alone = match FolderLock::take(data, "tamis dead-letters replay", Duration::ZERO) {
        Ok(lock) => Some(lock),
        Err(LockError::Taken { .. }) => None,
        Err(error @ LockError::Io { .. }) => return Err(error.into()),
    };
    let mut moved = Moved::default();
    for letters in files {
        if chooser.is_full() {
            break;
        }
        let taken = match file(config, &folder, letters, &mut chooser, &mut moved) {
            Ok(taken) => taken,
            Err(error) => {
                tell(arguments, &moved, alone.is_some())?;
                return Err(error);
            }
        };
        // What is left in it are blanks: no harm if they stay.
        if taken
            && alone.is_some()
            && let Err(error) = compact(&letters.path)
        {
            tracing::warn!("`{}` keeps blank lines: {error}", shown(&letters.path));
        }
    }
    tell(arguments, &moved, alone.is_some())
}

/// Moves the chosen letters of one file. Gives whether anything was taken out of it.
fn file(config: &Config, folder: &ReplayFolder, letters: &Letters, chooser: &mut Chooser<'_>, moved: &mut Moved) -> anyhow::Result<bool> {
    let path = &letters.path;
    if letters.packing == Packing::Unknown {
        screen::tell(&format!("tamis: `{}` is not looked at: it is compressed in a way that this command does not read", shown(path)));
        return Ok(false);
    }
    let plain = letters.packing == Packing::Plain;
    let file = OpenOptions::new().read(true).write(plain).open(path).with_context(|| format!("cannot open `{}`", shown(path)))?;
    let unreadable = || format!("cannot read `{}`", shown(path));
    let unwritable = || "the letters stay where they are: cannot write them to the folder `replay` of the data folder".to_string();
    let end = file.metadata().with_context(unreadable)?.len();
    let mut input = lines(&file, letters.packing, end);
    let mut damage = Damage::default();
    let mut staged: BTreeMap<String, (Staged, u64)> = BTreeMap::new();
    let mut places = Vec::new();
    while let Some(line) = input.next_line().with_context(unreadable)? {
        let Some((text, letter)) = line.text.and_then(|text| Some((text, Letter::parse(text).ok()?))) else {
            match line.text {
                Some(text) if text.starts_with(b" ") => {
                    // What an earlier one did not get done before it was killed.
                    if plain && is_remainder(text) {
                        places.push((line.offset, line.next));
                    }
                }
                _ => damage.note(line.offset),
            }
            continue;
        };
        if !chooser.wants(&letter) {
            continue;
        }
        let pipeline = &*letter.failure.pipeline;
        let reason = if !config.pipelines.contains_key(pipeline) {
            Some(&mut moved.homeless)
        } else if letter.is_cut() || letter.content().is_err() {
            Some(&mut moved.cut)
        } else if !plain {
            Some(&mut moved.packed)
        } else {
            None
        };
        if let Some(count) = reason {
            *count += 1;
            continue;
        }
        if !staged.contains_key(pipeline) {
            let stage = folder.stage(pipeline, moved.files).with_context(unwritable)?;
            moved.files += 1;
            staged.insert(pipeline.into(), (stage, 0));
        }
        if let Some((stage, count)) = staged.get_mut(pipeline) {
            stage.push(text).with_context(unwritable)?;
            *count += 1;
            places.push((line.offset, line.next));
        }
        chooser.took_one();
        if chooser.is_full() {
            break;
        }
    }
    drop(input);
    damage.tell(path);
    for (pipeline, (stage, count)) in staged {
        stage.commit().with_context(unwritable)?;
        *moved.letters.entry(pipeline).or_default() += count;
    }
    take_out(&file, &places).with_context(|| twice(path))?;
    Ok(!places.is_empty())
}

fn twice(path: &Path) -> String {
    format!("the chosen letters are run again, but cannot be taken out of `{}`: do not choose them once more", shown(path))
}

fn tell(arguments: &Arguments, moved: &Moved, alone: bool) -> anyhow::Result<Exit> {
    let Moved { letters, homeless, cut, packed, files: _ } = moved;
    let total: u64 = letters.values().sum();
    let mut out = std::io::stdout();
    if arguments.output == Output::Json {
        let host = if alone { "stopped" } else { "running" };
        let left = serde_json::json!({ "no_pipeline": homeless, "incomplete": cut, "compressed": packed });
        writeln!(out, "{}", serde_json::json!({ "replayed": total, "pipelines": letters, "left": left, "host": host }))?;
    } else {
        for (pipeline, count) in letters {
            writeln!(out, "{count} letters of `{}` are sent through it again", escaped(pipeline))?;
        }
        if alone && total > 0 {
            writeln!(out, "no host runs with this data folder: they wait for the next `tamis run`")?;
        }
    }
    for (count, why) in [
        (homeless, "are of pipelines that the configuration does not have"),
        (cut, "hold only the beginning or the digest of their record"),
        (packed, "are in compressed files, which are not changed: unpack the file beside itself first"),
    ] {
        if *count > 0 {
            screen::tell(&format!("tamis: {count} letters {why}; they stay where they are"));
        }
    }
    if total == 0 && homeless + cut + packed == 0 {
        screen::tell("tamis: no dead letters");
    }
    Ok(if total == 0 || homeless + cut + packed > 0 { Exit::Failure } else { Exit::Success })
}
