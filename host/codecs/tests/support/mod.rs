//! Cases, and decoding as a source does it.

#![allow(dead_code, reason = "each test uses a part")]

use std::path::{Path, PathBuf};
use tamis_codecs::{Decoder, Frame};
use tamis_config::{Codec, Config, ProcessEnvironment, Source};
use tamis_record::Records;

/// A codec and lines for it.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) codec: Codec,
    pub(crate) lines: Vec<Vec<u8>>,
}

/// All cases, in the order of their names.
pub(crate) fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let entries = std::fs::read_dir(folder).expect("the cases are readable");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry is readable").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    paths.into_iter().map(case).collect()
}

fn case(path: PathBuf) -> Case {
    let text = std::fs::read_to_string(&path).expect("a case is readable");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let name = path.file_stem().and_then(|name| name.to_str()).expect("a plain name").to_owned();
    let options = std::fs::read_to_string(path.with_extension("yaml")).expect("a case has a codec");
    Case {
        codec: codec(&options), lines: lines.map(|line| line.replace('␊', "\n").replace('␀', "\0").into_bytes()).collect(), name, path
    }
}

/// A codec as a configuration writes it, below `codec:`.
pub(crate) fn codec(text: &str) -> Codec {
    let indented = text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("      {line}\n")).collect::<String>();
    let yaml = format!(
        "version: 1\nsources:\n  in:\n    type: stdin\n    codec:\n{indented}pipelines: {{ p: {{ from: in, to: o }} }}\nsinks: {{ o: {{ type: \"null\" }} }}\n"
    );
    let (config, diagnostics) = Config::parse("case.yaml", &yaml, Path::new(""), &ProcessEnvironment);
    let config = config.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
    match config.sources.into_values().next().map(|source| source.value) {
        Some(Source::Stdin(stdin)) => stdin.codec,
        other => panic!("{other:?}"),
    }
}

/// A decoder whose clock stands at 2025-03-03 12:00:00 UTC.
pub(crate) fn decoder(codec: &Codec) -> Decoder {
    Decoder::new(codec).with_clock(|| 1_741_003_200)
}

/// Decodes records that a source has framed, which may hold line feeds.
pub(crate) fn decode(decoder: &mut Decoder, lines: &[impl AsRef<[u8]>]) -> Frame {
    let mut records = Records::default();
    for line in lines {
        let from = records.text.len() as u32;
        records.text.extend_from_slice(line.as_ref());
        records.rows.push((from, records.text.len() as u32));
        records.text.push(b'\n');
    }
    let bytes = records.text.len() as u64;
    decoder.decode(Frame { records, bytes, ..Frame::default() })
}
