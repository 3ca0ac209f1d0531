//! `wso2_api`: `api.log` of WSO2 API Manager 4.x, `[%d] %5p {%c} %X{apiName} - %m`, whose message is a JSON object.
//!
//! `headers`, a list of `Name=value`, becomes an object, so that a header can be redacted by its name; the values of one
//! that stands there several times are joined by `, `, as HTTP has it (RFC 9110, section 5.3). `payload`, a text, becomes the
//! JSON that it holds, if it does.

use super::ReadLine;
use super::cursor::{Bad, Result};
use super::header::Header;
use super::json;
use super::object::{FIELDS_MAX, Object, string, string_part};
use super::time::LocalTime;
use tamis_config::Zone;

pub(crate) struct Api {
    clock: LocalTime,
    /// A text, unescaped.
    text: Vec<u8>,
    /// All headers, unescaped, one behind the other, and for each where its name begins and ends and its value ends.
    headers: Vec<u8>,
    places: Vec<(usize, usize, usize)>,
}

impl Api {
    pub(crate) fn new(zone: Zone) -> Self {
        Self { clock: LocalTime::new(zone), text: Vec::new(), headers: Vec::new(), places: Vec::new() }
    }

    fn headers(&mut self, list: &[u8], at: usize, out: &mut Vec<u8>) -> Result<()> {
        self.headers.clear();
        self.places.clear();
        json::elements(list, |element| {
            if element.first() != Some(&b'"') || self.places.len() >= FIELDS_MAX {
                return Err(Bad::new(at, "at most 1,000 headers, each a JSON string,"));
            }
            json::unescape(element, &mut self.text);
            let Some(equals) = memchr::memchr(b'=', &self.text) else {
                return Err(Bad::new(at, "headers that are each `Name=value`"));
            };
            let start = self.headers.len();
            self.headers.extend_from_slice(&self.text);
            self.places.push((start, start + equals, self.headers.len()));
            Ok(())
        })
        .map_err(|bad| Bad { at, ..bad })?;
        let part = |from: usize, to: usize| self.headers.get(from..to).unwrap_or_default();
        let is_same = |a: &(usize, usize, usize), b: &(usize, usize, usize)| part(a.0, a.1).eq_ignore_ascii_case(part(b.0, b.1));
        out.push(b'{');
        let mut is_first = true;
        for (i, place) in self.places.iter().enumerate() {
            if self.places.iter().take(i).any(|earlier| is_same(earlier, place)) {
                continue;
            }
            if !is_first {
                out.push(b',');
            }
            is_first = false;
            string(out, part(place.0, place.1));
            out.extend_from_slice(b":\"");
            string_part(out, part(place.1 + 1, place.2));
            for later in self.places.iter().skip(i + 1).filter(|later| is_same(later, place)) {
                out.extend_from_slice(b", ");
                string_part(out, part(later.1 + 1, later.2));
            }
            out.push(b'"');
        }
        out.push(b'}');
        Ok(())
    }
}

impl ReadLine for Api {
    fn read(&mut self, line: &[u8], object: &mut Object<'_>) -> Result<()> {
        let header = Header::read(line)?;
        header.write(&mut self.clock, object);
        object.text_if_any(b"apiName", header.context);
        object.seal();
        let end = json::members(line, header.end, |name, value, at| {
            object.room(at)?;
            match (name, value.first()) {
                (b"\"headers\"", Some(b'[')) => self.headers(value, at, object.member(b"headers"))?,
                (b"\"payload\"", Some(b'"')) => {
                    json::unescape(value, &mut self.text);
                    json::nested(&self.text, object.member(b"payload"));
                }
                _ => object.raw(name, value),
            }
            Ok(())
        })?;
        let end = json::blanks(line, end);
        if end < line.len() { Err(Bad::new(end, "nothing behind the JSON object")) } else { Ok(()) }
    }
}
