//! `wso2_audit`: `audit.log` of WSO2 API Manager, `TID: [%tenantId] [%d] %5p {%c} - %m%ex%n`, with one of three messages:
//! `'user@tenant [-1234]' logged in at […]`, a JSON object, or `Initiator : … | Action : … | Target : … | Data : … |
//! Result : …`.
//!
//! The member `info` of the JSON, and `Data`, are text that holds JSON as a rule; where it does, they become that JSON, so
//! that what stands in them can be redacted by name.

use super::ReadLine;
use super::cursor::{Bad, Cursor, Result};
use super::header::{Header, without_logger};
use super::json;
use super::object::Object;
use super::time::{LocalTime, Stamp};
use super::value::whole;
use tamis_config::Zone;

/// What stands before each part of the third message, and the part's field.
const PARTS: [(&[u8], &[u8]); 5] =
    [(b"Initiator", b"initiator"), (b"Action", b"action"), (b"Target", b"target"), (b"Data", b"data"), (b"Result", b"result")];

pub(crate) struct Audit {
    clock: LocalTime,
    /// A member's text.
    text: Vec<u8>,
}

impl Audit {
    pub(crate) fn new(zone: Zone) -> Self {
        Self { clock: LocalTime::new(zone), text: Vec::new() }
    }

    /// `'admin@carbon.super [-1234]' logged in at [2025-03-03 11:42:07,381+0100]`
    fn login(&mut self, mut c: Cursor<'_>, object: &mut Object<'_>) -> Result<()> {
        c.need(b"'", "`'` before the user")?;
        let at = c.at;
        let who = c.until(b'\'', "`'` behind the user")?;
        let (user, tenant) = match memchr::memmem::rfind(who, b" [") {
            Some(bracket) if who.ends_with(b"]") => {
                let id = who.get(bracket + 2..who.len() - 1).unwrap_or_default();
                let Some(id) = whole(id) else { return Err(Bad::new(at + bracket + 2, "the tenant's number")) };
                (who.get(..bracket).unwrap_or_default(), Some(id))
            }
            _ => (who, None),
        };
        object.text(b"initiator", user);
        if let Some(tenant) = tenant {
            object.integer(b"initiatorTenantId", tenant);
        }
        c.blanks();
        let at = c.at;
        let rest = c.take_rest().trim_ascii_end();
        let cut = memchr::memmem::rfind(rest, b" at [").filter(|_| rest.ends_with(b"]"));
        let action = cut.and_then(|cut| rest.get(..cut)).unwrap_or(rest);
        if action.is_empty() {
            return Err(Bad::new(at, "what the user did, such as `logged in at [time]`"));
        }
        object.text(b"action", action);
        if let Some(cut) = cut {
            let time = rest.get(cut + 5..rest.len() - 1).unwrap_or_default();
            match Stamp::any(time) {
                Some(stamp) => self.clock.write(&stamp, object.member(b"actionTime")),
                None => return Err(Bad::new(at + cut + 5, "a time such as `2025-03-03 11:42:07,381+0100`")),
            }
        }
        Ok(())
    }

    fn json(&mut self, c: Cursor<'_>, object: &mut Object<'_>) -> Result<()> {
        let end = json::members(c.line, c.at, |name, value, at| {
            object.room(at)?;
            if name == b"\"info\"" && value.first() == Some(&b'"') {
                json::unescape(value, &mut self.text);
                json::nested(&self.text, object.member(b"info"));
            } else {
                object.raw(name, value);
            }
            Ok(())
        })?;
        let end = json::blanks(c.line, end);
        if end < c.line.len() { Err(Bad::new(end, "nothing behind the JSON object")) } else { Ok(()) }
    }

    fn parts(&mut self, mut c: Cursor<'_>, object: &mut Object<'_>) -> Result<()> {
        let text = c.line;
        let Some((mut field, length)) = part(c.rest()) else {
            return c.bad("`'user' ...`, a JSON object or `Initiator : ...`");
        };
        c.at += length;
        let mut from = c.at;
        loop {
            // ` | ` may stand in a value; only one that a known name follows separates.
            let mut search = from;
            let next = loop {
                let Some(bar) = memchr::memchr(b'|', text.get(search..).unwrap_or_default()) else { break None };
                let bar = search + bar;
                let mut behind = Cursor { line: text, at: bar + 1 };
                behind.blanks();
                if let Some((next, length)) = part(behind.rest()) {
                    break Some((bar, next, behind.at + length));
                }
                search = bar + 1;
            };
            let end = next.map_or(text.len(), |(bar, _, _)| bar);
            let value = text.get(from..end).unwrap_or_default().trim_ascii();
            object.room(from)?;
            if field == b"data" {
                json::nested(value, object.member(field));
            } else {
                object.text(field, value);
            }
            let Some((_, name, start)) = next else { return Ok(()) };
            (field, from) = (name, start);
        }
    }
}

/// The field of the part that begins here, and the length of what stands before its value.
fn part(text: &[u8]) -> Option<(&'static [u8], usize)> {
    PARTS.iter().find_map(|(name, field)| {
        let rest = text.strip_prefix(*name)?;
        let blanks = rest.len() - rest.trim_ascii_start().len();
        (rest.get(blanks) == Some(&b':')).then_some((*field, name.len() + blanks + 1))
    })
}

impl ReadLine for Audit {
    fn read(&mut self, line: &[u8], object: &mut Object<'_>) -> Result<()> {
        let header = Header::read(line)?;
        header.write(&mut self.clock, object);
        let mut c = Cursor { line: without_logger(line.trim_ascii_end(), header.logger), at: header.end };
        c.at = c.at.min(c.line.len());
        match c.peek() {
            Some(b'\'') => self.login(c, object),
            Some(b'{') => self.json(c, object),
            _ => self.parts(c, object),
        }
    }
}
