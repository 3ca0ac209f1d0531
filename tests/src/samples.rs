//! Runs the samples and compares what comes out with what their folders say should.
//!
//! A sample is a folder under `samples/` with `pipeline.yaml`, `input.ndjson` and `expected/`; its sinks write below
//! `out/<sample>/` and `expected/` holds the same files with the same bytes. A sample with several inputs has them in a folder
//! `input/`; between its sources there is no order, so its files are compared with their lines sorted. Dead letters
//! (`failed.ndjson`) are compared as JSON without their time and the plugin's digest. A file that is missing is an empty one.
//!
//! `planted.txt`, where a sample has one, lists personal data and secrets of its input, one a line: none of them may be
//! found in any output.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::Value;

/// How long a sample may run.
const DEADLINE: Duration = Duration::from_secs(120);
/// Output of dead letters.
const DEAD_LETTERS: &str = "failed.ndjson";
/// Longest excerpt of a record in a message, in bytes.
const EXCERPT_BYTES_MAX: usize = 400;

/// Runs every sample of the project in `root` with the binary `tamis`, each in an empty working directory. `bless` writes
/// `expected/` anew instead of comparing. Gives how many samples ran.
///
/// # Errors
/// Everything that differs or failed, sample by sample, as text.
pub fn run_all(tamis: &Path, root: &Path, bless: bool) -> Result<usize, String> {
    let absolute = |path: &Path| path.canonicalize().map_err(|error| format!("`{}` cannot be found: {error}", path.display()));
    let (tamis, root) = (absolute(tamis)?, absolute(root)?);
    let samples = names(&root.join("samples"))?;
    let mut problems = String::new();
    let mut count = 0;
    for name in samples.iter().filter(|name| root.join("samples").join(name).join("pipeline.yaml").is_file()) {
        count += 1;
        if let Err(problem) = run(&tamis, &root, name, bless) {
            let _ = writeln!(problems, "sample {name}: {problem}");
        }
    }
    match (count, problems.is_empty()) {
        (0, _) => Err(format!("`{}` holds no sample", root.join("samples").display())),
        (_, true) => Ok(count),
        (_, false) => Err(problems),
    }
}

fn run(tamis: &Path, root: &Path, name: &str, bless: bool) -> Result<(), String> {
    let io = |error: std::io::Error| format!("its working directory failed: {error}");
    let folder = tempfile::tempdir().map_err(io)?;
    let work = folder.path().canonicalize().map_err(io)?;
    symlink(root.join("samples"), work.join("samples")).map_err(io)?;
    let log = work.join("log");
    let child = Command::new(tamis)
        .args(["run", "--once", "-c"])
        .arg(root.join("samples").join(name).join("pipeline.yaml"))
        .current_dir(&work)
        .env_remove("TAMIS_INPUT")
        .env_remove("TAMIS_OUT")
        .env_remove("TAMIS_REDACT_KEY")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log).map_err(io)?)
        .spawn()
        .map_err(|error| format!("`{}` cannot be started: {error}", tamis.display()))?;
    let ended = wait(child);
    ended.map_err(|problem| format!("{problem}\n{}", fs::read_to_string(&log).unwrap_or_default()))?;

    let sample = root.join("samples").join(name);
    let sorted = sample.join("input").is_dir();
    let found = outputs(&work.join("out").join(name), &work, sorted)?;
    let problems = leaks(&sample, &found)?;
    if !problems.is_empty() {
        return Err(problems.join("\n"));
    }
    let folder = sample.join("expected");
    if bless {
        return write(&folder, &found).map_err(|error| format!("`{}` cannot be written: {error}", folder.display()));
    }
    let expected = outputs(&folder, &work, sorted)?;
    let files: BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
    let problems: Vec<String> = files
        .into_iter()
        .filter_map(|file| {
            let of = |outputs: &BTreeMap<String, Vec<u8>>| outputs.get(file).cloned().unwrap_or_default();
            difference(file, &of(&expected), &of(&found))
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

/// Waits until the child ends by itself with success.
fn wait(mut child: Child) -> Result<(), String> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("expected the exit status 0, found {status}")),
            Ok(None) if start.elapsed() < DEADLINE => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("did not end within {} s", DEADLINE.as_secs()));
            }
            Err(error) => return Err(format!("cannot be waited for: {error}")),
        }
    }
}

/// What of `planted.txt` is found in the outputs, as it stands or in base64: dead letters hold what could not be decoded so.
fn leaks(sample: &Path, outputs: &BTreeMap<String, Vec<u8>>) -> Result<Vec<String>, String> {
    let path = sample.join("planted.txt");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let planted = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
    let planted: Vec<&str> = planted.lines().filter(|value| !value.is_empty()).collect();
    if planted.is_empty() {
        return Err("planted.txt is empty".to_owned());
    }
    let leaked = |(file, bytes): (&String, &Vec<u8>)| {
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        for decoded in base64_texts(bytes) {
            text.push('\n');
            text.push_str(&String::from_utf8_lossy(&decoded));
        }
        planted.iter().filter(|value| text.contains(**value)).map(|value| format!("{file}: `{value}` leaked")).collect::<Vec<_>>()
    };
    Ok(outputs.iter().flat_map(leaked).collect())
}

/// What is written in base64: each row of its characters that decodes, of 8 at least.
fn base64_texts(bytes: &[u8]) -> Vec<Vec<u8>> {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let rows = bytes.split(|byte| !is_base64(byte)).filter(|row| row.len() >= 8);
    rows.filter_map(|row| base64::engine::general_purpose::STANDARD.decode(row).ok()).collect()
}

/// The files in a folder and below that are not empty, by path, dead letters without what differs from run to run.
fn outputs(folder: &Path, work: &Path, sorted: bool) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut outputs = BTreeMap::new();
    if !folder.is_dir() {
        return Ok(outputs);
    }
    for name in files(folder, "")? {
        let path = folder.join(&name);
        let mut bytes = fs::read(&path).map_err(|error| unreadable(&path, &error))?;
        if Path::new(&name).file_name().is_some_and(|name| name == DEAD_LETTERS) {
            bytes = timeless(&bytes, work).map_err(|error| format!("`{name}` is not JSON: {error}"))?;
        }
        if sorted {
            let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
            lines.sort_unstable();
            bytes = lines.concat();
        }
        if !bytes.is_empty() {
            outputs.insert(name, bytes);
        }
    }
    Ok(outputs)
}

/// The files in a folder and below, by their path from it.
fn files(folder: &Path, prefix: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for name in names(folder)? {
        let path = format!("{prefix}{name}");
        match folder.join(&name).is_dir() {
            true => found.extend(files(&folder.join(&name), &format!("{path}/"))?),
            false => found.push(path),
        }
    }
    Ok(found)
}

/// Dead letters without time, digest, setup and working directory.
fn timeless(letters: &[u8], work: &Path) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(letters.len());
    for letter in letters.split(|byte| *byte == b'\n').filter(|letter| !letter.is_empty()) {
        let mut letter: Value = serde_json::from_slice(letter)?;
        if let Some(failure) = letter.get_mut("failure").and_then(Value::as_object_mut) {
            failure.remove("time");
            failure.remove("digest");
            failure.remove("setup");
        }
        if let Some(Value::String(stream)) = letter.pointer_mut("/origin/position/stream")
            && let Ok(relative) = Path::new(&*stream).strip_prefix(work)
        {
            *stream = relative.to_string_lossy().into_owned();
        }
        serde_json::to_writer(&mut out, &letter)?;
        out.push(b'\n');
    }
    Ok(out)
}

fn write(folder: &Path, outputs: &BTreeMap<String, Vec<u8>>) -> std::io::Result<()> {
    if folder.is_dir() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    outputs.iter().try_for_each(|(name, bytes)| {
        let path = folder.join(name);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, bytes)
    })
}

/// Where the two first differ, if they do.
fn difference(file: &str, expected: &[u8], found: &[u8]) -> Option<String> {
    if expected == found {
        return None;
    }
    let line = |bytes: &[u8], place: usize| match bytes.split_inclusive(|byte| *byte == b'\n').nth(place) {
        Some(line) => String::from_utf8_lossy(line.get(..EXCERPT_BYTES_MAX).unwrap_or(line)).trim_end().escape_debug().to_string(),
        None => "nothing".to_owned(),
    };
    let same = expected.iter().zip(found).take_while(|(expected, found)| expected == found);
    let place = same.filter(|(byte, _)| **byte == b'\n').count();
    Some(format!(
        "{file}, line {}:\n  expected {}\n  found    {}\n  (BLESS=1 writes what is found)",
        place + 1,
        line(expected, place),
        line(found, place)
    ))
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Result<Vec<String>, String> {
    let read = || -> std::io::Result<Vec<String>> {
        let entries = fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
        Ok(entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
    };
    let mut names = read().map_err(|error| unreadable(folder, &error))?;
    names.sort();
    Ok(names)
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("`{}` cannot be read: {error}", PathBuf::from(path).display())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use tamis_config::{Config, ProcessEnvironment};

    use super::*;

    #[test]
    fn every_sample_is_described_and_its_configuration_sound() {
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples");
        for name in names(&samples).expect("samples") {
            let folder = samples.join(&name);
            if !folder.is_dir() {
                continue;
            }
            // One that needs a server to run against is `tamis.yaml`: nothing runs it here.
            let runs = folder.join("pipeline.yaml").is_file();
            let file = if runs { "pipeline.yaml" } else { "tamis.yaml" };
            let (config, diagnostics) = Config::load(&[folder.join(file)], &ProcessEnvironment);
            assert!(config.is_some(), "{name}: {diagnostics:?}");
            let readme = fs::read_to_string(folder.join("README.md")).expect("a README");
            assert!(readme.contains("```mermaid") && readme.contains(&format!("samples/{name}/{file}")), "{name}: README.md");
            assert!(!runs || folder.join("expected").is_dir(), "{name}: expected/");
        }
    }

    /// One test at a time: a script cannot be started while another thread, about to start its own, still holds it open.
    static TURN: Mutex<()> = Mutex::new(());

    /// A project with one sample, and a program that plays `tamis` by this shell script.
    fn project(script: &str) -> (tempfile::TempDir, PathBuf, MutexGuard<'static, ()>) {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().expect("a folder");
        let sample = folder.path().join("samples/one");
        fs::create_dir_all(sample.join("expected")).expect("a sample");
        fs::write(sample.join("pipeline.yaml"), "").expect("its pipeline");
        fs::write(sample.join("input.ndjson"), "{\"a\":1}\n{\"a\":2}\n").expect("its input");
        let tamis = folder.path().join("tamis");
        fs::write(&tamis, format!("#!/bin/sh\n{script}\n")).expect("a program");
        fs::set_permissions(&tamis, fs::Permissions::from_mode(0o755)).expect("its mode");
        (folder, tamis, turn)
    }

    const COPY: &str = "mkdir -p out/one && cp samples/one/input.ndjson out/one/calls.ndjson && : > out/one/empty.ndjson";

    #[test]
    fn what_is_blessed_is_expected() {
        let (project, tamis, _turn) = project(COPY);
        let expected = project.path().join("samples/one/expected");
        fs::write(expected.join("stale.ndjson"), "{}\n").expect("a stale file");
        let problem = run_all(&tamis, project.path(), false).expect_err("no expectations yet");
        assert!(problem.contains("calls.ndjson, line 1:\n  expected nothing\n") && problem.contains("stale.ndjson"), "{problem}");
        assert_eq!(run_all(&tamis, project.path(), true), Ok(1));
        assert_eq!(names(&expected).expect("a folder"), ["calls.ndjson"]);
        assert_eq!(run_all(&tamis, project.path(), false), Ok(1));
        fs::write(expected.join("calls.ndjson"), "{\"a\":1}\n{\"a\":3}\n").expect("another expectation");
        let problem = run_all(&tamis, project.path(), false).expect_err("a difference");
        assert!(problem.contains("sample one: calls.ndjson, line 2:") && problem.contains("found    {\\\"a\\\":2}"), "{problem}");
    }

    #[test]
    fn several_inputs_have_no_order_and_outputs_may_lie_in_folders() {
        let (project, tamis, _turn) = project("mkdir -p out/one/a && cat samples/one/input/* > out/one/a/calls.ndjson");
        let sample = project.path().join("samples/one");
        fs::create_dir(sample.join("input")).expect("a folder");
        fs::write(sample.join("input/x.ndjson"), "{\"a\":2}\n{\"a\":1}\n").expect("an input");
        assert_eq!(run_all(&tamis, project.path(), true), Ok(1));
        assert_eq!(fs::read(sample.join("expected/a/calls.ndjson")).expect("a file"), b"{\"a\":1}\n{\"a\":2}\n");
        fs::write(sample.join("input/x.ndjson"), "{\"a\":1}\n{\"a\":2}\n").expect("another order");
        assert_eq!(run_all(&tamis, project.path(), false), Ok(1));
        fs::write(sample.join("planted.txt"), "no such value\n\"a\":2\n").expect("what must not come out");
        let problem = run_all(&tamis, project.path(), true).expect_err("a leak");
        assert!(problem.contains("a/calls.ndjson: `\"a\":2` leaked") && !problem.contains("no such value"), "{problem}");
    }

    #[test]
    fn what_leaks_in_base64_is_seen() {
        let (project, tamis, _turn) =
            project(r#"mkdir -p out/one && echo '{"record":"dG8gamVhbkBleGFtcGxlLmZyIQ=="}' > out/one/calls.ndjson"#);
        let sample = project.path().join("samples/one");
        assert_eq!(run_all(&tamis, project.path(), true), Ok(1));
        fs::write(sample.join("planted.txt"), "jean@example.fr\n").expect("what must not come out");
        let problem = run_all(&tamis, project.path(), false).expect_err("a leak");
        assert!(problem.contains("calls.ndjson: `jean@example.fr` leaked"), "{problem}");
    }

    #[test]
    fn dead_letters_are_compared_without_their_time() {
        let script = r#"mkdir -p out/one && echo "{\"failure\":{\"time\":\"$(date +%s%N)\",\"digest\":\"$$\",\"reason\":\"r\"},\
\"origin\":{\"position\":{\"stream\":\"$PWD/samples/one/input.ndjson\"}}}" > out/one/failed.ndjson"#;
        let (project, tamis, _turn) = project(&script.replace("\\\n", ""));
        assert_eq!(run_all(&tamis, project.path(), true), Ok(1));
        assert_eq!(run_all(&tamis, project.path(), false), Ok(1));
        let letter = fs::read_to_string(project.path().join("samples/one/expected/failed.ndjson")).expect("a letter");
        assert_eq!(letter, "{\"failure\":{\"reason\":\"r\"},\"origin\":{\"position\":{\"stream\":\"samples/one/input.ndjson\"}}}\n");
    }

    #[test]
    fn a_failure_shows_what_the_program_said() {
        let (project, tamis, _turn) = project("echo no such plugin >&2; exit 2");
        let problem = run_all(&tamis, project.path(), false).expect_err("a failure");
        assert!(problem.contains("exit status: 2") && problem.contains("no such plugin"), "{problem}");
    }
}
