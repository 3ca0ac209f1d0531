//! `syslog`: RFC 5424 (`<34>1 time host app procid msgid [data] message`) and RFC 3164 (`<34>Mar  3 11:42:07 host app[pid]:
//! message`), the latter also without priority and with an ISO 8601 time, as syslog daemons write files.

use super::ReadLine;
use super::cursor::{Bad, Cursor, Result};
use super::object::{FIELDS_MAX, Object, string, string_part};
use super::time::{LocalTime, Stamp};
use super::value::whole;
use tamis_config::SyslogCodec;

/// RFC 5424, section 6.2.1.
const LEVELS: [&[u8]; 8] = [b"emergency", b"alert", b"critical", b"error", b"warning", b"notice", b"informational", b"debug"];

pub(crate) struct Syslog {
    clock: LocalTime,
    year: Option<u16>,
    now: i64,
    /// Of a structured element: where each name and value stands.
    params: Vec<[usize; 4]>,
    ids: Vec<(usize, usize)>,
}

impl Syslog {
    pub(crate) fn new(options: &SyslogCodec) -> Self {
        Self { clock: LocalTime::new(options.zone), year: options.year, now: 0, params: Vec::new(), ids: Vec::new() }
    }

    fn rfc5424(&mut self, mut c: Cursor<'_>, object: &mut Object<'_>) -> Result<()> {
        let at = c.at;
        let time = c.until(b' ', "a blank behind the time")?;
        if time != b"-" {
            match Stamp::iso(time) {
                Some((stamp, length)) if length == time.len() => self.clock.write(&stamp, object.member(b"time")),
                _ => return Err(Bad::new(at, "a time such as `2025-03-03T11:42:07.381Z` or `-`")),
            }
        }
        for name in [b"host".as_slice(), b"app", b"procId", b"msgId"] {
            let at = c.at;
            match c.until(b' ', "a blank behind each of host, application, process and message id")? {
                b"" => return Err(Bad::new(at, "a value or `-`")),
                b"-" => {}
                value => object.text(name, value),
            }
        }
        if c.eat(b"-") {
        } else if c.peek() == Some(b'[') {
            self.data(&mut c, object.member(b"structuredData"))?;
        } else {
            return c.bad("`-` or `[` of structured data");
        }
        if !c.is_at_end() {
            c.need(b" ", "a blank before the message")?;
            // Marks the message as UTF-8, which it is.
            c.eat(b"\xEF\xBB\xBF");
            object.text(b"message", c.take_rest());
        }
        Ok(())
    }

    /// `[id name="value" …][…]` as an object of objects.
    fn data(&mut self, c: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<()> {
        self.ids.clear();
        out.push(b'{');
        while c.eat(b"[") {
            let from = c.at;
            let text = c.line;
            let length = c.rest().iter().take_while(|byte| !matches!(byte, b' ' | b'=' | b']' | b'"')).count();
            c.at += length;
            let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
            if length == 0 {
                return c.bad("the name of a structured element");
            }
            if self.ids.len() >= FIELDS_MAX || self.ids.iter().any(|(a, b)| part(*a, *b) == part(from, c.at)) {
                return Err(Bad::new(from, "at most 1,000 structured elements, each with a name of its own,"));
            }
            if !self.ids.is_empty() {
                out.push(b',');
            }
            self.ids.push((from, c.at));
            string(out, part(from, c.at));
            out.extend_from_slice(b":{");
            self.element(c)?;
            let Self { params, .. } = self;
            let name = |p: &[usize; 4]| part(p[0], p[1]);
            let mut is_first = true;
            for (i, param) in params.iter().enumerate() {
                if params.iter().take(i).any(|earlier| name(earlier) == name(param)) {
                    continue;
                }
                if !is_first {
                    out.push(b',');
                }
                is_first = false;
                string(out, name(param));
                out.push(b':');
                // A name may stand in an element several times: then its values are a list.
                let mut later = params.iter().skip(i + 1).filter(|later| name(later) == name(param)).peekable();
                let is_list = later.peek().is_some();
                out.extend_from_slice(if is_list { b"[" } else { b"" });
                unescaped(part(param[2], param[3]), out);
                for param in later {
                    out.push(b',');
                    unescaped(part(param[2], param[3]), out);
                }
                out.extend_from_slice(if is_list { b"]" } else { b"" });
            }
            out.push(b'}');
        }
        out.push(b'}');
        Ok(())
    }

    /// The parameters of an element and its bracket.
    fn element(&mut self, c: &mut Cursor<'_>) -> Result<()> {
        self.params.clear();
        loop {
            if c.eat(b"]") {
                return Ok(());
            }
            c.need(b" ", "a blank or `]` in structured data")?;
            c.blanks();
            if c.eat(b"]") {
                return Ok(());
            }
            let from = c.at;
            let length = c.rest().iter().take_while(|byte| !matches!(byte, b' ' | b'=' | b']' | b'"')).count();
            c.at += length;
            let end = c.at;
            if length == 0 || self.params.len() >= FIELDS_MAX {
                return c.bad("`name=\"value\"` in structured data, at most 1,000 of them,");
            }
            c.need(b"=\"", "`=\"` behind a name in structured data")?;
            let start = c.at;
            loop {
                let Some(found) = memchr::memchr2(b'"', b'\\', c.rest()) else {
                    return Err(Bad::new(c.line.len(), "the closing quote of a value in structured data"));
                };
                c.at += found;
                if c.peek() == Some(b'"') {
                    break;
                }
                c.at += 2;
            }
            self.params.push([from, end, start, c.at]);
            c.at += 1;
        }
    }

    fn rfc3164(&mut self, mut c: Cursor<'_>, object: &mut Object<'_>) -> Result<()> {
        let stamp = Stamp::syslog(c.rest(), self.year, self.now).or_else(|| Stamp::iso(c.rest()));
        let Some((stamp, length)) = stamp else { return c.bad("a time such as `Mar  3 11:42:07` or `2025-03-03T11:42:07+01:00`") };
        self.clock.write(&stamp, object.member(b"time"));
        c.at += length;
        c.need(b" ", "a blank behind the time")?;
        let at = c.at;
        let host = c.until(b' ', "a host and a blank")?;
        if host.is_empty() {
            return Err(Bad::new(at, "a host"));
        }
        object.text(b"host", host);
        tag(&mut c, object);
        object.text(b"message", c.take_rest());
        Ok(())
    }
}

/// Passes `app: ` or `app[pid]: ` if it stands here.
fn tag(c: &mut Cursor<'_>, object: &mut Object<'_>) {
    let rest = c.rest();
    let length = rest.iter().take(128).take_while(|byte| byte.is_ascii_graphic() && !matches!(byte, b'[' | b':')).count();
    let (app, mut at) = (rest.get(..length).unwrap_or_default(), length);
    let mut pid: &[u8] = b"";
    if rest.get(at) == Some(&b'[') {
        let inside = rest.get(at + 1..).unwrap_or_default();
        let length = inside.iter().take(32).take_while(|byte| byte.is_ascii_graphic() && **byte != b']').count();
        pid = inside.get(..length).unwrap_or_default();
        at += length + 1;
        if rest.get(at) != Some(&b']') {
            return;
        }
        at += 1;
    }
    if app.is_empty() || rest.get(at) != Some(&b':') {
        return;
    }
    object.text(b"app", app);
    object.text_if_any(b"procId", pid);
    c.at += at + 1;
    c.eat(b" ");
}

/// Appends a value of structured data as a JSON string: `\"`, `\\` and `\]` are its escapes.
fn unescaped(value: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = value;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        string_part(out, rest.get(..at).unwrap_or_default());
        let is_escape = matches!(rest.get(at + 1), Some(b'"' | b'\\' | b']'));
        // Any other backslash stands for itself.
        let (from, to) = if is_escape { (at + 1, at + 2) } else { (at, at + 1) };
        string_part(out, rest.get(from..to).unwrap_or_default());
        rest = rest.get(to..).unwrap_or_default();
    }
    string_part(out, rest);
    out.push(b'"');
}

impl ReadLine for Syslog {
    fn read(&mut self, line: &[u8], object: &mut Object<'_>) -> Result<()> {
        let mut c = Cursor::new(line);
        if !c.eat(b"<") {
            return self.rfc3164(c, object);
        }
        let priority = c.until(b'>', "`>` behind the priority")?;
        let (Some(priority @ 0..=191), 1..=3) = (whole(priority), priority.len()) else {
            return Err(Bad::new(1, "a priority from 0 to 191"));
        };
        object.integer(b"facility", priority / 8);
        object.integer(b"severity", priority % 8);
        object.text_if_any(b"level", LEVELS.get((priority % 8) as usize).copied().unwrap_or_default());
        if c.eat(b"1 ") {
            return self.rfc5424(c, object);
        }
        self.rfc3164(c, object)
    }

    fn begin(&mut self, now: i64) {
        self.now = now;
    }
}
