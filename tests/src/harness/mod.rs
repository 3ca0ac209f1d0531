//! Runs the `tamis` binary as a user does: a folder with a configuration and input, a process, what it printed and wrote.
//!
//! Everything here is for tests and panics, with what was seen, when the surroundings do not work.

mod admin;
mod base64;
mod certificates;
mod datasette;
mod elastic;
pub mod exchange;
mod kafka;
mod loki;
mod nats;
mod otlp;
mod port;
mod process;
mod prometheus;
pub mod promql;
mod raw_server;
mod registry;
mod report;
mod sections;
mod server;
mod store;
mod tls_front;
mod tmpfs;
mod wire;

pub use admin::{Address, Answer, MetricFamily, Sample, Stream, parse_metrics, request, settled};
pub use base64::base64;
pub use certificates::Certificates;
pub use datasette::Datasette;
pub use elastic::{Store, elastic_ask, elastic_client, elastic_is_installed};
pub use kafka::Broker;
pub use loki::Loki;
pub use nats::NatsServer;
pub use otlp::{Rotel, sdk as otlp_sdk};
pub use port::{connect, free_port};
pub use process::{Live, Run, TIMEOUT, eventually, pipe_through};
pub use prometheus::{Prometheus, find as find_prometheus};
pub use raw_server::{RawServer, answer};
pub use registry::{Registry, USER, is_installed};
pub use report::{Flow, Letter, Report};
pub use sections::{section, with_section};
pub use server::{Answer as Said, Request, Server};
pub use store::{ObjectStore, arrow};
pub use tls_front::TlsFront;
pub use tmpfs::Tmpfs;
pub use wire::{forwarding, has_relp, rsyslog, syslog_ng, wire_client};

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The binary under test: `TAMIS_BIN`, or the workspace's release build.
///
/// # Panics
/// When there is none.
pub fn tamis() -> PathBuf {
    let path = std::env::var_os("TAMIS_BIN").map_or_else(|| root().join("target/release/tamis"), PathBuf::from);
    path.canonicalize()
        .unwrap_or_else(|error| panic!("`{}` cannot be run ({error}): `cargo build --release -p tamis-cli` makes it", path.display()))
}

/// A built plugin, `hostile` included: in `TAMIS_GUESTS`, or the workspace's `target/plugins`.
///
/// # Panics
/// When it was not built.
pub fn plugin(name: &str) -> PathBuf {
    let folder = std::env::var_os("TAMIS_GUESTS").map_or_else(|| root().join("target/plugins"), PathBuf::from);
    let path = folder.join(format!("{name}.wasm"));
    path.canonicalize().unwrap_or_else(|error| panic!("`{}` cannot be read ({error}): `make plugins` builds it", path.display()))
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A folder of its own in which `tamis` runs; gone with the value.
#[derive(Debug)]
pub struct Site {
    folder: tempfile::TempDir,
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}

impl Site {
    /// An empty folder.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A folder with a configuration (see [`Site::config`]) and an `input.ndjson`.
    pub fn with(config: &str, input: impl AsRef<[u8]>) -> Self {
        let site = Self::new();
        site.config(config);
        site.write("input.ndjson", input);
        site
    }

    /// A path inside the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, with the folders it lies in.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, bytes).expect("a file");
        path
    }

    /// Writes `tamis.yaml`. `version: 1` goes before it, `settings: { admin: off, lanes: 2 }` after it unless it has settings
    /// of its own, and `PLUGIN(name)` becomes the path of a built plugin.
    pub fn config(&self, yaml: &str) {
        self.write("tamis.yaml", configuration(yaml));
    }

    /// What a file holds; nothing when it is missing.
    pub fn read(&self, name: &str) -> Vec<u8> {
        match fs::read(self.path(name)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => panic!("{name}: {error}"),
        }
    }

    /// The lines of a file.
    pub fn lines(&self, name: &str) -> Vec<String> {
        String::from_utf8(self.read(name)).expect("UTF-8").lines().map(str::to_owned).collect()
    }

    /// The dead letters in a file.
    pub fn letters(&self, name: &str) -> Vec<Letter> {
        self.lines(name).iter().map(|line| Letter::parse(line)).collect()
    }

    /// A command of `tamis` in this folder, with nothing of the caller's environment that it reads.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(tamis());
        command.args(arguments);
        self.settle(&mut command);
        command
    }

    /// A shell command in this folder; `$TAMIS` is the binary.
    pub fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("TAMIS", tamis());
        self.settle(&mut command);
        command
    }

    fn settle(&self, command: &mut Command) {
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in [
            "TAMIS_CONFIG",
            "TAMIS_CONFIG_KEY",
            "TAMIS_CONFIG_STORE",
            "TAMIS_SIGNING_KEY",
            "TAMIS_LOG",
            "TAMIS_LOG_FORMAT",
            "NO_COLOR",
            "RUST_BACKTRACE",
            "TAMIS_REGISTRY",
            "DOCKER_CONFIG",
            "TAMIS_ADMIN",
            "TAMIS_ADMIN_TOKEN",
        ] {
            command.env_remove(name);
        }
    }

    /// Runs `tamis` to its end.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Run {
        process::finish(self.command(arguments), b"")
    }

    /// `tamis run --once --again` with a report as JSON, to its end.
    pub fn once(&self) -> Run {
        self.run(ONCE)
    }

    /// [`Site::once`], which must succeed and conserve the records; gives its report.
    #[track_caller]
    pub fn delivered(&self) -> Report {
        let run = self.once();
        assert_eq!(run.code, Some(0), "{run}");
        run.report().conserved()
    }

    /// [`Site::once`] with this on standard input.
    pub fn once_with(&self, input: &[u8]) -> Run {
        process::finish(self.command(ONCE), input)
    }

    /// Starts `tamis` and leaves it running.
    pub fn start<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Live {
        Live::start(self.command(arguments))
    }

    /// Starts a shell command and leaves it running.
    pub fn start_shell(&self, script: &str) -> Live {
        Live::start(self.shell(script))
    }
}

/// Arguments of a run to the end whose standard output is the report.
pub const ONCE: [&str; 7] = ["run", "--once", "--again", "--report", "0", "--output", "json"];

/// See [`Site::config`].
pub fn configuration(yaml: &str) -> String {
    let mut text = format!("version: 1\n{yaml}\n");
    if !yaml.lines().any(|line| line.starts_with("settings:")) {
        text.push_str("settings: { admin: off, lanes: 2 }\n");
    }
    while let Some((before, rest)) = text.split_once("PLUGIN(") {
        let (name, after) = rest.split_once(')').expect("a closing parenthesis");
        text = format!("{before}{}{after}", plugin(name).display());
    }
    text
}
