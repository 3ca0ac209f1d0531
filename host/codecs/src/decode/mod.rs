//! From framed bytes to JSON records. `docs/reference/codecs.md` says what each codec reads and what it gives.
//!
//! A codec is a [`ReadLine`] in a file of its own and a line in [`reader`].

mod access;
mod csv;
mod cursor;
mod grok;
mod header;
mod json;
mod logfmt;
mod object;
mod regex;
mod syslog;
mod text;
mod time;
mod value;
mod wso2_api;
mod wso2_audit;
mod wso2_carbon;
mod wso2_correlation;
mod wso2_mediator;
mod wso2_metrics;

use crate::frame::{Frame, Rejected};
use cursor::{Bad, Result};
use object::{Members, Object};
use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};
use tamis_config::Codec;
use tamis_record::{BATCH_BYTES_MAX, Records};

/// Reads the lines of one format.
trait ReadLine: Send {
    /// Writes a line's fields into `object`. What was written before an `Err` is taken back.
    fn read(&mut self, line: &[u8], object: &mut Object<'_>) -> Result<()>;

    /// Tells the time before the lines of a frame, in seconds since 1970.
    fn begin(&mut self, _now: i64) {}
}

/// A codec at work.
struct Reader {
    name: &'static str,
    keep_raw: Option<Box<[u8]>>,
    read: Box<dyn ReadLine>,
}

/// Decodes the frames of a source: built once from its configuration, it keeps the memory that every record needs again.
///
/// A line becomes one record or is rejected with what was expected and where, in bytes from 0; the reason holds nothing of the
/// line. Lines that are not UTF-8 are rejected by every codec (`json` leaves that to the batch).
pub struct Decoder {
    /// Empty: lines are records already.
    readers: Vec<Reader>,
    /// Whether the field `codec` names the reader.
    names_codec: bool,
    members: Members,
    /// Why each of several readers did not read a line.
    reasons: Vec<(&'static str, Bad)>,
    /// Memory for the next frame's text.
    spare: Vec<u8>,
    now: fn() -> i64,
}

impl Decoder {
    /// Makes a decoder.
    pub fn new(codec: &Codec) -> Self {
        let readers = match codec {
            Codec::Json => Vec::new(),
            Codec::Auto(auto) => auto.codecs.iter().filter_map(reader).collect(),
            one => reader(one).into_iter().collect(),
        };
        let names_codec = matches!(codec, Codec::Auto(_));
        Self { readers, names_codec, members: Members::default(), reasons: Vec::new(), spare: Vec::new(), now: system_time }
    }

    /// The same with a clock of one's own, which gives seconds since 1970. Only syslog times without a year ask for it.
    pub fn with_clock(self, now: fn() -> i64) -> Self {
        Self { now, ..self }
    }

    /// Decodes a frame. Its records, and what it rejects, are those of its lines, in their order.
    pub fn decode(&mut self, frame: Frame) -> Frame {
        if self.readers.is_empty() {
            return frame;
        }
        let now = (self.now)();
        self.readers.iter_mut().for_each(|reader| reader.read.begin(now));
        let Frame { records, base, offsets, mut rejected, bytes } = frame;
        let input = Frame { records, base, offsets, ..Frame::default() };
        let count = input.records.rows.len();
        let mut out = std::mem::take(&mut self.spare);
        out.clear();
        let mut rows = Vec::with_capacity(count);
        let mut places = Vec::with_capacity(count);
        // One look at all of it: it is rare that a line is not UTF-8.
        let is_utf8 = simdutf8::basic::from_utf8(&input.records.text).is_ok();
        for row in 0..count {
            let line = input.records.get(row);
            let from = out.len();
            let done = match if is_utf8 { None } else { simdutf8::compat::from_utf8(line).err() } {
                Some(error) => Err(format!("not UTF-8 at byte {}", error.valid_up_to())),
                None => self.line(line, &mut out),
            };
            match done {
                Ok(()) if out.len() <= BATCH_BYTES_MAX => {
                    rows.push((from as u32, out.len() as u32));
                    places.push(input.offset(row));
                    out.push(b'\n');
                }
                Ok(()) => {
                    let reason =
                        format!("as JSON, the records of a batch would take {} bytes, at most {BATCH_BYTES_MAX} are possible", out.len());
                    out.truncate(from);
                    rejected.push(Rejected { bytes: line.to_vec(), offset: input.offset(row), reason });
                }
                Err(reason) => {
                    out.truncate(from);
                    rejected.push(Rejected { bytes: line.to_vec(), offset: input.offset(row), reason });
                }
            }
        }
        self.spare = input.records.text;
        Frame { records: Records { text: out, rows }, base, offsets: Some(places), rejected, bytes }
    }

    /// Gives back memory that is kept for the next frame, but for so many bytes. For those who have many decoders, most of which wait.
    pub fn keep_at_most(&mut self, bytes: usize) {
        self.spare.clear();
        self.spare.shrink_to(bytes);
        self.members.keep_at_most(bytes);
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) -> std::result::Result<(), String> {
        let Self { readers, names_codec, members, reasons, .. } = self;
        let mut object = Object::new(out, members);
        reasons.clear();
        for Reader { name, keep_raw, read } in readers {
            let done = read.read(line, &mut object).and_then(|()| object.room(line.len())).and_then(|()| {
                if let Some(field) = keep_raw {
                    object.text(field, line);
                }
                if *names_codec {
                    object.text(b"codec", name.as_bytes());
                }
                object.finish()
            });
            match done {
                Ok(()) => return Ok(()),
                Err(bad) => {
                    object.reset();
                    reasons.push((*name, bad));
                }
            }
        }
        match reasons.as_slice() {
            [(_, bad)] if !*names_codec => Err(bad.to_string()),
            all => {
                let mut text = "no codec of the list reads it".to_owned();
                for (i, (name, bad)) in all.iter().enumerate() {
                    let _ = write!(text, "{}{name}: {bad}", if i == 0 { ": " } else { "; " });
                }
                Err(text)
            }
        }
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.readers.iter().map(|reader| reader.name).collect();
        f.debug_struct("Decoder").field("readers", &names).finish_non_exhaustive()
    }
}

/// The reader of a codec. Every codec stands here.
fn reader(codec: &Codec) -> Option<Reader> {
    let read: Box<dyn ReadLine> = match codec {
        Codec::Json => Box::new(JsonLine),
        Codec::Text => Box::new(text::Text),
        Codec::Wso2Metrics(_) => Box::new(wso2_metrics::Metrics),
        Codec::Wso2Mediator(options) => Box::new(wso2_mediator::Mediator::new(options)),
        Codec::Wso2Carbon(options) => Box::new(wso2_carbon::Carbon::new(options.zone)),
        Codec::Wso2Correlation(options) => Box::new(wso2_correlation::Correlation::new(options.zone)),
        Codec::Wso2Audit(options) => Box::new(wso2_audit::Audit::new(options.zone)),
        Codec::Wso2Api(options) => Box::new(wso2_api::Api::new(options.zone)),
        Codec::Access(options) => Box::new(access::Access::new(options)),
        Codec::Syslog(options) => Box::new(syslog::Syslog::new(options)),
        Codec::Logfmt(options) => Box::new(logfmt::Logfmt::new(options)),
        Codec::Csv(options) => Box::new(csv::Csv::new(options)),
        Codec::Regex(options) => Box::new(regex::Regex::new(options)),
        Codec::Grok(options) => Box::new(grok::Grok::new(options)),
        // The configuration does not allow one within another.
        Codec::Auto(_) => return None,
    };
    let keep_raw = codec.keep_raw().map(|field| field.as_bytes().into());
    Some(Reader { name: codec.type_name(), keep_raw, read })
}

/// `json` among the codecs of `auto`.
struct JsonLine;

impl ReadLine for JsonLine {
    fn read(&mut self, line: &[u8], object: &mut Object<'_>) -> Result<()> {
        let at = json::blanks(line, 0);
        let end = json::members(line, at, |name, value, at| {
            object.room(at)?;
            object.raw(name, value);
            Ok(())
        })?;
        let end = json::blanks(line, end);
        if end < line.len() { Err(Bad::new(end, "nothing behind the JSON object")) } else { Ok(()) }
    }
}

fn system_time() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_a_large_frame_is_given_back() {
        let mut decoder = Decoder::new(&Codec::Text);
        let text = vec![b'x'; 1 << 20];
        let records = Records { rows: vec![(0, text.len() as u32)], text };
        let decoded = decoder.decode(Frame { records, ..Frame::default() });
        assert!(decoded.records.rows.len() == 1 && decoder.spare.capacity() >= 1 << 20);
        decoder.keep_at_most(1_000);
        assert!(decoder.spare.capacity() <= 1_000);
    }
}
