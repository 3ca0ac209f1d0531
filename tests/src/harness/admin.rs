//! The admin API, talked to by hand, and its metrics' text.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// Where the API listens.
#[derive(Debug, Clone)]
pub enum Address {
    /// `host:port`.
    Tcp(String),
    /// A socket's path.
    Unix(PathBuf),
}

/// Something to read and write.
pub trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Address {
    /// Connects, with a time-out for reading.
    pub fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let wait = Some(Duration::from_secs(30));
        Ok(match self {
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_read_timeout(wait)?;
                Box::new(stream)
            }
            Address::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(wait)?;
                Box::new(stream)
            }
        })
    }

    /// `GET` a path under the name `localhost`.
    pub fn get(&self, path: &str) -> io::Result<Answer> {
        request(self, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// Body.
    pub body: String,
}

/// Sends a request as it is and reads the answer to the connection's end.
pub fn request(address: &Address, text: &str) -> io::Result<Answer> {
    let mut stream = address.connect()?;
    stream.write_all(text.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| io::Error::other(format!("no answer: {text:?}")))?;
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(|| io::Error::other(format!("no status: {head}")))?;
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

/// Records of a source that are delivered, dropped on purpose or dead-lettered, as the host on this socket tells; 0 while it
/// does not answer yet.
pub fn settled(socket: &std::path::Path, source: &str) -> u64 {
    let Ok(answer) = Address::Unix(socket.into()).get("/v1/status") else { return 0 };
    let Ok(status) = serde_json::from_str::<serde_json::Value>(&answer.body) else { return 0 };
    let sources = status["sources"].as_array().map(Vec::as_slice).unwrap_or_default();
    sources.iter().find(|entry| entry["name"] == source).and_then(|entry| entry["settled"].as_u64()).unwrap_or(0)
}

/// One line of the metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Name with its suffix.
    pub name: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Value.
    pub value: f64,
}

/// A metric with its samples.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetricFamily {
    /// What `# HELP` says.
    pub help: String,
    /// What `# TYPE` says.
    pub kind: String,
    /// What `# UNIT` says, for those that have one.
    pub unit: String,
    /// Its samples.
    pub samples: Vec<Sample>,
}

/// Reads metrics in the text format of OpenMetrics 1.0 as far as the host writes it.
///
/// # Errors
/// The first line that does not fit the format, and why.
pub fn parse_metrics(text: &str) -> Result<BTreeMap<String, MetricFamily>, String> {
    let mut families: BTreeMap<String, MetricFamily> = BTreeMap::new();
    let mut current = String::new();
    let Some(text) = text.strip_suffix("# EOF\n") else { return Err("`# EOF` does not end it".into()) };
    for line in text.lines() {
        let bad = |why: &str| format!("{why}: {line}");
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (Some(what), Some(name), Some(rest)) = (words.next(), words.next(), words.next()) else {
                return Err(bad("a comment of three parts was expected"));
            };
            if !is_name(name) {
                return Err(bad("not a name"));
            }
            let family = families.entry(name.to_owned()).or_default();
            if !family.samples.is_empty() {
                return Err(bad("a family that comes twice"));
            }
            let field = match what {
                "HELP" => &mut family.help,
                "TYPE" if ["counter", "gauge", "histogram"].contains(&rest) => &mut family.kind,
                "UNIT" if name.ends_with(rest) => &mut family.unit,
                _ => return Err(bad("HELP, TYPE or UNIT was expected")),
            };
            if !std::mem::replace(field, rest.to_owned()).is_empty() {
                return Err(bad("said twice"));
            }
            current = name.to_owned();
            continue;
        }
        let sample = sample(line).ok_or_else(|| bad("not a sample"))?;
        let family = families.get_mut(&current).ok_or_else(|| bad("a sample before its family"))?;
        let suffix = sample.name.strip_prefix(&current).ok_or_else(|| bad("a sample of another family"))?;
        let suffixes: &[&str] = match family.kind.as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            _ => &["_bucket", "_sum", "_count"],
        };
        if !suffixes.contains(&suffix) || (suffix == "_total" && sample.value < 0.0) {
            return Err(bad("a suffix or value that its type does not have"));
        }
        if family.samples.iter().any(|other| (&other.name, &other.labels) == (&sample.name, &sample.labels)) {
            return Err(bad("a sample that is there twice"));
        }
        family.samples.push(sample);
    }
    match families.iter().find(|(_, family)| family.help.is_empty() || family.kind.is_empty()) {
        Some((name, _)) => Err(format!("`{name}` has no HELP or no TYPE")),
        None => Ok(families),
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"")?;
            let mut value = String::new();
            let mut chars = after.char_indices();
            let end = loop {
                match chars.next()? {
                    (at, '"') => break at,
                    (_, '\\') => value.push(match chars.next()?.1 {
                        'n' => '\n',
                        c @ ('\\' | '"') => c,
                        _ => return None,
                    }),
                    (_, c) => value.push(c),
                }
            };
            if !is_name(label) || labels.insert(label.to_owned(), value).is_some() {
                return None;
            }
            rest = after.get(end + 1..)?;
            rest = rest.strip_prefix(',').unwrap_or(rest);
        }
        rest = rest.strip_prefix('}')?;
    }
    let value = rest.strip_prefix(' ')?.parse().ok()?;
    is_name(name).then(|| Sample { name: name.to_owned(), labels, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read() {
        let text = "# HELP a_b Things.\n# TYPE a_b counter\na_b_total{x=\"1\\\"\\n\",y=\"\"} 3\na_b_total 4\n# HELP g G.\n# TYPE g gauge\ng -1.5\n# EOF\n";
        let families = parse_metrics(text).expect("sound metrics");
        assert_eq!((families.len(), families["a_b"].samples[0].labels["x"].as_str(), families["g"].samples[0].value), (2, "1\"\n", -1.5));
        for bad in [
            "a 1\n# EOF\n",
            "# HELP a A.\n# TYPE a counter\na 1\n# EOF\n",
            "# HELP a A.\n# TYPE a gauge\na{x=\"1} 1\n# EOF\n",
            "# HELP a A.\n# TYPE a gauge\na 1\na 2\n# EOF\n",
            "# TYPE a gauge\na 1\n# EOF\n",
            "# HELP a A.\n# TYPE a gauge\na x\n# EOF\n",
            "# HELP a A.\n# TYPE a gauge\na 1\n",
        ] {
            assert!(parse_metrics(bad).is_err(), "{bad}");
        }
    }
}
