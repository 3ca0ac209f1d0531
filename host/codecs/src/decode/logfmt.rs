//! `logfmt`: `key=value key="a value"`, as Heroku's router and many Go programs write it (there is no standard; the grammar is
//! that of `github.com/kr/logfmt`, read strictly). In quotes, the escapes are those of JSON, and the value is a text.

use super::ReadLine;
use super::cursor::{Bad, Cursor, Result};
use super::json;
use super::object::Object;
use super::value::Shape;
use tamis_config::LogfmtCodec;

pub(crate) struct Logfmt {
    bare_keys: bool,
    shape: Shape,
    text: Vec<u8>,
    is_time: Vec<Box<[u8]>>,
}

impl Logfmt {
    pub(crate) fn new(options: &LogfmtCodec) -> Self {
        Self {
            bare_keys: options.bare_keys,
            shape: Shape::new(&options.text, &options.times, options.zone),
            text: Vec::new(),
            is_time: options.times.iter().map(|name| name.as_bytes().into()).collect(),
        }
    }
}

impl ReadLine for Logfmt {
    fn read(&mut self, line: &[u8], object: &mut Object<'_>) -> Result<()> {
        let mut c = Cursor::new(line.trim_ascii_end());
        let mut has_value = false;
        loop {
            while matches!(c.peek(), Some(b' ' | b'\t')) {
                c.at += 1;
            }
            if c.is_at_end() {
                break;
            }
            object.room(c.at)?;
            let at = c.at;
            let length = c.rest().iter().take_while(|byte| **byte > b' ' && !matches!(byte, b'=' | b'"')).count();
            let name = c.rest().get(..length).unwrap_or_default();
            c.at += length;
            if name.is_empty() {
                return c.bad("a key");
            }
            if !c.eat(b"=") {
                if !matches!(c.peek(), None | Some(b' ' | b'\t')) || !self.bare_keys {
                    return c.bad("`=` behind a key");
                }
                object.member(name).extend_from_slice(b"true");
                continue;
            }
            has_value = true;
            let start = c.at;
            if c.eat(b"\"") {
                let value = quoted(&mut c, start, &mut self.text)?;
                match self.is_time.iter().any(|known| **known == *name) {
                    true => self.shape.time(object, name, value, start)?,
                    false => object.text(name, value),
                }
                continue;
            }
            let length = c.rest().iter().take_while(|byte| !matches!(byte, b' ' | b'\t' | b'"')).count();
            let value = c.rest().get(..length).unwrap_or_default();
            c.at += length;
            if c.peek() == Some(b'"') {
                return c.bad("no quote inside of a value without quotes");
            }
            self.shape.write(object, name, value, at)?;
        }
        if has_value { Ok(()) } else { Err(Bad::new(0, "`key=value`")) }
    }
}

/// The value whose quote stands at `start`.
fn quoted<'l: 't, 't>(c: &mut Cursor<'l>, start: usize, text: &'t mut Vec<u8>) -> Result<&'t [u8]> {
    let rest = c.rest();
    let found = memchr::memchr2(b'"', b'\\', rest);
    let value = match found.map(|at| (at, rest.get(at))) {
        None => return Err(Bad::new(c.line.len(), "the closing quote")),
        Some((at, Some(b'"'))) => {
            c.at += at + 1;
            rest.get(..at).unwrap_or_default()
        }
        Some(_) => {
            c.at = json::value(c.line, start)?;
            json::unescape(c.line.get(start..c.at).unwrap_or_default(), text);
            text
        }
    };
    match c.peek() {
        None | Some(b' ' | b'\t') => Ok(value),
        Some(_) => c.bad("a blank behind the closing quote"),
    }
}
