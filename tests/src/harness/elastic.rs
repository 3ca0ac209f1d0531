//! Stores that speak Elasticsearch's protocol, and real clients of it: `sh tests/servers.sh` installs them.
//!
//! Both stores are young reimplementations: osmem-server of OpenSearch, in memory; noida-db of Elasticsearch, in a folder.

use super::port::{connect, free_port};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/harness/elastic.py");

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/servers")
}

/// Whether the stores and clients are there; if not, says that a test is skipped.
pub fn elastic_is_installed() -> bool {
    let found = package("osmem_server/bin/osmem-server").is_some() && package("noida_db/noida-db").is_some();
    if !found {
        eprintln!("skipped: there is no store; `sh tests/servers.sh` installs it");
    }
    found
}

/// A program within a Python package.
fn package(program: &str) -> Option<PathBuf> {
    let versions = std::fs::read_dir(folder().join("lib")).ok()?;
    versions.flatten().map(|version| version.path().join("site-packages").join(program)).find(|path| path.is_file())
}

/// A client's program; its arguments follow.
pub fn elastic_client(arguments: &[&str]) -> Command {
    let mut command = Command::new(folder().join("bin/python"));
    command.arg(SCRIPT).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a client to its end and gives what it says.
///
/// # Panics
/// When it fails.
#[track_caller]
pub fn elastic_ask(arguments: &[&str]) -> serde_json::Value {
    let output = elastic_client(arguments).output().expect("a client");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {err}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {err}"))
}

/// A store. It is killed when the value goes.
pub struct Store {
    child: Child,
    port: u16,
    folder: Option<PathBuf>,
}

impl Store {
    /// OpenSearch's protocol, in memory.
    pub fn opensearch() -> Self {
        let port = free_port();
        Self { child: Self::spawn(port, None), port, folder: None }
    }

    /// Elasticsearch's protocol, in a folder, so that it can be started again.
    pub fn elasticsearch(folder: PathBuf) -> Self {
        let port = free_port();
        Self { child: Self::spawn(port, Some(&folder)), port, folder: Some(folder) }
    }

    fn spawn(port: u16, folder: Option<&Path>) -> Child {
        let mut command = match folder {
            None => {
                let mut command = Command::new(package("osmem_server/bin/osmem-server").expect("osmem-server"));
                command.args(["-addr", &format!("127.0.0.1:{port}"), "-no-stdin-watch"]);
                command
            }
            Some(folder) => {
                let mut command = Command::new(package("noida_db/noida-db").expect("noida-db"));
                command.args(["start", "--host", "127.0.0.1", "--only", "elasticsearch", "--elasticsearch-port", &port.to_string()]);
                command.arg("--data-dir").arg(folder);
                command
            }
        };
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a store");
        drop(connect(port));
        child
    }

    /// Ends it in good order, and starts it again at the same address.
    pub fn restart(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
        std::thread::sleep(std::time::Duration::from_millis(300));
        self.child = Self::spawn(self.port, self.folder.as_deref());
    }

    /// `http://host:port`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many documents an index holds.
    pub fn count(&self, index: &str) -> u64 {
        elastic_ask(&["count", &self.url(), index]).as_u64().expect("a number")
    }

    /// How many different numbers (`n`) its documents hold.
    pub fn different(&self, index: &str) -> u64 {
        elastic_ask(&["different", &self.url(), index]).as_u64().expect("a number")
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
