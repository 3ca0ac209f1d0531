//! `tamis tap`.

mod stream;
mod text;

use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::operator::Target;
use crate::screen;
use clap::Args;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write;
use stream::Answer;

#[derive(Debug, Args)]
pub(crate) struct Tap {
    /// A step, or a pipeline: then its records are shown as they come to it and as they leave it.
    #[arg(value_name = "PIPELINE[/STEP]")]
    place: String,
    /// Only records for which this VRL condition holds, as they came.
    #[arg(long, value_name = "VRL")]
    filter: Option<String>,
    /// Records a second, at most. Default: 10.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// End after so many records.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    #[command(flatten)]
    target: Target,
}

impl Tap {
    /// What is asked for.
    fn request(&self) -> String {
        let (pipeline, step) = match self.place.split_once('/') {
            Some((pipeline, step)) => (pipeline, Some(step)),
            None => (self.place.as_str(), None),
        };
        let rate = self.rate.map(|rate| rate.to_string());
        let parameters = [("pipeline", Some(pipeline)), ("step", step), ("rate", rate.as_deref()), ("filter", self.filter.as_deref())];
        let mut target = "/v1/tap".to_owned();
        for (name, value) in parameters.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            let _ = write!(target, "{}{name}={}", if target.contains('?') { '&' } else { '?' }, encoded(value));
        }
        target
    }
}

pub(crate) fn run(arguments: &Arguments, verb: &Tap) -> anyhow::Result<Exit> {
    end_on_interrupt()?;
    let (address, token) = match verb.target.address().and_then(|address| Ok((address, verb.target.token()?))) {
        Ok(found) => found,
        Err(why) => {
            screen::complain(&why);
            return Ok(Exit::BadConfiguration);
        }
    };
    let mut events = match stream::get(&address, token.as_ref(), &verb.request())? {
        Answer::Events(events) => events,
        Answer::Refused(message) => {
            screen::complain(&message);
            return Ok(Exit::Failure);
        }
    };
    let json = arguments.output == Output::Json;
    let colour = screen::colour_on_stdout();
    let (mut line, mut shown) = (Vec::new(), 0);
    loop {
        line.clear();
        if events.line(&mut line)? == 0 {
            screen::tell("tamis: the host has gone");
            return Ok(Exit::Failure);
        }
        let Some(data) = line.strip_prefix(b"data:") else { continue };
        let data = String::from_utf8_lossy(data);
        let event: Value = serde_json::from_str(&data).unwrap_or_default();
        let mut out = std::io::stdout().lock();
        if json {
            writeln!(out, "{}", text::printable_json(data.trim()))?;
        }
        match event.get("event").and_then(Value::as_str) {
            Some("end") => {
                if !json {
                    screen::tell(&format!("tamis: {}", text::note(&event)));
                }
                return Ok(if verb.limit.is_some() { Exit::Failure } else { Exit::Success });
            }
            Some("tapping" | "waiting" | "dropped") => {
                if !json {
                    screen::tell(&text::note(&event));
                }
                continue;
            }
            Some("sample") if !json => out.write_all(text::sample(&event, colour).as_bytes())?,
            // One that is nested too deeply to be read here.
            None if !json => writeln!(out, "{}", tamis_config::escaped(data.trim()))?,
            _ => {}
        }
        out.flush()?;
        shown += 1;
        if verb.limit.is_some_and(|limit| shown >= limit) {
            return Ok(Exit::Success);
        }
    }
}

/// Ends the process at SIGINT with the code that is promised for it, whatever it waits for.
fn end_on_interrupt() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut interrupt = {
        let _entered = runtime.enter();
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?
    };
    std::thread::Builder::new().name("interrupt".into()).spawn(move || {
        runtime.block_on(interrupt.recv());
        std::process::exit(Exit::Interrupted.code().into());
    })?;
    Ok(())
}

/// A value of a query.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        tap: Tap,
    }

    #[test]
    fn the_request_names_what_is_asked_for() {
        let request = |arguments: &[&str]| {
            let line = <Line as clap::Parser>::try_parse_from([&["tap"], arguments].concat()).expect("arguments");
            line.tap.request()
        };
        assert_eq!(request(&["main"]), "/v1/tap?pipeline=main");
        assert_eq!(
            request(&["main/redact", "--filter", ".a == \"é&\"", "--rate", "7"]),
            "/v1/tap?pipeline=main&step=redact&rate=7&filter=.a%20%3D%3D%20%22%C3%A9%26%22"
        );
    }
}
