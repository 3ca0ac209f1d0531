//! A real Prometheus on a free port of loopback, and promtool.

use super::admin::{Address, request};
use super::process::eventually;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Finds `prometheus` or `promtool`: as `tests/monitoring.sh` unpacks it, or the system's. If there is none, says which test is skipped.
pub fn find(program: &str) -> Option<PathBuf> {
    let own = super::root().join("target/tools/prometheus/usr/bin");
    let folders = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    let found = std::iter::once(own).chain(folders).map(|folder| folder.join(program)).find(|path| path.is_file());
    if found.is_none() {
        eprintln!("skipped: there is no {program}; `sh tests/monitoring.sh` gets it");
    }
    found
}

/// A Prometheus. It is killed when the value goes.
pub struct Prometheus {
    child: Child,
    address: Address,
    log: PathBuf,
}

impl Prometheus {
    /// Starts one with this configuration, which keeps its data in `folder`. `None`: there is none.
    ///
    /// # Panics
    /// When it does not get ready.
    pub fn start(configuration: &Path, folder: &Path) -> Option<Self> {
        let program = find("prometheus")?;
        // Another process may take the port in between: then it does not start, and the test says so.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
        let log = folder.join("prometheus.log");
        let child = Command::new(program)
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("prometheus").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).expect("a file"))
            .spawn()
            .expect("prometheus starts");
        let prometheus = Self { child, address: Address::Tcp(format!("127.0.0.1:{port}")), log };
        eventually("Prometheus is ready", || prometheus.get("/-/ready").is_ok_and(|(status, _)| status == 200));
        Some(prometheus)
    }

    fn get(&self, path: &str) -> std::io::Result<(u16, String)> {
        // HTTP/1.0, so that the answer does not come in chunks.
        let answer = request(&self.address, &format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n"))?;
        Ok((answer.status, answer.body))
    }

    /// What an API's path answers under `data`.
    ///
    /// # Panics
    /// When it is an error.
    #[track_caller]
    pub fn api(&self, path: &str) -> serde_json::Value {
        let (status, body) = self.get(path).unwrap_or_else(|error| panic!("{path}: {error}: {}", self.log()));
        let answer: serde_json::Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"));
        assert!(status == 200 && answer["status"] == "success", "{path}: {body}");
        answer["data"].clone()
    }

    /// The series that an expression gives now: each with `metric` (its labels) and `value`.
    ///
    /// # Panics
    /// When it is no expression, or gives no vector.
    #[track_caller]
    pub fn query(&self, expression: &str) -> Vec<serde_json::Value> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let data = self.api(&format!("/api/v1/query?query={encoded}"));
        assert_eq!(data["resultType"], "vector", "{expression}");
        data["result"].as_array().expect("series").clone()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
