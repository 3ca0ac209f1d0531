//! `csv`: values between commas, or another character (RFC 4180), the columns named by the configuration. A line feed inside of
//! quotes is not possible, as a record is a line.

use super::ReadLine;
use super::cursor::{Cursor, Result};
use super::object::Object;
use super::value::Shape;
use tamis_config::CsvCodec;

pub(crate) struct Csv {
    columns: Vec<Box<[u8]>>,
    delimiter: u8,
    shape: Shape,
    text: Vec<u8>,
}

impl Csv {
    pub(crate) fn new(options: &CsvCodec) -> Self {
        Self {
            columns: options.columns.iter().map(|name| name.as_bytes().into()).collect(),
            delimiter: options.delimiter,
            shape: Shape::new(&options.text, &options.times, options.zone),
            text: Vec::new(),
        }
    }
}

impl ReadLine for Csv {
    fn read(&mut self, line: &[u8], object: &mut Object<'_>) -> Result<()> {
        let Self { columns, delimiter, shape, text } = self;
        let mut c = Cursor::new(line);
        for (i, name) in columns.iter().enumerate() {
            if i > 0 {
                c.need(&[*delimiter], "another delimiter and value: there are more columns")?;
            }
            let at = c.at;
            if c.eat(b"\"") {
                let value = quoted(&mut c, text)?;
                if !c.is_at_end() && c.peek() != Some(*delimiter) {
                    return c.bad("a delimiter behind the closing quote");
                }
                shape.write(object, name, value, at)?;
                continue;
            }
            let rest = c.rest();
            let length = memchr::memchr(*delimiter, rest).unwrap_or(rest.len());
            let value = rest.get(..length).unwrap_or_default();
            if let Some(quote) = memchr::memchr(b'"', value) {
                c.at += quote;
                return c.bad("no quote inside of a value without quotes");
            }
            c.at += length;
            match value {
                b"" => object.member(name).extend_from_slice(b"null"),
                _ => shape.write(object, name, value, at)?,
            }
        }
        if c.is_at_end() { Ok(()) } else { c.bad("the line's end: there are no more columns") }
    }
}

/// The value behind a quote. Two quotes in it are one.
fn quoted<'l: 't, 't>(c: &mut Cursor<'l>, text: &'t mut Vec<u8>) -> Result<&'t [u8]> {
    let from = c.at;
    let mut has_quotes = false;
    loop {
        let Some(found) = memchr::memchr(b'"', c.rest()) else {
            c.at = c.line.len();
            return c.bad("the closing quote");
        };
        c.at += found + 1;
        if !c.eat(b"\"") {
            break;
        }
        has_quotes = true;
    }
    let value = c.line.get(from..c.at - 1).unwrap_or_default();
    if !has_quotes {
        return Ok(value);
    }
    text.clear();
    let mut rest = value;
    while let Some(at) = memchr::memchr(b'"', rest) {
        text.extend_from_slice(rest.get(..=at).unwrap_or_default());
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    text.extend_from_slice(rest);
    Ok(text)
}
