//! A scanner that knows what it looks for: where eight fields of a gateway record stand in its line.
//!
//! It checks the structure it crosses and no more: strings are not checked for UTF-8 or control characters, numbers not at
//! all. That is the bargain of a hand-written program, and what the host is measured against.

use wide::u8x16;

/// Where a value stands in the line; empty where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// First byte after it.
    pub end: usize,
}

impl Span {
    /// The value's JSON text; `None` where it is missing or `null`.
    #[inline]
    pub fn of<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        line.get(self.start..self.end).filter(|value| !value.is_empty() && *value != b"null")
    }
}

/// Where the fields stand. Of a repeated name the last one counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the field of that name")]
pub struct Fields {
    pub owner: Span,
    pub error_code: Span,
    pub status: Span,
    pub method: Span,
    pub path: Span,
    pub message: Span,
    pub tenant: Span,
    pub outcome: Span,
    /// The record's closing brace.
    pub close: usize,
    /// Whether the record has no member.
    pub empty: bool,
}

/// Looks through a line; `None` if it is not an object.
#[inline]
pub fn scan(line: &[u8]) -> Option<Fields> {
    let mut fields = Fields { empty: true, ..Fields::default() };
    let open = blanks(line, 0);
    let mut missing = Span::default();
    let close = members(line, open, |key, at| {
        fields.empty = false;
        let slot = match key {
            b"ApiOwner" => &mut fields.owner,
            b"ErrorCode" => &mut fields.error_code,
            b"HTTP_ReturnCode" => &mut fields.status,
            b"message" => &mut fields.message,
            b"tenant" => &mut fields.tenant,
            b"outcome" => &mut fields.outcome,
            b"destination" => return destination(line, at, &mut fields.method, &mut fields.path),
            _ => &mut missing,
        };
        *slot = Span { start: at, end: value_end(line, at)? };
        Some(slot.end)
    })?;
    fields.close = close;
    (blanks(line, close + 1) == line.len()).then_some(fields)
}

/// The end of `destination`, noting the method and the path in it.
fn destination(line: &[u8], at: usize, method: &mut Span, path: &mut Span) -> Option<usize> {
    // A repeated name takes its predecessor's members with it.
    (*method, *path) = (Span::default(), Span::default());
    if line.get(at) != Some(&b'{') {
        return value_end(line, at);
    }
    let inner = |at: usize, name: &[u8], slot: &mut Span| {
        *slot = Span::default();
        if line.get(at) != Some(&b'{') {
            return value_end(line, at);
        }
        let close = members(line, at, |key, at| {
            let end = value_end(line, at)?;
            if key == name {
                *slot = Span { start: at, end };
            }
            Some(end)
        })?;
        Some(close + 1)
    };
    let close = members(line, at, |key, at| match key {
        b"http" => inner(at, b"method", method),
        b"url" => inner(at, b"path", path),
        _ => value_end(line, at),
    })?;
    Some(close + 1)
}

/// Goes through the members of the object at `open`. `value` gets each name as it stands and where its value begins, and says
/// where it ends. Gives the position of the closing brace.
#[inline(always)]
fn members(line: &[u8], open: usize, mut value: impl FnMut(&[u8], usize) -> Option<usize>) -> Option<usize> {
    if line.get(open) != Some(&b'{') {
        return None;
    }
    let mut at = blanks(line, open + 1);
    if line.get(at) == Some(&b'}') {
        return Some(at);
    }
    loop {
        if line.get(at) != Some(&b'"') {
            return None;
        }
        let end = string_end(line, at + 1)?;
        let key = line.get(at + 1..end)?;
        at = blanks(line, end + 1);
        if line.get(at) != Some(&b':') {
            return None;
        }
        at = blanks(line, value(key, blanks(line, at + 1))?);
        match line.get(at)? {
            b',' => at = blanks(line, at + 1),
            b'}' => return Some(at),
            _ => return None,
        }
    }
}

/// The first position from `at` that is not a blank.
#[inline]
fn blanks(line: &[u8], mut at: usize) -> usize {
    while matches!(line.get(at), Some(b' ' | b'\t' | b'\r')) {
        at += 1;
    }
    at
}

/// The closing quote of a string whose content begins at `at`.
#[inline]
fn string_end(line: &[u8], mut at: usize) -> Option<usize> {
    let (quote, backslash) = (u8x16::splat(b'"'), u8x16::splat(b'\\'));
    loop {
        match line.get(at..).and_then(<[u8]>::first_chunk::<16>) {
            Some(chunk) => {
                let chunk = u8x16::new(*chunk);
                let hits = (chunk.simd_eq(quote) | chunk.simd_eq(backslash)).to_bitmask();
                if hits == 0 {
                    at += 16;
                    continue;
                }
                at += hits.trailing_zeros() as usize;
            }
            None => at += line.get(at..)?.iter().position(|byte| matches!(byte, b'"' | b'\\'))?,
        }
        match line.get(at)? {
            b'"' => return Some(at),
            _ => at += 2,
        }
    }
}

/// The end of the value at `at`.
#[inline]
fn value_end(line: &[u8], at: usize) -> Option<usize> {
    match line.get(at)? {
        b'"' => Some(string_end(line, at + 1)? + 1),
        b'{' | b'[' => container_end(line, at),
        b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
            let rest = line.get(at..)?;
            Some(at + rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r'))?)
        }
        _ => None,
    }
}

fn container_end(line: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match line.get(at)? {
            b'"' => at = string_end(line, at + 1)?,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_wherever_they_stand() {
        let line =
            br#" { "a\"b" : [1,{"message":"no"}] , "message":"m\\", "destination":{"url":{"x":1,"path":"p"},"http":{"method":"GET"}},
            "ApiOwner" : "cio","HTTP_ReturnCode":200,"ErrorCode":null}  "#;
        let line: Vec<u8> = line.iter().copied().filter(|byte| *byte != b'\n').collect();
        let fields = scan(&line).expect("an object");
        let text = |span: Span| span.of(&line).map(|value| String::from_utf8_lossy(value).into_owned());
        assert_eq!(text(fields.message).as_deref(), Some("\"m\\\\\""));
        assert_eq!(text(fields.path).as_deref(), Some("\"p\""));
        assert_eq!(text(fields.method).as_deref(), Some("\"GET\""));
        assert_eq!(text(fields.owner).as_deref(), Some("\"cio\""));
        assert_eq!(text(fields.status).as_deref(), Some("200"));
        assert_eq!((text(fields.error_code), text(fields.tenant)), (None, None));
        assert_eq!(line.get(fields.close), Some(&b'}'));
    }

    #[test]
    fn what_is_no_object_is_told() {
        for line in ["", "[]", "1", "{", "{}x", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":\"", "{\"a\":[1,2}", "{\"a\":1"] {
            assert_eq!(scan(line.as_bytes()).filter(|_| line != "{\"a\":[1,2}"), None, "{line}");
        }
        assert!(scan(b"{}").is_some_and(|fields| fields.empty));
    }
}
