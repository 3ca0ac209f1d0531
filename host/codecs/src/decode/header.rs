//! What log4j writes before the message in WSO2's files.
//!
//! Layouts (from the `log4j2.properties` of API Manager 4.x and the `log4j.properties` of 2.6):
//! - `TID: [%tenantId] [%appName] [%d] %5p {%c} - %m%ex%n`; `audit.log` has no application,
//! - `[%d] %5p {%c} %X{apiName} - %m` in `api.log`,
//! - `[%d]  %5p - %c{1} %m` in 2.6, perhaps with ` [node]` behind the time.

use super::cursor::{Bad, Cursor, Result};
use super::object::Object;
use super::time::{LocalTime, Stamp};
use super::value::whole;

/// The parts before a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header<'a> {
    tenant: Option<i64>,
    app: &'a [u8],
    time: Stamp<'a>,
    level: &'a [u8],
    pub(crate) logger: &'a [u8],
    /// What stands between logger and `-`: the API's name in `api.log`.
    pub(crate) context: &'a [u8],
    /// Where the message begins, in bytes.
    pub(crate) end: usize,
}

impl<'a> Header<'a> {
    /// Whether a line may begin with a header.
    pub(crate) fn begins(line: &[u8]) -> bool {
        line.starts_with(b"TID:") || (line.starts_with(b"[") && line.get(1).is_some_and(u8::is_ascii_digit))
    }

    pub(crate) fn read(line: &'a [u8]) -> Result<Self> {
        // A message may have more lines, a header has one.
        let first = memchr::memchr(b'\n', line).and_then(|end| line.get(..end)).unwrap_or(line);
        let mut c = Cursor::new(first);
        let (mut tenant, mut app) = (None, b"".as_slice());
        if c.eat(b"TID:") {
            c.blanks();
            let at = c.at + 1;
            let id = bracketed(&mut c, "`[tenant]` behind `TID:`")?;
            tenant = Some(whole(id).ok_or(Bad::new(at, "a whole number as tenant"))?);
            c.blanks();
            // The application's brackets are those that hold no time.
            if Stamp::iso(c.rest().get(1..).unwrap_or_default()).is_none() {
                app = bracketed(&mut c, "`[application]` or `[time]` behind the tenant")?;
                c.blanks();
            }
        }
        let at = c.at;
        c.need(b"[", "`[time]`")?;
        let time = match Stamp::iso(c.rest()) {
            Some((time, length)) if c.rest().get(length) == Some(&b']') => {
                c.at += length + 1;
                time
            }
            _ => return Err(Bad::new(at + 1, "a time such as `2025-03-03 11:42:07,381` and `]`")),
        };
        c.blanks();
        if c.peek() == Some(b'[') {
            app = bracketed(&mut c, "`[node]` behind the time")?;
            c.blanks();
        }
        let level = c.word();
        if !matches!(level, b"TRACE" | b"DEBUG" | b"INFO" | b"WARN" | b"ERROR" | b"FATAL" | b"OFF" | b"ALL") {
            return Err(Bad::new(c.at - level.len(), "a level such as INFO or ERROR"));
        }
        c.blanks();
        let (logger, context);
        if c.eat(b"{") {
            logger = c.until(b'}', "`}` behind the logger")?;
            c.blanks();
            let rest = c.rest();
            // Nothing may stand between in most files.
            let dash = if rest.starts_with(b"-") { Some(0) } else { memchr::memmem::find(rest, b" - ").map(|at| at + 1) };
            let dash = dash.or_else(|| rest.strip_suffix(b" -").map(|before| before.len() + 1));
            let Some(dash) = dash else { return c.bad("` - ` behind the logger") };
            context = rest.get(..dash).unwrap_or_default().trim_ascii_end();
            c.at += dash + 1;
        } else {
            c.need(b"- ", "`{logger} - ` or `- logger `")?;
            logger = c.word();
            context = b"";
            if logger.is_empty() {
                return c.bad("a logger");
            }
        }
        c.blanks();
        Ok(Self { tenant, app, time, level, logger, context, end: c.at })
    }

    /// Writes `time`, `level`, `logger`, `tenantId` and `appName`, as far as they are there. Nothing
    /// in the message can override them.
    pub(crate) fn write(&self, clock: &mut LocalTime, object: &mut Object<'_>) {
        clock.write(&self.time, object.member(b"time"));
        object.text(b"level", self.level);
        object.text(b"logger", self.logger);
        if let Some(tenant) = self.tenant {
            object.integer(b"tenantId", tenant);
        }
        object.text_if_any(b"appName", self.app);
        object.seal();
    }
}

/// A message without the `{logger}` that layout 2.6 repeats behind it.
pub(crate) fn without_logger<'a>(message: &'a [u8], logger: &[u8]) -> &'a [u8] {
    let rest = message.strip_suffix(b"}").and_then(|m| m.strip_suffix(logger)).and_then(|m| m.strip_suffix(b"{"));
    match rest {
        Some(rest) if !logger.is_empty() => rest.trim_ascii_end(),
        _ => message,
    }
}

fn bracketed<'a>(c: &mut Cursor<'a>, expected: &'static str) -> Result<&'a [u8]> {
    c.need(b"[", expected)?;
    c.until(b']', expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts() {
        for (line, logger, app, message) in [
            ("TID: [1] [am] [2025-03-03 11:42:07,381]  INFO {org.x.Y} - hello", "org.x.Y", "am", "hello"),
            ("TID: [-1234] [] [2025-03-03 11:42:07,381] ERROR {org.x.Y} - ", "org.x.Y", "", ""),
            ("TID: [-1234] [2025-03-03 11:42:07,381]  INFO {AUDIT_LOG} - a - b", "AUDIT_LOG", "", "a - b"),
            ("[2025-03-03 11:42:07,381]  WARN - Y hello - there", "Y", "", "hello - there"),
            ("[2025-03-03 11:42:07,381] [EI-Core]  WARN - Y hello", "Y", "EI-Core", "hello"),
            ("[2025-03-03 11:42:07,381] DEBUG {org.x.Y}  - hello", "org.x.Y", "", "hello"),
        ] {
            let header = Header::read(line.as_bytes()).unwrap();
            assert_eq!((header.logger, header.app), (logger.as_bytes(), app.as_bytes()), "{line}");
            assert_eq!(line.get(header.end..), Some(message), "{line}");
        }
        let api = Header::read(b"[2025-03-03 11:42:07,381]  INFO {API_LOG} Shop - {}").unwrap();
        assert_eq!(api.context, b"Shop");
    }

    #[test]
    fn errors_say_where() {
        for (line, at) in [
            ("TID: x", 5),
            ("TID: [x] [] [2025-03-03 11:42:07,381]  INFO {a} - b", 6),
            ("TID: [1] [] [2025-13-03 11:42:07,381]  INFO {a} - b", 13),
            ("TID: [1] [] [2025-03-03 11:42:07,381]  NEWS {a} - b", 39),
            ("TID: [1] [] [2025-03-03 11:42:07,381]  INFO {a", 46),
            ("TID: [1] [] [2025-03-03 11:42:07,381]  INFO {a} b", 48),
            ("TID: [1] [] [2025-03-03 11:42:07,381]  INFO hello", 44),
            ("TID: [1] []", 11),
        ] {
            assert_eq!(Header::read(line.as_bytes()).map(|_| ()).map_err(|bad| bad.at), Err(at), "{line}");
        }
    }
}
