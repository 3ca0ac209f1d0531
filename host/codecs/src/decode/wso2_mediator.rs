//! `wso2_mediator`: what Synapse's log mediator writes, as API Manager's global sequences use it.
//!
//! `[layout] [{api:NAME:vVERSION} ][To: …, WSAction: …, SOAPAction: …, ReplyTo: …, MessageID: …, correlation_id: …,
//! Direction: …][, key = value]…[, Envelope: …|, Payload: …]` (`org.apache.synapse.mediators.builtin.LogMediator`); also the
//! pairs alone, and within a member of a JSON object. Nothing is escaped, so a line is cut where the separator is followed by
//! a key and ` = `: a separator inside of a value is a part of it. A value that itself holds `, word = ` cannot be told from
//! a pair unless the keys are configured.

use super::ReadLine;
use super::cursor::{Bad, Cursor, Result};
use super::header::{Header, without_logger};
use super::json;
use super::object::Object;
use super::value::Shape;
use std::sync::Arc;
use tamis_config::MediatorCodec;

/// Longest key that is taken for one, in bytes.
const KEY_BYTES_MAX: usize = 256;
/// What the mediator writes before the pairs, followed by `: `.
const HEADS: [&[u8]; 9] =
    [b"To", b"From", b"WSAction", b"SOAPAction", b"ReplyTo", b"FaultTo", b"MessageID", b"correlation_id", b"Direction"];
/// What the mediator writes behind the pairs: the rest of the line.
const TAILS: [&[u8]; 2] = [b"Envelope", b"Payload"];

pub(crate) struct Mediator {
    separator: Arc<[u8]>,
    /// The separator without blanks around, which no value ends with.
    bare: Box<[u8]>,
    /// Sorted; empty: anything that looks like a key.
    keys: Vec<Box<[u8]>>,
    /// The member of a JSON object that holds the text, in quotes.
    message: Vec<u8>,
    /// Whether a dot in a key means an object.
    nest: bool,
    shape: Shape,
    /// That member's text.
    text: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Head,
    Pair,
    Tail,
}

/// A key, and where its value begins.
#[derive(Clone, Copy)]
struct Key<'a> {
    name: &'a [u8],
    kind: Kind,
    value: usize,
}

impl Mediator {
    pub(crate) fn new(options: &MediatorCodec) -> Self {
        let mut keys: Vec<Box<[u8]>> = options.keys.iter().map(|key| key.as_bytes().into()).collect();
        keys.sort();
        let mut message = Vec::new();
        super::object::string(&mut message, options.message.as_bytes());
        Self {
            separator: options.separator.as_bytes().into(),
            bare: options.separator.as_bytes().trim_ascii().into(),
            keys,
            message,
            nest: options.nest,
            shape: Shape::new(&options.text, &options.times, options.zone),
            text: Vec::new(),
        }
    }

    fn wrapped(&mut self, line: &[u8], object: &mut Object<'_>) -> Result<()> {
        let mut text = None;
        let end = json::members(line, 0, |name, value, at| {
            object.room(at)?;
            if name == self.message {
                text = Some((value, at));
            } else {
                object.raw(name, value);
            }
            Ok(())
        })?;
        let end = json::blanks(line, end);
        if end < line.len() {
            return Err(Bad::new(end, "nothing behind the JSON object"));
        }
        let Some((quoted, at)) = text else { return Err(Bad::new(end, "a member with the mediator's text (`message`) in the object")) };
        if quoted.first() != Some(&b'"') {
            return Err(Bad::new(at, "a JSON string with the mediator's text"));
        }
        let mut text = std::mem::take(&mut self.text);
        json::unescape(quoted, &mut text);
        let done = self.text(&text, object).map_err(|bad| bad.within("the unescaped message"));
        self.text = text;
        done
    }

    fn text(&mut self, text: &[u8], object: &mut Object<'_>) -> Result<()> {
        let mut c = Cursor::new(text);
        if Header::begins(text) {
            let header = Header::read(text)?;
            header.write(&mut self.shape.clock, object);
            c.line = without_logger(text, header.logger);
            c.at = header.end;
        }
        if c.eat(b"{api:") {
            let inside = c.until(b'}', "`}` behind the API's name and version")?;
            let cut = memchr::memmem::rfind(inside, b":v");
            let (name, version) = cut.and_then(|at| Some((inside.get(..at)?, inside.get(at + 2..)?))).unwrap_or((inside, b""));
            object.text(b"apiName", name);
            object.text_if_any(b"apiVersion", version);
            object.seal();
        }
        c.blanks();
        // A separator before the first pair is left over from what would stand before it.
        if !self.bare.is_empty() && c.eat(&self.bare) {
            c.blanks();
        }
        if self.nest {
            object.nest();
        }
        self.pairs(c, object)
    }

    fn pairs(&mut self, c: Cursor<'_>, object: &mut Object<'_>) -> Result<()> {
        let text = c.line;
        let Some(mut key) = self.key(text, c.at, false) else {
            return c.bad(if self.keys.is_empty() { "a key and ` = `" } else { "one of the configured `keys` and ` = `" });
        };
        let separator = Arc::clone(&self.separator);
        let finder = memchr::memmem::Finder::new(&*separator);
        let mut from = key.value;
        let mut seen_pair = key.kind == Kind::Pair;
        loop {
            object.room(key.value)?;
            let found = match key.kind {
                Kind::Tail => None,
                _ => finder.find(text.get(from..).unwrap_or_default()).map(|at| from + at),
            };
            let next = match found {
                None => None,
                Some(at) => match self.key(text, at + self.separator.len(), seen_pair) {
                    Some(next) => Some((at, next)),
                    None => {
                        from = at + self.separator.len();
                        continue;
                    }
                },
            };
            let end = next.map_or(text.len(), |(at, _)| at);
            let value = text.get(key.value..end).unwrap_or_default();
            match key.kind {
                Kind::Pair => self.shape.write(object, key.name, cleaned(value, &self.bare), key.value)?,
                Kind::Head => object.text(key.name, cleaned(value, &self.bare)),
                Kind::Tail => object.text(key.name, value.trim_ascii()),
            }
            let Some((_, following)) = next else { return Ok(()) };
            seen_pair |= following.kind == Kind::Pair;
            key = following;
            from = key.value;
        }
    }

    /// The key at `at`, if one stands there.
    fn key<'a>(&self, text: &'a [u8], at: usize, seen_pair: bool) -> Option<Key<'a>> {
        let rest = text.get(at..)?;
        let near = rest.get(..KEY_BYTES_MAX + 2).unwrap_or(rest);
        let length = near.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')).count();
        let word = rest.get(..length)?;
        if rest.get(length) == Some(&b':') && matches!(rest.get(length + 1), Some(b' ') | None) {
            let kind = if TAILS.contains(&word) {
                Kind::Tail
            } else if !seen_pair && HEADS.contains(&word) {
                Kind::Head
            } else {
                return None;
            };
            return Some(Key { name: word, kind, value: text.len().min(at + length + 2) });
        }
        // A configured key may hold what one that is only plausible may not.
        let length = if self.keys.is_empty() { length } else { memchr::memmem::find(near, b" =")? };
        let name = rest.get(..length)?;
        let is_key = match self.keys.is_empty() {
            true => name.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_'),
            false => self.keys.binary_search_by(|key| (**key).cmp(name)).is_ok(),
        };
        let is_pair = rest.get(length..length + 2) == Some(b" =") && matches!(rest.get(length + 2), Some(b' ') | None);
        (is_key && is_pair).then_some(Key { name, kind: Kind::Pair, value: text.len().min(at + length + 3) })
    }
}

/// A value without blanks around and without what is left of separators behind it.
fn cleaned<'a>(value: &'a [u8], separator: &[u8]) -> &'a [u8] {
    let mut value = value.trim_ascii();
    while let Some(rest) = value.strip_suffix(separator).filter(|_| !separator.is_empty()) {
        value = rest.trim_ascii_end();
    }
    value
}

impl ReadLine for Mediator {
    fn read(&mut self, line: &[u8], object: &mut Object<'_>) -> Result<()> {
        if line.starts_with(b"{") && !line.starts_with(b"{api:") { self.wrapped(line, object) } else { self.text(line, object) }
    }
}
