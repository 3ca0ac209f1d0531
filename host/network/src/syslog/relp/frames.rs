//! Frames of RELP: a number, a command, the length of its data, and the data, with blanks between them and a line feed behind.

use std::ops::Range;

/// Digits of a number or a length, at most.
const DIGITS_MAX: usize = 9;
/// Letters of a command, at most.
const COMMAND_MAX: usize = 32;
/// The last number; the one after it is 1.
const NUMBER_MAX: u32 = 999_999_999;

/// What stands at the beginning of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// A frame, and how many bytes are used with it.
    Frame { number: u32, command: Range<usize>, data: Range<usize>, used: usize },
    /// The header of a frame whose data is too long; `length` bytes of data and a line feed follow.
    TooLong { number: u32, command: Range<usize>, length: usize, used: usize },
    /// More is needed: so many bytes in all, at least.
    More(usize),
}

/// Why a connection cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Bad {
    #[error("a frame begins with a number of at most nine digits and a blank, this one does not; does the sender speak RELP?")]
    Number,
    #[error("a frame's command has up to 32 letters, and a blank behind")]
    Command,
    #[error("the length of a frame's data has at most nine digits, and a blank or a line feed behind")]
    Length,
    #[error("there is no line feed behind a frame's data")]
    End,
    #[error("frame {found} came where {expected} was due")]
    Order { found: u32, expected: u32 },
    #[error("a session begins with the command `open`, and goes on after its answer")]
    NotOpen,
    #[error("a command other than `syslog` has {0} bytes of data, more than `max_record`")]
    TooLarge(usize),
}

/// The number that follows.
pub(super) fn following(number: u32) -> u32 {
    if number >= NUMBER_MAX { 1 } else { number + 1 }
}

/// Looks at what has come and was not used. `max`: bytes of data, at most.
pub(super) fn next(bytes: &[u8], max: usize) -> Result<Next, Bad> {
    let more = Ok(Next::More(bytes.len() + 1));
    let Some(number) = field(bytes, 0, DIGITS_MAX, u8::is_ascii_digit).map_err(|()| Bad::Number)? else { return more };
    let Some(command) = field(bytes, number.end + 1, COMMAND_MAX, u8::is_ascii_alphabetic).map_err(|()| Bad::Command)? else { return more };
    if bytes.get(number.end) != Some(&b' ') {
        return Err(Bad::Number);
    }
    if bytes.get(command.end) != Some(&b' ') {
        return Err(Bad::Command);
    }
    let Some(length) = field(bytes, command.end + 1, DIGITS_MAX, u8::is_ascii_digit).map_err(|()| Bad::Length)? else { return more };
    let (number, behind) = (value(bytes, number), length.end);
    let length = value(bytes, length) as usize;
    let from = match (bytes.get(behind), length) {
        (Some(b'\n'), 0) => return Ok(Next::Frame { number, command, data: behind..behind, used: behind + 1 }),
        (Some(b' '), _) => behind + 1,
        _ => return Err(Bad::Length),
    };
    if length > max {
        return Ok(Next::TooLong { number, command, length, used: from });
    }
    match bytes.get(from + length) {
        Some(b'\n') => Ok(Next::Frame { number, command, data: from..from + length, used: from + length + 1 }),
        Some(_) => Err(Bad::End),
        None => Ok(Next::More(from + length + 1)),
    }
}

/// A field from there on, with something behind it. `None`: its end has not come.
fn field(bytes: &[u8], from: usize, max: usize, belongs: impl Fn(&u8) -> bool) -> Result<Option<Range<usize>>, ()> {
    let rest = bytes.get(from..).unwrap_or_default();
    let length = rest.iter().take(max + 1).take_while(|byte| belongs(byte)).count();
    match rest.get(length) {
        _ if length > max => Err(()),
        None => Ok(None),
        Some(_) if length == 0 => Err(()),
        Some(_) => Ok(Some(from..from + length)),
    }
}

/// Of at most nine digits.
fn value(bytes: &[u8], digits: Range<usize>) -> u32 {
    bytes.get(digits).unwrap_or_default().iter().fold(0, |value: u32, digit| value * 10 + u32::from(digit - b'0'))
}

/// Appends the answer to the frame with this number.
pub(super) fn answer(out: &mut Vec<u8>, number: u32, text: &str) {
    out.extend_from_slice(format!("{number} rsp {} {text}\n", text.len()).as_bytes());
}

/// What a server may say before it closes a connection.
pub(super) const CLOSING: &[u8] = b"0 serverclose 0\n";

/// The answer to what a client offers in its `open`, and whether the session is open then.
pub(super) fn accept(offers: &[u8]) -> (String, bool) {
    let (mut version, mut has_syslog) = (None, false);
    for offer in offers.split(|byte| *byte == b'\n') {
        let mut parts = offer.splitn(2, |byte| *byte == b'=');
        let (name, values) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        match name {
            b"relp_version" => version = std::str::from_utf8(values).ok().and_then(|value| value.trim().parse::<u32>().ok()),
            b"commands" => has_syslog = values.split(|byte| *byte == b',').any(|command| command.trim_ascii() == b"syslog"),
            _ => {}
        }
    }
    match (version, has_syslog) {
        (None, _) => ("500 no relp_version is offered".to_owned(), false),
        (_, false) => ("500 the command syslog is not offered".to_owned(), false),
        (Some(version), true) => {
            let (version, software) = (version.min(1), env!("CARGO_PKG_VERSION"));
            (format!("200 OK\nrelp_version={version}\nrelp_software=tamis,{software}\ncommands=syslog\n"), true)
        }
    }
}

#[cfg(test)]
mod tests;
