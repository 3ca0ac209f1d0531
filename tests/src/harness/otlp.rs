//! OpenTelemetry's own SDK (Python) as a client, and the collector rotel between two hosts: `sh tests/servers.sh` installs both.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::{Site, connect, free_port, root};

const SENDER: &str = include_str!("otlp_send.py");

fn servers() -> PathBuf {
    root().join("target/tools/servers")
}

/// A program of the folder with servers; `None`, with a message, when it is not there.
fn installed(path: &str) -> Option<PathBuf> {
    let found = servers().join(path);
    if !found.exists() {
        eprintln!("skipped: there is no {path}; `sh tests/servers.sh` installs it");
        return None;
    }
    Some(found)
}

/// Sends `count` log records with the SDK, `batch` of them a request, with gzip, until all are taken. `more`: a file with
/// authorities, and a token. `None`: the SDK is not installed.
pub fn sdk(site: &Site, protocol: &str, endpoint: &str, count: usize, batch: usize, more: &[&str]) -> Option<Child> {
    installed("lib/python3.11/site-packages/opentelemetry")?;
    let script = site.write("otlp_send.py", SENDER);
    let mut command = Command::new(installed("bin/python")?);
    command.arg(script).args([protocol, endpoint]).args([count, batch].map(|n| n.to_string())).args(more);
    Some(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("Python starts"))
}

/// The collector rotel. It is killed when the value goes.
pub struct Rotel {
    child: Child,
    command: Box<dyn Fn() -> Command>,
    printed: PathBuf,
    /// The port that speaks gRPC.
    pub grpc: u16,
    /// The port that speaks HTTP.
    pub http: u16,
}

impl Rotel {
    /// Starts one that sends on what it takes, to `endpoint` by `grpc` or `http`. `None`: it is not installed.
    pub fn start(site: &Site, protocol: &str, endpoint: &str) -> Option<Self> {
        let exporter = ["--exporter", "otlp", "--otlp-exporter-protocol", protocol, "--otlp-exporter-endpoint", endpoint];
        // It would wait 5 s and more before it tries again, up to 30 s.
        let retry = ["--otlp-exporter-retry-initial-backoff", "200ms", "--otlp-exporter-retry-max-backoff", "2s"];
        Self::with(site, &[&exporter[..], &retry[..]].concat())
    }

    /// Starts one that prints what it takes.
    pub fn printing(site: &Site) -> Option<Self> {
        Self::with(site, &["--exporter", "blackhole", "--debug-log", "logs", "--debug-log-verbosity", "detailed"])
    }

    fn with(site: &Site, exporter: &[&str]) -> Option<Self> {
        let program = installed("lib/python3.11/site-packages/rotel/rotel-agent")?;
        let (grpc, http) = (free_port(), free_port());
        let mut arguments = vec!["start".to_owned()];
        arguments.extend(exporter.iter().map(|argument| (*argument).to_owned()));
        arguments.extend(["--otlp-grpc-endpoint".to_owned(), format!("127.0.0.1:{grpc}")]);
        arguments.extend(["--otlp-http-endpoint".to_owned(), format!("127.0.0.1:{http}")]);
        for (option, file) in [("--pid-file", "rotel.pid"), ("--log-file", "rotel.log")] {
            arguments.extend([option.to_owned(), site.path(file).display().to_string()]);
        }
        let (folder, printed) = (site.path(""), site.path("rotel.out"));
        let to = printed.clone();
        let command = Box::new(move || {
            let out = std::fs::File::options().create(true).append(true).open(&to).expect("a file");
            let mut command = Command::new(&program);
            command.args(&arguments).current_dir(&folder).stdin(Stdio::null()).stdout(out).stderr(Stdio::null());
            command
        });
        let child = command().spawn().expect("rotel starts");
        drop((connect(grpc), connect(http)));
        Some(Self { child, command, printed, grpc, http })
    }

    /// Kills it and starts it again.
    pub fn restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.child = (self.command)().spawn().expect("rotel starts");
        drop((connect(self.grpc), connect(self.http)));
    }

    /// What it has printed: its log, and the records where it prints them.
    pub fn printed(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.printed).unwrap_or_default()).into_owned()
    }

    /// The whole numbers in the attribute `n` of all records that were printed, in their order.
    pub fn numbers(&self) -> Vec<u64> {
        self.printed().lines().filter_map(|line| line.trim().strip_prefix("-> n: Int(")?.strip_suffix(')')?.parse().ok()).collect()
    }
}

impl Drop for Rotel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
