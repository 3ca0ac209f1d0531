//! `wso2_carbon`: `wso2carbon.log` of WSO2 API Manager 2.6 and 4.x (layouts: [`header`](super::header)).
//!
//! A record may have several lines, joined before by line feeds: a message with more than one, and a stack trace as
//! `Throwable.printStackTrace` prints it, which begins on the message's own line (`%m%ex`) or on the next.

use super::ReadLine;
use super::cursor::Result;
use super::header::{Header, without_logger};
use super::object::Object;
use super::time::LocalTime;
use tamis_config::Zone;

pub(crate) struct Carbon {
    clock: LocalTime,
}

impl Carbon {
    pub(crate) fn new(zone: Zone) -> Self {
        Self { clock: LocalTime::new(zone) }
    }
}

impl ReadLine for Carbon {
    fn read(&mut self, line: &[u8], object: &mut Object<'_>) -> Result<()> {
        let header = Header::read(line)?;
        header.write(&mut self.clock, object);
        object.text_if_any(b"context", header.context);
        let body = line.get(header.end..).unwrap_or_default();
        let (message, trace) = match trace(body) {
            Some(at) => body.split_at_checked(at).unwrap_or((body, b"")),
            None => (body, b"".as_slice()),
        };
        let message = without_logger(message.trim_ascii_end(), header.logger);
        object.text(b"message", message);
        if !trace.is_empty() {
            let thrown = if trace.starts_with(b"\n") { line_at(trace, 1) } else { line_at(trace, 0) };
            let class = class(thrown);
            object.text_if_any(b"exception", class);
            if let Some(text) = thrown.get(class.len()..).and_then(|rest| rest.strip_prefix(b": ")) {
                object.text_if_any(b"exceptionMessage", text.trim_ascii_end());
            }
            object.text(b"stackTrace", trace.trim_ascii());
        }
        Ok(())
    }
}

/// Where a stack trace begins in a message: at the class of what was thrown, if its first frame (`\n\tat `) follows on the
/// next line, else at the first frame.
fn trace(body: &[u8]) -> Option<usize> {
    let frame = memchr::memmem::find(body, b"\n\tat ").or_else(|| memchr::memmem::find(body, b"\n    at "))?;
    let before = body.get(..frame)?;
    let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    let line = before.get(start..)?;
    if !class(line).is_empty() {
        // The line feed before it belongs to neither.
        return Some(start.saturating_sub(1));
    }
    // On the message's own line: the first word that is a class.
    let mut at = 0;
    while let Some(blank) = memchr::memchr(b' ', line.get(at..)?) {
        at += blank + 1;
        if !class(line.get(at..)?).is_empty() {
            return Some(start + at);
        }
    }
    Some(frame)
}

/// The qualified name of a Java class at the beginning of `text`, followed by `:` or nothing: `java.io.IOException`.
fn class(text: &[u8]) -> &[u8] {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$');
    let length = text.iter().take_while(|byte| is_part(byte)).count();
    let name = text.get(..length).unwrap_or_default();
    let is_class = matches!(text.get(length), None | Some(b':' | b'\n' | b'\r'))
        && name.first().is_some_and(u8::is_ascii_alphabetic)
        && memchr::memrchr(b'.', name).and_then(|dot| name.get(dot + 1)).is_some_and(u8::is_ascii_uppercase);
    if is_class { name } else { b"" }
}

fn line_at(text: &[u8], at: usize) -> &[u8] {
    let rest = text.get(at..).unwrap_or_default();
    memchr::memchr(b'\n', rest).and_then(|end| rest.get(..end)).unwrap_or(rest)
}
