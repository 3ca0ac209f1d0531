//! Where dead letters lie.

use anyhow::Context as _;
use flate2::read::MultiGzDecoder;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use tamis_config::{Config, Sink};
use tamis_delivery::letters::Lines;

/// Bytes that are read at once.
const READ_BYTES: usize = 256 * 1024;

/// A file that may hold dead letters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Letters {
    pub(super) path: PathBuf,
    pub(super) packing: Packing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Packing {
    Plain,
    Gzip,
    /// Nothing here can read it.
    Unknown,
}

/// The files that there are: those in the data folder, and those of `file` sinks that pipelines name under `dead_letters`,
/// with what was rotated away.
pub(super) fn find(config: &Config) -> anyhow::Result<Vec<Letters>> {
    let mut paths = in_folder(config.settings.data_dir.as_path())?;
    let named: BTreeSet<&str> = config.pipelines.values().flat_map(|p| &p.value.dead_letters).map(|name| name.value.as_str()).collect();
    for name in named {
        let Some(Sink::File(sink)) = config.sinks.get(name).map(|sink| &sink.value) else { continue };
        for pattern in patterns(&sink.path) {
            let found = glob::glob(&pattern).with_context(|| format!("the path of sink `{name}` cannot be searched for"))?;
            for path in found {
                paths.insert(path.with_context(|| format!("the path of sink `{name}` cannot be searched for"))?);
            }
        }
    }
    Ok(letters(paths))
}

/// Those of the data folder alone.
pub(super) fn find_in(data_dir: &Path) -> anyhow::Result<Vec<Letters>> {
    Ok(letters(in_folder(data_dir)?))
}

fn in_folder(data_dir: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut paths = BTreeSet::new();
    let folder = data_dir.join("dead_letters");
    match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        entries => {
            let unreadable = || format!("cannot read the folder `{}`", folder.display());
            for entry in entries.with_context(unreadable)? {
                let path = entry.with_context(unreadable)?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                if name.contains(".ndjson") && !name.starts_with('.') {
                    paths.insert(path);
                }
            }
        }
    }
    Ok(paths)
}

fn letters(paths: BTreeSet<PathBuf>) -> Vec<Letters> {
    let packing = |path: &Path| match path.extension().and_then(|e| e.to_str()) {
        Some("gz" | "gzip") => Packing::Gzip,
        Some("zst" | "zstd") => Packing::Unknown,
        _ => Packing::Plain,
    };
    paths.into_iter().filter(|p| p.is_file()).map(|path| Letters { packing: packing(&path), path }).collect()
}

/// The patterns that a sink's path stands for: `%{field}` and `%Y` become `*`, and a rotated file has a time in its name,
/// before its ending, and perhaps the ending of a compressed one.
fn patterns(path: &str) -> Vec<String> {
    let mut pattern = String::new();
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let (before, place) = rest.split_at(at);
        pattern.push_str(&glob::Pattern::escape(before));
        let mut after = place.chars();
        after.next();
        rest = match after.next() {
            Some('%') => {
                pattern.push('%');
                after.as_str()
            }
            Some('{') => {
                pattern.push('*');
                after.as_str().split_once('}').map_or("", |(_, rest)| rest)
            }
            Some(_) => {
                pattern.push('*');
                after.as_str()
            }
            None => "",
        };
    }
    pattern.push_str(&glob::Pattern::escape(rest));
    let (stem, packed) = [".gz", ".gzip", ".zst", ".zstd"]
        .iter()
        .find_map(|ending| Some((pattern.strip_suffix(ending)?, *ending)))
        .unwrap_or((&pattern, ""));
    let name = stem.rfind('/').map_or(0, |at| at + 1);
    let dot = stem.rfind('.').filter(|dot| *dot > name).unwrap_or(stem.len());
    let (stem, ending) = stem.split_at(dot);
    let mut all: Vec<String> = vec![format!("{stem}{ending}{packed}"), format!("{stem}-[0-9]*Z*{ending}{packed}")];
    if packed.is_empty() {
        all.extend(
            [".gz", ".zst"].iter().flat_map(|packed| [format!("{stem}{ending}{packed}"), format!("{stem}-[0-9]*Z*{ending}{packed}")]),
        );
    }
    all
}

/// The lines of an open file; of a plain one only up to `end`, in bytes: what comes later is for the next time.
pub(super) fn lines(file: &File, packing: Packing, end: u64) -> Lines<Box<dyn BufRead + '_>> {
    let input: Box<dyn BufRead> = match packing {
        Packing::Gzip => Box::new(BufReader::with_capacity(READ_BYTES, MultiGzDecoder::new(BufReader::new(file)))),
        Packing::Plain | Packing::Unknown => Box::new(BufReader::with_capacity(READ_BYTES, file.take(end))),
    };
    Lines::new(input, 0)
}

#[cfg(test)]
mod tests {
    use super::patterns;

    #[test]
    fn paths_as_patterns() {
        let matches = |path: &str, file: &str| patterns(path).iter().any(|p| glob::Pattern::new(p).is_ok_and(|p| p.matches(file)));
        for (path, file) in [
            ("out/failed.ndjson", "out/failed.ndjson"),
            ("out/failed.ndjson", "out/failed-20250101T000000.007Z.ndjson"),
            ("out/failed.ndjson", "out/failed-20250101T000000.007Z-1.ndjson.gz"),
            ("failed-%{pipeline}/%Y-%m.ndjson.gz", "failed-main/2026-05.ndjson.gz"),
            ("100%%/failed", "100%/failed"),
            ("[a].json", "[a].json"),
            ("./a.d/failed", "./a.d/failed-20250101T000000.007Z"),
        ] {
            assert!(matches(path, file), "{path} {:?} {file}", patterns(path));
        }
        for (path, file) in [("failed.ndjson", "failed-not.ndjson"), ("[a].json", "a.json"), ("a%", "ab")] {
            assert!(!matches(path, file), "{path} {file}");
        }
    }
}
