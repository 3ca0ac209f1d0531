//! The hand-written program: a chunk at a time, a line at a time, what changes is spliced into what came.

use std::fs::File;
use std::io::{Read, Write};

use anyhow::{Result, ensure};
use tamis_plugin_redact::json::record::Outcome;

use super::jobs::{Jobs, Redacted};
use super::scan::{self, Fields, Span};
use super::{Arguments, Summary};

/// How much is read at once, and how much is gathered before it is written.
const CHUNK_BYTES: usize = 1 << 20;
/// Longest line.
const LINE_BYTES_MAX: usize = 64 << 20;

/// Processes the whole input.
///
/// # Errors
/// A file cannot be read or written, a line is longer than 64 MiB, or the configuration is another sample's.
pub fn run(arguments: &Arguments) -> Result<Summary> {
    let mut jobs = Jobs::load(&arguments.config)?;
    let mut input = arguments.open()?;
    let (default, errors) = arguments.create()?;
    let mut outputs = Outputs { default: Output::new(default), errors: Output::new(errors) };
    let mut summary = Summary::default();
    let mut patches = Patches::default();
    let mut buffer = vec![0; 2 * CHUNK_BYTES];
    let mut filled = 0;
    loop {
        if filled == buffer.len() {
            ensure!(filled < LINE_BYTES_MAX, "a line is longer than {LINE_BYTES_MAX} bytes");
            buffer.resize(2 * filled, 0);
        }
        let count = input.read(buffer.get_mut(filled..).unwrap_or_default())?;
        if count == 0 {
            break;
        }
        filled += count;
        let chunk = buffer.get(..filled).unwrap_or_default();
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', chunk) {
            line(chunk.get(start..end).unwrap_or_default(), &mut jobs, &mut patches, &mut outputs, &mut summary)?;
            start = end + 1;
        }
        buffer.copy_within(start..filled, 0);
        filled -= start;
    }
    if filled > 0 {
        line(buffer.get(..filled).unwrap_or_default(), &mut jobs, &mut patches, &mut outputs, &mut summary)?;
    }
    outputs.default.flush()?;
    outputs.errors.flush()?;
    Ok(summary)
}

struct Outputs {
    default: Output,
    errors: Output,
}

/// A file and what is still to be written to it.
struct Output {
    file: File,
    pending: Vec<u8>,
}

impl Output {
    fn new(file: File) -> Self {
        Self { file, pending: Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 4) }
    }

    fn flush(&mut self) -> Result<()> {
        self.file.write_all(&self.pending)?;
        self.pending.clear();
        Ok(())
    }
}

/// The redacted values of one record.
#[derive(Default)]
struct Patches {
    path: Vec<u8>,
    message: Vec<u8>,
}

#[inline]
fn line(line: &[u8], jobs: &mut Jobs, patches: &mut Patches, outputs: &mut Outputs, summary: &mut Summary) -> Result<()> {
    summary.read += 1;
    let Some(fields) = scan::scan(line) else {
        summary.malformed += 1;
        return Ok(());
    };
    if jobs.drops(fields.method.of(line)) {
        summary.dropped += 1;
        return Ok(());
    }
    patches.path.clear();
    patches.message.clear();
    redact(jobs, Redacted::Path, fields.path.of(line), &mut patches.path)?;
    redact(jobs, Redacted::Message, fields.message.of(line), &mut patches.message)?;
    let tenant = fields.owner.of(line).and_then(|owner| tenant(jobs, owner)).unwrap_or_default();
    let class = jobs.classify(fields.error_code.of(line), fields.status.of(line));
    let (class, is_error) = class.map_or((&[][..], false), |(class, is_error)| (&class.json, *is_error));
    let output = if is_error { &mut outputs.errors } else { &mut outputs.default };
    splice(line, &fields, patches, tenant, class, &mut output.pending);
    output.pending.push(b'\n');
    if output.pending.len() >= CHUNK_BYTES {
        output.flush()?;
    }
    *(if is_error { &mut summary.errors } else { &mut summary.default }) += 1;
    Ok(())
}

#[inline]
fn redact(jobs: &mut Jobs, field: Redacted, value: Option<&[u8]>, out: &mut Vec<u8>) -> Result<()> {
    if let Some(value) = value {
        let outcome = jobs.redactor.json(field, value, out)?;
        ensure!(outcome != Outcome::Removed, "the program is not written for detectors that remove whole fields");
    }
    Ok(())
}

/// The tenant of an owner, as JSON text; the owner is one too.
#[inline]
fn tenant<'a>(jobs: &'a Jobs, owner: &[u8]) -> Option<&'a [u8]> {
    let text = owner.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let found = if text.contains(&b'\\') {
        jobs.owners.get(serde_json::from_slice::<String>(owner).ok()?.as_bytes())
    } else {
        jobs.owners.get(text)
    };
    found.map(|tenant| tenant.json.as_slice())
}

/// Appends the line with its changes. An empty value stands for no change.
fn splice(line: &[u8], fields: &Fields, patches: &Patches, tenant: &[u8], class: &[u8], out: &mut Vec<u8>) {
    let mut changes =
        [(fields.path, &*patches.path), (fields.message, &*patches.message), (fields.tenant, tenant), (fields.outcome, class)];
    changes.sort_unstable_by_key(|(span, _)| span.start);
    let mut copied = 0;
    for (span, value) in changes {
        if span != Span::default() && !value.is_empty() {
            out.extend_from_slice(line.get(copied..span.start).unwrap_or_default());
            out.extend_from_slice(value);
            copied = span.end;
        }
    }
    out.extend_from_slice(line.get(copied..fields.close).unwrap_or_default());
    let mut comma = !fields.empty;
    for (span, name, value) in [(fields.tenant, &b"\"tenant\":"[..], tenant), (fields.outcome, b"\"outcome\":", class)] {
        if span == Span::default() && !value.is_empty() {
            if comma {
                out.push(b',');
            }
            comma = true;
            out.extend_from_slice(name);
            out.extend_from_slice(value);
        }
    }
    out.extend_from_slice(line.get(fields.close..).unwrap_or_default());
}
