//! A request to the admin API whose answer does not end by itself.

use anyhow::{Context as _, bail};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use tamis_admin::client::{Address, ClientError, Token};

/// The longest silence: the host says something every 15 s.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Bytes of an answer's headers, or of the reason why a request is refused.
const HEAD_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of a line.
const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Both directions of a connection.
trait Connection: Read + Write {}
impl<T: Read + Write> Connection for T {}

/// What the API answers.
pub(super) enum Answer {
    Events(Events),
    /// Why not, in a sentence.
    Refused(String),
}

/// An answer that goes on.
pub(super) struct Events(BufReader<Box<dyn Connection>>);

impl Events {
    /// The next line, appended with its line end; 0 at the end.
    pub(super) fn line(&mut self, line: &mut Vec<u8>) -> anyhow::Result<usize> {
        let count = match self.0.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', line) {
            Ok(count) => count,
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                bail!("the host has said nothing for {} s", SILENCE_MAX.as_secs())
            }
            // Its end, when it was killed.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => 0,
            Err(error) => return Err(error).context("the connection to the host broke"),
        };
        if count as u64 == LINE_BYTES_MAX {
            bail!("the host sent a line of more than {LINE_BYTES_MAX} bytes")
        }
        Ok(count)
    }
}

/// Sends a `GET`. In HTTP/1.0, whose answers are a plain stream to the connection's end.
pub(super) fn get(address: &Address, token: Option<&Token>, target: &str) -> anyhow::Result<Answer> {
    let strange = |reason: &str| anyhow::Error::from(ClientError::Strange { address: address.to_string(), reason: reason.into() });
    let connection = connect(address).with_context(|| {
        format!("nobody answers at `{address}`; is the host running, and is this its `settings.admin`? (`--admin` names another)")
    })?;
    let mut reader = BufReader::new(connection);
    let host = match address {
        Address::Tcp(address) => address,
        Address::Unix(_) => "localhost",
    };
    let token = token.map(|token| format!("Authorization: {}\r\n", token.header())).unwrap_or_default();
    reader
        .get_mut()
        .write_all(format!("GET {target} HTTP/1.0\r\nHost: {host}\r\nAccept: text/event-stream\r\n{token}\r\n").as_bytes())
        .context("the host does not take the request")?;
    let mut head = reader.by_ref().take(HEAD_BYTES_MAX);
    let mut line = String::new();
    head.read_line(&mut line).context("the host does not answer")?;
    let status: u16 = match line.split(' ').nth(1).and_then(|status| status.parse().ok()) {
        Some(status) if line.starts_with("HTTP/1.") => status,
        _ => return Err(strange("it does not speak HTTP")),
    };
    let mut events = false;
    loop {
        line.clear();
        if head.read_line(&mut line).context("the host does not answer")? <= 2 {
            break;
        }
        let header = line.to_ascii_lowercase();
        events |= header.strip_prefix("content-type:").is_some_and(|kind| kind.trim_start().starts_with("text/event-stream"));
    }
    if status == 200 {
        return if events { Ok(Answer::Events(Events(reader))) } else { Err(strange("it sends no events")) };
    }
    let mut body = Vec::new();
    reader.take(HEAD_BYTES_MAX).read_to_end(&mut body).context("the host does not answer")?;
    match message(&body) {
        Some(message) => Ok(Answer::Refused(message)),
        None => Err(strange(&format!("status {status}, and no reason in JSON"))),
    }
}

fn connect(address: &Address) -> std::io::Result<Box<dyn Connection>> {
    Ok(match address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(SILENCE_MAX))?;
            Box::new(stream)
        }
        Address::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(SILENCE_MAX))?;
            Box::new(stream)
        }
    })
}

/// Why a request was refused.
fn message(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let error = answer.get("error")?.as_str()?;
    let known = answer.get("known").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let known: Vec<String> = known.iter().filter_map(Value::as_str).map(|name| format!("`{name}`")).collect();
    Some(match known.as_slice() {
        [] => error.to_owned(),
        known => format!("{error}; there is {}", known.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_what_there_is() {
        let told = |body: &[u8]| message(body);
        assert_eq!(told(br#"{"error":"no `x`","known":["a","b"]}"#).as_deref(), Some("no `x`; there is `a`, `b`"));
        assert_eq!(told(br#"{"error":"too many"}"#).as_deref(), Some("too many"));
        assert_eq!((told(b"oops"), told(b"{}")), (None, None));
    }
}
