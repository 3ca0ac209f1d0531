//! `tamis dead-letters capsule`: of a dead letter, the file that shows a plugin's author the failure again.

use super::files::{self, Letters, Packing, lines};
use super::{id, shown};
use crate::arguments::{Arguments, LettersCapsule, Output};
use crate::exit::Exit;
use crate::{plan, screen};
use anyhow::Context as _;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use tamis_admin::control::kept_files;
use tamis_authoring::capsule::{Capsule, CapsuleColumn, CapsuleFuel, Culprit, Recorded, VERSION, columns};
use tamis_config::{Config, Diagnostics, FileText, ProcessEnvironment, Setup, escaped};
use tamis_delivery::letters::{Content, Letter, SEEN_BYTES_MAX, Seen};
use tamis_record::{Field, Kind};

/// Hexadecimal digits that are enough to name a letter.
const DIGITS_MIN: usize = 6;

/// Where the plugin's setup was found.
enum Whence {
    Generation(u64),
    Files,
}

pub(super) fn run(arguments: &Arguments, verb: &LettersCapsule) -> anyhow::Result<Exit> {
    let wanted = verb.id.to_ascii_lowercase();
    if wanted.len() < DIGITS_MIN || !wanted.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        screen::tell(&format!(
            "tamis: `{}` names no dead letter: expected at least {DIGITS_MIN} hexadecimal digits of what `tamis dead-letters list` shows under `id`",
            escaped(&verb.id)
        ));
        return Ok(Exit::BadConfiguration);
    }
    let (data_dir, letters, texts) = match &verb.data_dir {
        Some(data_dir) => (data_dir.clone(), files::find_in(data_dir)?, Vec::new()),
        None => {
            let mut findings = Diagnostics::new();
            let texts = verb.configuration.origin().read(&mut findings);
            let config = Config::of(&texts, &ProcessEnvironment, &mut findings);
            let Some(config) = config else {
                plan::show(arguments, &findings);
                return Ok(Exit::BadConfiguration);
            };
            (config.settings.data_dir.as_path().to_path_buf(), files::find(&config)?, texts)
        }
    };
    let line = match find(&letters, &wanted)?.as_slice() {
        [line] => line.clone(),
        found => {
            let folder = shown(&data_dir.join("dead_letters"));
            let sinks = if verb.data_dir.is_some() { "" } else { " and the files of sinks under `dead_letters`" };
            screen::tell(&match found.len() {
                0 => format!("tamis: there is no dead letter `{wanted}` in `{folder}`{sinks}"),
                count => format!("tamis: {count} dead letters begin with `{wanted}`: give more digits"),
            });
            return Ok(Exit::Failure);
        }
    };
    let (capsule, whence) = match make(&line, &data_dir, &texts) {
        Ok(made) => made,
        Err(reason) => {
            screen::tell(&format!("tamis: no capsule can be made of dead letter `{wanted}`: {}", escaped(&reason)));
            return Ok(Exit::Failure);
        }
    };
    let path = verb.out.clone().unwrap_or_else(|| PathBuf::from(format!("capsule-{}.json", capsule.letter)));
    let text = match capsule.text() {
        Ok(text) => text,
        Err(error) => {
            screen::tell(&format!("tamis: no capsule can be made of dead letter `{wanted}`: {error}"));
            return Ok(Exit::Failure);
        }
    };
    write(&path, &text).with_context(|| format!("cannot write `{}`, which must not be there yet", shown(&path)))?;
    tell(arguments, &capsule, &whence, &path)?;
    Ok(Exit::Success)
}

/// For its owner alone, and never over another file.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The lines of the letters whose names begin with `wanted`, each once, two at most.
fn find(files: &[Letters], wanted: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    for letters in files.iter().filter(|letters| letters.packing != Packing::Unknown) {
        let unreadable = || format!("cannot read `{}`", shown(&letters.path));
        let file = File::open(&letters.path).with_context(unreadable)?;
        let end = file.metadata().with_context(unreadable)?.len();
        let mut lines = lines(&file, letters.packing, end);
        while let Some(line) = lines.next_line().with_context(unreadable)? {
            let Some(text) = line.text.filter(|text| text.starts_with(b"{")) else { continue };
            if id(text).starts_with(wanted) && Letter::parse(text).is_ok() && !found.iter().any(|known| known == text) {
                found.push(text.to_vec());
                if found.len() > 1 {
                    return Ok(found);
                }
            }
        }
    }
    Ok(found)
}

fn make(line: &[u8], data_dir: &Path, files: &[FileText]) -> Result<(Capsule, Whence), String> {
    let letter = Letter::parse(line).map_err(|error| error.to_string())?;
    let failure = &letter.failure;
    let (Some(step), Some(plugin), Some(digest)) = (&failure.step, &failure.plugin, &failure.digest) else {
        return Err(match &failure.step {
            Some(step) => format!("step `{step}` runs no plugin; write a case under `tests:` for it"),
            None => format!("no step is to blame (cause `{}`)", failure.cause),
        });
    };
    let seen = failure.seen().map_err(|error| format!("what it says under `seen` is damaged: {error}"))?;
    let (Some(seen), Some(fingerprint)) = (seen, &failure.setup) else {
        return Err("it does not tell what the plugin was shown: it is of an older tamis, or the plugin answered and its changes do not fit the record".to_owned());
    };
    let (setup, whence) = setup(plugin, fingerprint, data_dir, files).ok_or_else(|| {
        format!(
            "plugin `{plugin}` had a configuration (`failure.setup` {fingerprint}) that is neither in the kept generations under `{}` nor in the configuration's files; give those that it ran with: `-c FILE`",
            data_dir.join("generations").display()
        )
    })?;
    let capsule = Capsule {
        capsule: VERSION,
        tamis: env!("CARGO_PKG_VERSION").to_owned(),
        contract: tamis_sandbox::CONTRACT_VERSION.to_owned(),
        letter: id(line),
        failure: Recorded {
            pipeline: failure.pipeline.to_string(),
            step: step.clone(),
            cause: failure.cause.to_string(),
            reason: failure.reason.to_string(),
            time: failure.time.to_string(),
        },
        plugin: Culprit { name: plugin.clone(), digest: digest.clone() },
        fuel: CapsuleFuel::of(&setup.limits, &failure.cause),
        setup,
        rows: 1,
        columns: shown_columns(&letter, &seen)?,
    };
    Ok((capsule, whence))
}

/// The setup that has this fingerprint.
fn setup(plugin: &str, fingerprint: &str, data_dir: &Path, files: &[FileText]) -> Option<(Setup, Whence)> {
    let of = |files: &[FileText]| Setup::of(files, plugin, &ProcessEnvironment).filter(|setup| setup.fingerprint() == fingerprint);
    of(files)
        .map(|setup| (setup, Whence::Files))
        .or_else(|| kept_files(data_dir).find_map(|(number, files)| Some((of(&files)?, Whence::Generation(number)))))
}

/// What the plugin was shown: values that the letter holds aside, and those that its record has.
fn shown_columns(letter: &Letter<'_>, seen: &[Seen<'_>]) -> Result<Vec<CapsuleColumn>, String> {
    let mut fields = Vec::new();
    for seen in seen {
        let kind = [Kind::Text, Kind::Integer, Kind::Float, Kind::Boolean, Kind::Json].into_iter().find(|kind| kind.name() == seen.kind);
        let kind = kind.ok_or_else(|| format!("its field `{}` has the unknown kind `{}`", seen.field, seen.kind))?;
        let path: tamis_record::Path = seen.field.parse().map_err(|error: tamis_record::PathError| error.to_string())?;
        if let Some(bytes) = seen.left_out {
            return Err(format!(
                "the letter left out what an earlier step had made of `{}`: {bytes} bytes, and a letter holds {} MiB of such values",
                seen.field,
                SEEN_BYTES_MAX >> 20
            ));
        }
        fields.push((Field { path, kind }, seen.value));
    }
    let Ok(Content::Record(record)) = letter.content() else {
        return Err("its record is damaged".to_owned());
    };
    let from_record: Vec<Field> = fields.iter().filter(|(_, value)| value.is_none()).map(|(field, _)| field.clone()).collect();
    let mut from_record = columns(record, &from_record).map_err(|reason| format!("its record: {reason}"))?.into_iter();
    let column = |(field, value): &(Field, Option<&serde_json::value::RawValue>)| match value {
        Some(value) => CapsuleColumn::of_value(&field.path, field.kind, value).map_err(|error| error.to_string()),
        None => match from_record.next() {
            Some(column) => CapsuleColumn::new(&field.path, &column).map_err(|error| error.to_string()),
            None => Err("its record is damaged".to_owned()),
        },
    };
    fields.iter().map(column).collect()
}

fn tell(arguments: &Arguments, capsule: &Capsule, whence: &Whence, path: &Path) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let needs: Vec<&str> = capsule.setup.filled.iter().flat_map(|filled| filled.needs()).collect();
    let from = match whence {
        Whence::Generation(number) => format!("generation {number}"),
        Whence::Files => "the files".to_owned(),
    };
    let fields: Vec<&str> = capsule.columns.iter().map(|column| column.field.as_str()).collect();
    if arguments.output == Output::Json {
        let told = serde_json::json!({
            "path": path, "letter": capsule.letter, "plugin": capsule.plugin.name, "digest": capsule.plugin.digest,
            "cause": capsule.failure.cause, "fields": fields, "left_out": needs, "setup_from": from,
        });
        writeln!(out, "{told}")?;
        return Ok(());
    }
    writeln!(out, "{}", shown(path))?;
    let plugin = &capsule.plugin;
    writeln!(out, "  plugin   {} {}, its configuration from {from}", escaped(&plugin.name), escaped(&plugin.digest))?;
    writeln!(out, "  failure  {}: {}", escaped(&capsule.failure.cause), escaped(&capsule.failure.reason))?;
    let fields = if fields.is_empty() { "none".to_owned() } else { escaped(&fields.join(", ")) };
    writeln!(out, "  fields   {fields} (they may be personal data)")?;
    if !needs.is_empty() {
        writeln!(out, "  left out {} (the author gives values of their own)", escaped(&needs.join(", ")))?;
    }
    Ok(())
}
