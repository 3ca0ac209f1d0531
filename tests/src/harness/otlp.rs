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

/// The collector rotel, which sends on what it takes. It is killed when the value goes.
pub struct Rotel {
    child: Child,
    /// The port that speaks gRPC.
    pub grpc: u16,
    /// The port that speaks HTTP.
    pub http: u16,
}

impl Rotel {
    /// Starts one that sends to `endpoint` by gRPC. `None`: it is not installed.
    pub fn start(site: &Site, endpoint: &str) -> Option<Self> {
        let program = installed("lib/python3.11/site-packages/rotel/rotel-agent")?;
        let (grpc, http) = (free_port(), free_port());
        let mut command = Command::new(program);
        command.args(["start", "--exporter", "otlp", "--otlp-exporter-protocol", "grpc", "--otlp-exporter-endpoint", endpoint]);
        command.args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{grpc}"), "--otlp-http-endpoint", &format!("127.0.0.1:{http}")]);
        command.arg("--pid-file").arg(site.path("rotel.pid")).arg("--log-file").arg(site.path("rotel.log"));
        let child = command.current_dir(site.path("")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let rotel = Self { child: child.expect("rotel starts"), grpc, http };
        drop((connect(grpc), connect(http)));
        Some(rotel)
    }
}

impl Drop for Rotel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
