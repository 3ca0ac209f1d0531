//! Files, by path or pattern. With `--once` each is read to its end; otherwise the source waits for more, and for new files.

use super::{Outlet, RunOptions, SourceError};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tamis_codecs::{Decoder, Lines};
use tamis_config::{FileSource, Text};

/// How often files are looked at for more.
const POLL: Duration = Duration::from_millis(250);

struct Reader {
    stream: Arc<str>,
    file: File,
    lines: Lines,
}

pub(super) fn run(source: &FileSource, options: RunOptions, outlet: &mut dyn Outlet) -> Result<(), SourceError> {
    let mut readers: BTreeMap<PathBuf, Reader> = BTreeMap::new();
    let mut decoder = Decoder::new(&source.codec);
    let mut first = true;
    loop {
        let paths = matching(source);
        if first {
            outlet.expect(paths.iter().filter_map(|p| p.metadata().ok()).map(|m| m.len()).sum());
            if paths.is_empty() && options.once {
                let patterns: Vec<String> = source.paths.iter().map(|p| format!("`{}`", p.shown())).collect();
                return Err(SourceError::NoFile { patterns: patterns.join(", ") });
            }
            first = false;
        }
        let mut idle = true;
        for path in paths {
            if !readers.contains_key(&path) {
                match File::open(&path) {
                    Ok(file) => {
                        let stream = path.to_string_lossy().into_owned().into();
                        readers.insert(path.clone(), Reader { stream, file, lines: Lines::new(options.lines(source.max_record), 0) });
                    }
                    Err(error) if options.once => return Err(SourceError::Read { path: path.display().to_string(), error }),
                    Err(error) => {
                        tracing::warn!("cannot read `{}`: {error}; trying again", path.display());
                        continue;
                    }
                }
            }
            let Some(reader) = readers.get_mut(&path) else { continue };
            match reader.read(&mut decoder, outlet) {
                Ok(read) => idle &= !read,
                Err(error) if options.once => return Err(SourceError::Read { path: path.display().to_string(), error }),
                Err(error) => tracing::warn!("cannot read `{}`: {error}; trying again", path.display()),
            }
            if options.once && !outlet.stopping() {
                if let Some(frame) = reader.lines.finish() {
                    outlet.send(&reader.stream, decoder.decode(frame));
                }
                // One file open at a time.
                readers.remove(&path);
            }
            if outlet.stopping() {
                return Ok(());
            }
        }
        if options.once {
            return Ok(());
        }
        if idle {
            std::thread::sleep(POLL);
        }
        if outlet.stopping() {
            return Ok(());
        }
    }
}

impl Reader {
    /// Reads to the file's present end. Gives whether there was anything.
    fn read(&mut self, decoder: &mut Decoder, outlet: &mut dyn Outlet) -> std::io::Result<bool> {
        let mut any = false;
        while !outlet.stopping() {
            let Some(frame) = self.lines.read(&mut self.file, outlet.buffer())? else { break };
            any = true;
            if !outlet.send(&self.stream, decoder.decode(frame)) {
                break;
            }
        }
        Ok(any)
    }
}

/// `./a` is `a`.
fn plain(path: &str) -> &str {
    path.trim_start_matches("./")
}

/// The files there are now, each once, in the order of their names.
fn matching(source: &FileSource) -> Vec<PathBuf> {
    let found = |patterns: &[Text]| -> Vec<PathBuf> {
        patterns.iter().filter_map(|p| glob::glob(p).ok()).flatten().filter_map(Result::ok).filter(|p| p.is_file()).collect()
    };
    let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
    let excluded: Vec<glob::Pattern> = source.exclude.iter().filter_map(|p| glob::Pattern::new(plain(p)).ok()).collect();
    let is_excluded = |path: &PathBuf| excluded.iter().any(|p| p.matches_with(plain(&path.to_string_lossy()), options));
    let mut paths: Vec<PathBuf> = found(&source.paths).into_iter().filter(|p| !is_excluded(p)).collect();
    paths.sort();
    paths.dedup();
    paths
}
