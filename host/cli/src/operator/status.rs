//! `tamis status`.

use super::view::{Reading, Readings, Sink, Status, age, bytes, nanoseconds, short};
use super::{Failure, read, wait};
use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::screen;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use serde_json::Value;
use std::io::Write;
use std::time::{Duration, Instant};
use tamis_admin::client::Client;
use tamis_config::escaped;

/// Time between the two readings of which rates are made.
const BETWEEN: Duration = Duration::from_secs(1);

pub(super) fn run(arguments: &Arguments, client: &Client) -> anyhow::Result<Exit> {
    let (mut readings, _) = reading(client).map(|(now, told)| (Readings::new(now), told))?;
    std::thread::sleep(BETWEEN);
    let (now, mut told) = reading(client)?;
    readings.push(now);
    let mut out = std::io::stdout();
    if arguments.output == Output::Json {
        let rates = |names: Vec<&String>, rate: &dyn Fn(&str) -> Value| -> Value {
            names.into_iter().map(|name| (name.clone(), rate(name))).collect::<serde_json::Map<_, _>>().into()
        };
        let status = readings.status();
        let rates = serde_json::json!({
            "sources": rates(status.sources.iter().map(|s| &s.name).collect(), &|name| readings.source_rate(name, |s| s.records).into()),
            "pipelines": rates(status.pipelines.iter().map(|p| &p.name).collect(), &|name| serde_json::json!({ "in": readings.rate_in(name), "out": readings.rate_out(name) })),
            "sinks": rates(status.sinks.iter().map(|s| &s.name).collect(), &|name| readings.sink_rate(name).into()),
        });
        if let Some(told) = told.as_object_mut() {
            told.insert("records_per_second".into(), rates);
        }
        writeln!(out, "{told}")?;
    } else {
        write!(out, "{}", text(&readings, screen::colour_on_stdout()))?;
    }
    Ok(Exit::Success)
}

fn reading(client: &Client) -> anyhow::Result<(Reading, Value)> {
    let told = read(client, &wait(client.get("/v1/status"))?)?;
    let reading = parse(client, &told)?;
    Ok((reading, told))
}

/// Reads a status.
pub(super) fn parse(client: &Client, told: &Value) -> Result<Reading, Failure> {
    if !told.get("version").is_some_and(Value::is_string) {
        return Err(client.strange("it tells no version").into());
    }
    let status = serde::Deserialize::deserialize(told).map_err(|error| client.strange(format!("{error}")))?;
    Ok(Reading { at: Instant::now(), status })
}

/// How a sink does, in a word or two.
fn state(sink: &Sink) -> String {
    match &sink.failing_since {
        Some(since) => format!("{} since {}", escaped(&sink.state), escaped(since)),
        None => escaped(&sink.state),
    }
}

/// What waits for a sink.
pub(super) fn waiting(sink: &Sink) -> String {
    let queue = short(sink.queue_records as f64);
    match &sink.spool {
        Some(spool) => format!("{queue} + {} spooled", bytes(spool.waiting_bytes.unwrap_or(spool.bytes))),
        None => queue,
    }
}

/// The same, with what the spool takes on the disk where that is more: of what was delivered, a part goes later.
fn waiting_and_disk(sink: &Sink) -> String {
    let on_disk = sink.spool.as_ref().filter(|spool| spool.waiting_bytes.is_some_and(|waiting| bytes(waiting) != bytes(spool.bytes)));
    match on_disk {
        Some(spool) => format!("{} ({} on disk)", waiting(sink), bytes(spool.bytes)),
        None => waiting(sink),
    }
}

fn text(readings: &Readings, colour: bool) -> String {
    let status = readings.status();
    let mut out = head(status, colour);
    let mut sources = table(&["source", "records/s", "bytes/s", "records", "under way", "lag"]);
    for source in &status.sources {
        sources.add_row([
            escaped(&source.name),
            short(readings.source_rate(&source.name, |s| s.records)),
            bytes(readings.source_rate(&source.name, |s| s.bytes) as u64),
            short(source.records as f64),
            short(source.held as f64),
            format!("{:.1} s", source.lag_seconds),
        ]);
    }
    out.push_str(&format!("{sources}\n"));
    let mut pipelines = table(&["pipeline", "in/s", "out/s", "in", "out", "dropped", "dead letters", "under way"]);
    for pipeline in &status.pipelines {
        let counts = [pipeline.taken, pipeline.out, pipeline.dropped, pipeline.rejected, pipeline.held].map(|n| short(n as f64));
        let rates = [readings.rate_in(&pipeline.name), readings.rate_out(&pipeline.name)].map(short);
        pipelines.add_row([escaped(&pipeline.name)].into_iter().chain(rates).chain(counts));
    }
    out.push_str(&format!("{pipelines}\n"));
    let mut steps = table(&["step", "plugin", "in/s", "dropped", "failed", "bad calls", "a record", "busy", "memory"]);
    for pipeline in &status.pipelines {
        for step in &pipeline.steps {
            let (busy, each) = readings.time(&pipeline.name, &step.name);
            steps.add_row([
                escaped(&format!("{}/{}", pipeline.name, step.name)),
                format!("{}{}", escaped(step.plugin.as_deref().unwrap_or("-")), if step.breaker_open { " (off)" } else { "" }),
                short(readings.step_rate(&pipeline.name, &step.name, |s| s.taken)),
                short(step.dropped as f64),
                short(step.rejected as f64),
                short(step.failures() as f64),
                nanoseconds(each),
                format!("{:.0} %", busy * 100.0),
                if step.plugin.is_some() { bytes(step.memory_bytes) } else { "-".into() },
            ]);
        }
    }
    out.push_str(&format!("{steps}\n"));
    let mut sinks = table(&["sink", "state", "records/s", "delivered", "waiting", "retries", "rejected", "dropped"]);
    for sink in &status.sinks {
        let counts = [sink.retries, sink.rejected, sink.dropped].map(|n| short(n as f64));
        let first =
            [escaped(&sink.name), state(sink), short(readings.sink_rate(&sink.name)), short(sink.delivered as f64), waiting_and_disk(sink)];
        sinks.add_row(first.into_iter().chain(counts));
    }
    out.push_str(&format!("{sinks}\n"));
    out
}

fn head(status: &Status, colour: bool) -> String {
    let mut head = format!("tamis {}, generation {}, up {}\n", escaped(&status.version), status.generation, age(status.seconds));
    if let Some(why) = &status.degraded {
        let text = format!("degraded: {}", escaped(why));
        head.push_str(&if colour { format!("\u{1b}[1;31m{text}\u{1b}[0m\n") } else { format!("{text}\n") });
    }
    head
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    for column in 1..header.len() {
        if let Some(column) = table.column_mut(column).filter(|_| !["plugin", "state"].contains(header.get(column).unwrap_or(&""))) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A host at work: a step that fails, a sink that is down with a spool, a name that would drive a terminal.
    pub(in crate::operator) fn example(taken: u64) -> Status {
        serde_json::from_value(serde_json::json!({
            "version": "0.1.0", "generation": 3, "seconds": 7_300.0, "degraded": "two\u{1b}[2J errors",
            "sources": [{ "name": "gateway", "records": taken, "bytes": taken * 100, "held": 12, "lag_seconds": 1.25 }],
            "pipelines": [
                { "name": "main", "in": taken, "out": taken / 2, "dropped": 5, "rejected": 7, "held": 12, "steps": [
                    { "name": "redact", "plugin": "redact", "in": taken, "out": taken, "dropped": 0, "rejected": 7,
                      "failed_calls": { "trap": 4, "deadline": 1 }, "seconds": taken as f64 / 1e6, "memory_bytes": 3 << 20, "breaker_open": true },
                    { "name": "filter", "plugin": null, "in": taken, "out": taken / 2 },
                ] },
                { "name": "errors", "in": 1, "out": 1 },
            ],
            "sinks": [
                { "name": "archive", "delivered": taken / 2, "state": "ok", "queue_records": 3 },
                { "name": "search", "delivered": 1, "state": "failing", "failing_since": "2026-05-01T12:00:00Z", "retries": 9,
                  "queue_records": 2, "spool": { "batches": 3, "waiting_bytes": 2 << 20, "bytes": 5 << 20 } },
            ],
        }))
        .unwrap_or_default()
    }

    pub(in crate::operator) fn readings() -> Readings {
        let start = Instant::now();
        let mut readings = Readings::new(Reading { at: start, status: example(10_000) });
        readings.push(Reading { at: start + Duration::from_secs(2), status: example(14_000) });
        readings
    }

    #[test]
    fn everything_is_there_and_drives_no_terminal() {
        let text = text(&readings(), false);
        for part in [
            "tamis 0.1.0, generation 3, up 2 h 1 min",
            "degraded: two\\u{1b}[2J errors",
            "2.00k", // records a second
            "195 KiB",
            "1.2 s",
            "main/redact",
            "redact (off)",
            "1.0 µs",
            "3.0 MiB",
            "failing since 2026-05-01T12:00:00Z",
            "2 + 2.0 MiB spooled (5.0 MiB on disk)",
        ] {
            assert!(text.contains(part), "{part}:\n{text}");
        }
        assert!(!text.contains('\u{1b}'));
    }
}
