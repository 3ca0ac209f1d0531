//! The plain loop: each line becomes a tree of `serde_json`, the four jobs work on the tree, the tree becomes text.

use std::io::{BufRead, BufReader, BufWriter, Write};

use anyhow::Result;
use serde_json::{Map, Value};
use tamis_plugin_redact::json::record::Outcome;

use super::jobs::{Jobs, Redacted};
use super::{Arguments, Summary};

/// Processes the whole input.
///
/// # Errors
/// A file cannot be read or written, or the configuration is another sample's.
pub fn run(arguments: &Arguments) -> Result<Summary> {
    let mut jobs = Jobs::load(&arguments.config)?;
    let mut input = BufReader::new(arguments.open()?);
    let (default, errors) = arguments.create()?;
    let (mut default, mut errors) = (BufWriter::new(default), BufWriter::new(errors));
    let mut summary = Summary::default();
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        summary.read += 1;
        match serde_json::from_slice::<Value>(&line) {
            Ok(Value::Object(mut record)) => match process(&mut jobs, &mut record)? {
                Way::Drop => summary.dropped += 1,
                Way::Default => {
                    summary.default += 1;
                    serde_json::to_writer(&mut default, &record)?;
                    default.write_all(b"\n")?;
                }
                Way::Errors => {
                    summary.errors += 1;
                    serde_json::to_writer(&mut errors, &record)?;
                    errors.write_all(b"\n")?;
                }
            },
            _ => summary.malformed += 1,
        }
        line.clear();
    }
    default.flush()?;
    errors.flush()?;
    Ok(summary)
}

/// Where a record goes.
enum Way {
    Default,
    Errors,
    Drop,
}

fn process(jobs: &mut Jobs, record: &mut Map<String, Value>) -> Result<Way> {
    let method = record.get("destination").and_then(|destination| destination.get("http")?.get("method"));
    if jobs.drops_text(method.and_then(Value::as_str)) {
        return Ok(Way::Drop);
    }
    let owner = record.get("ApiOwner").and_then(Value::as_str);
    if let Some(tenant) = owner.and_then(|owner| jobs.owners.get(owner.as_bytes())) {
        record.insert("tenant".to_owned(), Value::from(tenant.text.as_str()));
    }
    if let Some(Value::Object(url)) = record.get_mut("destination").and_then(|destination| destination.get_mut("url")) {
        redact(jobs, Redacted::Path, url, "path")?;
    }
    redact(jobs, Redacted::Message, record, "message")?;
    let text = |name: &str| record.get(name).map(Value::to_string);
    let (error_code, status) = (text("ErrorCode"), text("HTTP_ReturnCode"));
    let class = jobs.classify(error_code.as_deref().map(str::as_bytes), status.as_deref().map(str::as_bytes));
    let Some((class, is_error)) = class else {
        return Ok(Way::Default);
    };
    record.insert("outcome".to_owned(), Value::from(class.text.as_str()));
    Ok(if *is_error { Way::Errors } else { Way::Default })
}

fn redact(jobs: &mut Jobs, field: Redacted, parent: &mut Map<String, Value>, name: &str) -> Result<()> {
    let outcome = match parent.get_mut(name) {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::String(text)) => {
            if let Some(redacted) = jobs.redactor.text(field, text) {
                *text = redacted;
            }
            return Ok(());
        }
        Some(other) => {
            let mut out = Vec::new();
            let outcome = jobs.redactor.json(field, &serde_json::to_vec(other)?, &mut out)?;
            if outcome == Outcome::Redacted {
                *other = serde_json::from_slice(&out)?;
            }
            outcome
        }
    };
    if outcome == Outcome::Removed {
        parent.remove(name);
    }
    Ok(())
}
