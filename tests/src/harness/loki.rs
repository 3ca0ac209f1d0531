//! qryn, a server with Loki's API, on free ports of loopback, with ClickHouse for its store.

use super::port::{connect, free_port};
use super::process::eventually;
use std::process::{Child, Command, Stdio};

/// Gives ClickHouse as a library the interface that qryn asks.
const CLICKHOUSE: &str = include_str!("clickhouse.py");

/// A server and its store. Both are killed when the value goes.
pub struct Loki {
    store: Child,
    store_port: u16,
    server: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Loki {
    /// Starts them; `None`, with a message, if they are not installed.
    pub fn start() -> Option<Self> {
        let tools = super::root().join("target/tools");
        let python = tools.join("clickhouse/bin/python");
        if !python.is_file() || !tools.join(QRYN).is_file() {
            eprintln!("skipped: there is no qryn with a store; `sh tests/loki.sh` installs it");
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (store_port, port) = (free_port(), free_port());
        let mut command = Command::new(python);
        command.args(["-c", CLICKHOUSE, &store_port.to_string()]).arg(folder.path().join("store"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let store = command.spawn().expect("Python starts");
        drop(connect(store_port));
        let loki = Self { store, store_port, server: qryn(port, store_port), port, _folder: folder };
        loki.is_ready();
        Some(loki)
    }

    /// Kills the server and starts it again. Its store goes on.
    pub fn restart(&mut self) {
        let _ = self.server.kill();
        self.server.wait().expect("a child");
        self.server = qryn(self.port, self.store_port);
        self.is_ready();
    }

    fn is_ready(&self) {
        eventually("the server is ready", || ureq::get(format!("{}/ready", self.url())).call().is_ok());
    }

    /// Where its API is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Asks its API: a path with a query.
    ///
    /// # Panics
    /// When the answer is not JSON.
    pub fn ask(&self, path: &str) -> serde_json::Value {
        let answer = ureq::get(format!("{}{path}", self.url())).call();
        let text = answer.and_then(|mut answer| answer.body_mut().read_to_string()).expect("an answer");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Asks its store: how many lines of a service (the label) there are, and how many different ones.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn lines(&self, service: &str) -> (usize, usize) {
        let sql = format!(
            "SELECT count(), uniqExact(string) FROM samples_v3 WHERE fingerprint IN \
             (SELECT fingerprint FROM time_series WHERE JSONExtractString(labels, 'service') = '{service}') FORMAT TabSeparated"
        );
        let answer = ureq::post(format!("http://127.0.0.1:{}/?database=cloki", self.store_port)).send(sql);
        let text = answer.and_then(|mut answer| answer.body_mut().read_to_string()).expect("an answer");
        let mut counts = text.split_whitespace().map(|count| count.parse().expect("a number"));
        (counts.next().expect("a count"), counts.next().expect("a count"))
    }
}

const QRYN: &str = "qryn/node_modules/qryn/qryn_node.js";

fn qryn(port: u16, store_port: u16) -> Child {
    let mut command = Command::new("node");
    command.arg(super::root().join("target/tools").join(QRYN)).env("HOST", "127.0.0.1").env("PORT", port.to_string());
    command.env("CLICKHOUSE_SERVER", "127.0.0.1").env("CLICKHOUSE_PORT", store_port.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("node starts")
}

impl Drop for Loki {
    fn drop(&mut self) {
        for child in [&mut self.server, &mut self.store] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
