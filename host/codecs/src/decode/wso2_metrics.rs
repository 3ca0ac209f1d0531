//! `wso2_metrics`: `apim_metrics.log` of WSO2 API Manager 4.x, `%d{HH:mm:ss,SSS} [%X{ip}-%X{host}] [%t] %5p %c{1} %m`, with
//! the message `apimMetrics: apim:response, properties :{JSON}` of the ELK reporter. All before `apimMetrics:` may be missing.
//!
//! The members of the JSON are the record's fields, as they stand: Gson's `\u003d` is an escape as good as any. The line's own
//! time has no date; `requestTimestamp` (UTC) is the event's.

use super::ReadLine;
use super::cursor::{Bad, Cursor, Result};
use super::json;
use super::object::Object;

pub(crate) struct Metrics;

const MARK: &[u8] = b"apimMetrics:";

impl ReadLine for Metrics {
    fn read(&mut self, line: &[u8], object: &mut Object<'_>) -> Result<()> {
        // In the prefix, nothing that a caller says can stand, so the first mark is the one.
        let Some(mark) = memchr::memmem::find(line, MARK) else {
            return Err(Bad::new(0, "`apimMetrics:` in the line"));
        };
        let mut c = Cursor { line, at: mark + MARK.len() };
        c.blanks();
        c.need(b"apim:", "`apim:` and the event's name")?;
        let at = c.at;
        let event = c.until(b',', "`, properties :` behind the event's name")?;
        if event.is_empty() || !event.iter().all(u8::is_ascii_alphanumeric) {
            return Err(Bad::new(at, "the event's name in letters and digits"));
        }
        c.blanks();
        c.need(b"properties", "`properties :` and a JSON object")?;
        c.blanks();
        c.need(b":", "`:` behind `properties`")?;
        c.blanks();
        object.text(b"event", event);
        prefix(line.get(..mark).unwrap_or_default(), object)?;
        object.seal();
        let end = json::members(line, c.at, |name, value, at| {
            object.room(at)?;
            object.raw(name, value);
            Ok(())
        })?;
        c.at = json::blanks(line, end);
        if c.is_at_end() { Ok(()) } else { c.bad("nothing behind the JSON object") }
    }
}

/// `12:04:17,220 [10.0.0.1-gw] [thread]  INFO ELKCounterMetric `, from its end as far as it is there.
fn prefix(prefix: &[u8], object: &mut Object<'_>) -> Result<()> {
    let mut c = Cursor::new(prefix);
    c.blanks();
    if c.is_at_end() {
        return Ok(());
    }
    if c.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        object.text(b"lineTime", c.word());
        c.blanks();
    }
    if c.eat(b"[") {
        // An address or a host may hold `-`; a thread has brackets of its own.
        let node = c.until(b']', "`]` behind address and host")?;
        if node != b"-" {
            object.text(b"node", node);
        }
        c.blanks();
        if c.eat(b"[") {
            object.text(b"thread", c.until(b']', "`]` behind the thread")?);
            c.blanks();
        }
    }
    let level = c.word();
    c.blanks();
    let logger = c.word();
    c.blanks();
    if level.is_empty() || !c.is_at_end() {
        return c.bad("level, logger and `apimMetrics:`");
    }
    object.text(b"level", level);
    object.text_if_any(b"logger", logger);
    Ok(())
}
