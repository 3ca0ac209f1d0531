//! Bytes that are in memory already, as a source would hand them on.

use super::{RunOptions, SourceError, file};
use std::io::Read;
use tamis_codecs::{Decoder, Frame, Lines, LinesOptions};
use tamis_config::{Settings, Source};

/// Frames and decodes `bytes` as the source does with the content of one stream: its codec, its joining of lines, its longest
/// record, the settings' size of a batch. Without a source, or for one that reads nothing, they are lines of JSON.
///
/// # Errors
/// A regular expression of the source that cannot be compiled.
pub fn frames(source: Option<&Source>, settings: &Settings, bytes: &[u8]) -> Result<Vec<Frame>, SourceError> {
    let options = RunOptions::new("", true, settings);
    match source {
        Some(Source::File(source)) => {
            let lines = file::frames(source, options.lines(source.max_record), bytes)?;
            Ok(decoded(Decoder::new(&source.codec), lines))
        }
        other => match other.and_then(|source| source.codec().zip(source.max_record())) {
            Some((codec, max_record)) => Ok(decoded(Decoder::new(codec), whole(Lines::new(options.lines(max_record), 0), bytes)?)),
            None => {
                let max = bytes.len().max(1);
                let options = LinesOptions { record_bytes_max: max, records_max: options.records_max, frame_bytes: options.frame_bytes };
                whole(Lines::new(options, 0), bytes)
            }
        },
    }
}

fn decoded(mut decoder: Decoder, frames: Vec<Frame>) -> Vec<Frame> {
    frames.into_iter().map(|frame| decoder.decode(frame)).collect()
}

fn whole(mut lines: Lines, mut bytes: impl Read) -> Result<Vec<Frame>, SourceError> {
    let mut frames = Vec::new();
    while let Some(frame) = lines.read(&mut bytes, Vec::new()).map_err(|error| SourceError::Read { path: "memory".into(), error })? {
        frames.push(frame);
    }
    frames.extend(lines.finish());
    Ok(frames)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tamis_config::{Config, ProcessEnvironment};

    fn records(source: &str, bytes: &[u8]) -> Vec<String> {
        let yaml = format!("version: 1\nsources: {{ in: {source} }}\nsettings: {{ batch: {{ records: 2 }} }}\n");
        let config = Config::parse("a.yaml", &yaml, std::path::Path::new(""), &ProcessEnvironment).0.unwrap();
        let frames = frames(Some(&config.sources["in"].value), &config.settings, bytes).unwrap();
        let text = |frame: &Frame, row| String::from_utf8(frame.records.get(row).to_vec()).unwrap();
        frames.iter().flat_map(|frame| (0..frame.records.rows.len()).map(move |row| text(frame, row))).collect()
    }

    #[test]
    fn a_source_frames_joins_and_decodes() {
        assert_eq!(records("{ type: stdin }", b"{\"n\":1}\n{\"n\":2}\r\n\n{\"n\":3}"), [r#"{"n":1}"#, r#"{"n":2}"#, r#"{"n":3}"#]);
        let joined = r"{ type: file, paths: [a], codec: text, multiline: { start: '^\d' } }";
        let texts = records(joined, b"1 a\n  b\n2 c\n3 d");
        assert_eq!(texts.len(), 3);
        assert!(texts[0].contains(r"1 a\n  b"), "{texts:?}");
    }
}
