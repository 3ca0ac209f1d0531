//! One dead letter, from its line of JSON.

use super::Seen;
use base64::Engine as _;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A dead letter as it was written by [`crate::DeadLetter::write`].
#[derive(Debug, Deserialize)]
pub struct Letter<'a> {
    #[serde(borrow)]
    record: &'a RawValue,
    /// What happened.
    #[serde(borrow)]
    pub failure: Failure<'a>,
    /// Where the record came from.
    #[serde(borrow)]
    pub origin: Whence<'a>,
}

/// What happened to a record.
#[derive(Debug, Deserialize)]
pub struct Failure<'a> {
    /// Pipeline.
    #[serde(borrow)]
    pub pipeline: Cow<'a, str>,
    /// Step; none when no step is to blame.
    pub step: Option<String>,
    /// Plugin; none for a native step.
    pub plugin: Option<String>,
    /// The plugin's digest.
    #[serde(default)]
    pub digest: Option<String>,
    /// Which setup the plugin had.
    #[serde(default)]
    pub setup: Option<String>,
    /// What the step was shown, where that is told.
    #[serde(borrow, default)]
    seen: Option<&'a RawValue>,
    /// What happened.
    #[serde(borrow)]
    pub reason: Cow<'a, str>,
    /// One of the words for causes.
    #[serde(borrow)]
    pub cause: Cow<'a, str>,
    /// When, as RFC 3339.
    #[serde(borrow)]
    pub time: Cow<'a, str>,
}

impl<'a> Failure<'a> {
    /// What the step was shown, column by column; `None`: the letter does not tell.
    ///
    /// # Errors
    /// When it is written in another way than this.
    pub fn seen(&self) -> Result<Option<Vec<Seen<'a>>>, serde_json::Error> {
        self.seen.map(|seen| serde_json::from_str(seen.get())).transpose()
    }
}

/// Where a record came from.
#[derive(Debug, Deserialize)]
pub struct Whence<'a> {
    /// Source.
    #[serde(borrow)]
    pub source: Cow<'a, str>,
    /// Where in the source.
    #[serde(borrow)]
    pub position: Place<'a>,
}

/// A place in a source.
#[derive(Debug, Deserialize)]
pub struct Place<'a> {
    /// The stream.
    #[serde(borrow)]
    pub stream: Cow<'a, str>,
    /// Bytes from its beginning.
    pub offset: u64,
}

/// What a letter holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// A record, as it came to the pipeline.
    Record(&'a [u8]),
    /// Bytes that could not become a record.
    Raw(Vec<u8>),
}

/// A line that is no dead letter.
#[derive(Debug, thiserror::Error)]
pub enum Damaged {
    /// It is not JSON, or not that of a letter.
    #[error("not a dead letter (byte {})", .0.column())]
    Line(#[from] serde_json::Error),
    /// A record that should be base64 is not.
    #[error("its `record` is not base64: {0}")]
    Record(#[from] base64::DecodeError),
    /// A digest stands for the record.
    #[error("only its length and digest are kept (`undecodable: digest`)")]
    Digest,
    /// It begins with a blank, as a letter does that is taken out.
    #[error("taken out")]
    TakenOut,
}

/// Whether a line is what is left of a letter that was to be taken out when that was interrupted.
pub fn is_remainder(line: &[u8]) -> bool {
    let end = line.strip_suffix(b"}}}").map(<[u8]>::trim_ascii_end).unwrap_or_default();
    let digits = end.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    line.starts_with(b" ")
        && digits > 0
        && end.get(..end.len() - digits).is_some_and(|before| before.ends_with(b"\"offset\":"))
        && serde_json::from_slice::<IgnoredAny>(line).is_err()
}

impl<'a> Letter<'a> {
    /// Reads a line, without its line feed.
    pub fn parse(line: &'a [u8]) -> Result<Self, Damaged> {
        if line.starts_with(b" ") {
            return Err(Damaged::TakenOut);
        }
        Ok(serde_json::from_slice(line)?)
    }

    /// The `record` as it is written: JSON, or a string of base64.
    pub fn record_text(&self) -> &'a str {
        self.record.get()
    }

    /// What is to be run again. Only what could not be decoded is written in base64, whatever a record may look like.
    pub fn content(&self) -> Result<Content<'a>, Damaged> {
        if self.failure.cause != "decode" {
            return Ok(Content::Record(self.record_text().as_bytes()));
        }
        if self.record_text().starts_with('{') {
            return Err(Damaged::Digest);
        }
        let text: Cow<'_, str> = serde_json::from_str::<Borrowed<'_>>(self.record_text())?.0;
        Ok(Content::Raw(base64::engine::general_purpose::STANDARD.decode(text.as_bytes())?))
    }

    /// Whether only the beginning of the record was kept, because it was longer than `max_record`.
    pub fn is_cut(&self) -> bool {
        let length = self.failure.reason.strip_prefix("a record of ").and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok());
        match (length, self.content()) {
            (Some(length), Ok(Content::Raw(kept))) => kept.len() < length,
            _ => false,
        }
    }
}

#[derive(Deserialize)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{DeadLetter, Origin, Position};

    fn written(record: &[u8], cause: &str, reason: &str) -> Vec<u8> {
        let letter = DeadLetter {
            plugin: Some("p"),
            seen: br#"[{"field":"a","kind":"text","value":null}]"#,
            ..DeadLetter::without_step("main", reason, cause)
        };
        let mut out = Vec::new();
        letter.write(record, cause != "decode", &Origin { source: "in", position: Position { stream: "a\n", offset: 7 } }, &mut out);
        out.pop();
        out
    }

    #[test]
    fn what_is_written_is_read() {
        let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
        for record in [r#"{"a":1,"a":"\ud800","failure":{}}"#, "\"c3RyaW5n\"", "1e999", &deep] {
            let line = written(record.as_bytes(), "reject", "a \"reason\"\u{7}");
            let letter = Letter::parse(&line).unwrap();
            assert_eq!(letter.content().unwrap(), Content::Record(record.as_bytes()), "byte for byte");
            assert_eq!((&*letter.failure.reason, &*letter.origin.position.stream), ("a \"reason\"\u{7}", "a\n"));
            assert_eq!((letter.failure.plugin.as_deref(), letter.origin.position.offset, letter.is_cut()), (Some("p"), 7, false));
        }
        let line = written(b"\xff{\n", "decode", "not UTF-8");
        assert_eq!(Letter::parse(&line).unwrap().content().unwrap(), Content::Raw(b"\xff{\n".to_vec()));
    }

    #[test]
    fn a_digest_is_no_record() {
        let letter = DeadLetter::without_step("main", "r", "decode");
        let (mut line, origin) = (Vec::new(), Origin { source: "in", position: Position { stream: "a", offset: 7 } });
        letter.write(&crate::digest(b"abc"), true, &origin, &mut line);
        line.pop();
        let letter = Letter::parse(&line).unwrap();
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(letter.record_text(), format!("{{\"bytes\":3,\"sha256\":\"{sha256}\"}}"));
        assert!(matches!(letter.content(), Err(Damaged::Digest)) && !letter.is_cut());
    }

    #[test]
    fn the_beginning_of_a_record_is_not_the_record() {
        let reason = "a record of 10 bytes, at most 5 are accepted (`max_record`); the first 3 are kept here";
        assert!(Letter::parse(&written(b"abc", "decode", reason)).unwrap().is_cut());
        assert!(!Letter::parse(&written(b"0123456789", "decode", reason)).unwrap().is_cut());
        assert!(!Letter::parse(&written(b"1", "reject", reason)).unwrap().is_cut(), "a plugin may say so too");
    }

    #[test]
    fn what_an_interruption_left_is_known() {
        let whole = written(b"{}", "reject", "r");
        for blanks in 1..whole.len() - 20 {
            let line = [&vec![b' '; blanks][..], &whole[blanks..]].concat();
            assert!(is_remainder(&line) && matches!(Letter::parse(&line), Err(Damaged::TakenOut)), "{blanks}");
        }
        let spaced = [b" ", &whole[..]].concat();
        for line in [&whole[..], &spaced, b" {\"a\":1}", b" }}}", b" 1}}}", b"   ", b" text {a:{b:{c:1}}}", b""] {
            assert!(!is_remainder(line), "{:?}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn anything_else_is_damaged() {
        let whole = written(b"{}", "reject", "r");
        for cut in 0..whole.len() {
            assert!(Letter::parse(&whole[..cut]).is_err(), "{cut}");
        }
        for line in [&b"{}"[..], b"[]", b"null", b"{\"record\":1,\"failure\":null,\"origin\":null}", b"\xff"] {
            assert!(Letter::parse(line).is_err());
        }
        let line = String::from_utf8(written(b"x", "decode", "r")).unwrap();
        for record in ["\"*\"", "{}", "\"e\""] {
            let line = line.replace("\"eA==\"", record);
            assert!(Letter::parse(line.as_bytes()).unwrap().content().is_err(), "{line}");
        }
    }
}
