//! Dead letters: a record that failed, why, and where it came from, as one line of JSON.

use base64::Engine as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::time::SystemTime;

/// Why and where a record failed.
#[derive(Debug, Clone, Serialize)]
pub struct DeadLetter<'a> {
    /// Pipeline.
    pub pipeline: &'a str,
    /// Step; none when decoding failed.
    pub step: Option<&'a str>,
    /// Plugin; none for a native step.
    pub plugin: Option<&'a str>,
    /// The plugin's digest.
    pub digest: Option<&'a str>,
    /// What happened.
    pub reason: &'a str,
    /// `reject`, `trap`, `deadline`, `memory`, `decode`, `contract` or `sink`.
    pub cause: &'a str,
    /// Which setup the plugin had: configuration, grant and limits, by their fingerprint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setup: Option<&'a str>,
    /// What the step was shown: a list as [`crate::letters::SeenWriter`] makes it; empty when it is not told.
    #[serde(skip)]
    pub seen: &'a [u8],
}

impl DeadLetter<'_> {
    /// A letter without a step: nothing of it was shown to anybody.
    pub fn without_step<'a>(pipeline: &'a str, reason: &'a str, cause: &'a str) -> DeadLetter<'a> {
        DeadLetter { pipeline, step: None, plugin: None, digest: None, reason, cause, setup: None, seen: &[] }
    }
}

/// Where a record came from.
#[derive(Debug, Clone, Serialize)]
pub struct Origin<'a> {
    /// Source.
    pub source: &'a str,
    /// Where in the source.
    pub position: Position<'a>,
}

/// A place in a source.
#[derive(Debug, Clone, Serialize)]
pub struct Position<'a> {
    /// The stream: a file's path, `stdin`.
    pub stream: &'a str,
    /// Bytes from its beginning.
    pub offset: u64,
}

impl DeadLetter<'_> {
    /// Appends the letter as one line, with its line feed. `json` says whether the record is valid JSON; any other is written in base64.
    pub fn write(&self, record: &[u8], json: bool, origin: &Origin<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"record\":");
        if json {
            out.extend_from_slice(record);
        } else {
            out.push(b'"');
            out.extend_from_slice(base64::engine::general_purpose::STANDARD.encode(record).as_bytes());
            out.push(b'"');
        }
        out.extend_from_slice(b",\"failure\":");
        let before = out.len();
        // Writing plain structures into memory cannot fail.
        let _ = serde_json::to_writer(&mut *out, self);
        if out.len() > before && out.last() == Some(&b'}') {
            out.pop();
            out.extend_from_slice(b",\"time\":\"");
            out.extend_from_slice(now().as_bytes());
            out.push(b'"');
            if !self.seen.is_empty() {
                out.extend_from_slice(b",\"seen\":");
                out.extend_from_slice(self.seen);
            }
            out.push(b'}');
        }
        out.extend_from_slice(b",\"origin\":");
        let _ = serde_json::to_writer(&mut *out, origin);
        out.extend_from_slice(b"}\n");
    }
}

/// What stands for a record of which nothing else is kept: its length in bytes and its SHA-256, as JSON.
pub fn digest(record: &[u8]) -> Vec<u8> {
    let sha256 = Sha256::digest(record);
    let mut out = format!("{{\"bytes\":{},\"sha256\":\"", record.len());
    for byte in sha256 {
        // Writing into memory cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out.push_str("\"}");
    out.into_bytes()
}

fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_one_line_of_json() {
        let letter = DeadLetter {
            pipeline: "main",
            step: Some("redact"),
            plugin: Some("redact"),
            digest: Some("sha256:0"),
            reason: "line\nfeed \"quote\"",
            cause: "trap",
            setup: Some("5e"),
            seen: br#"[{"field":"a"}]"#,
        };
        let origin = Origin { source: "gateway", position: Position { stream: "a.log", offset: 7 } };
        let mut out = Vec::new();
        letter.write(br#"{"a":1}"#, true, &origin, &mut out);
        letter.write(b"\xff{", false, &origin, &mut out);
        let lines: Vec<serde_json::Value> =
            out.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(|l| serde_json::from_slice(l).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["record"]["a"], 1);
        assert_eq!(lines[0]["failure"]["cause"], "trap");
        assert_eq!(lines[0]["failure"]["reason"], "line\nfeed \"quote\"");
        assert_eq!((&lines[0]["failure"]["setup"], &lines[0]["failure"]["seen"][0]["field"]), (&"5e".into(), &"a".into()));
        assert!(lines[0]["failure"]["time"].as_str().unwrap().ends_with('Z'));
        assert_eq!(lines[1]["record"], "/3s=");
        assert_eq!(lines[1]["origin"]["position"]["offset"], 7);
    }
}
