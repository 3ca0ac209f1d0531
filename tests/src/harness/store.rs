//! A store that speaks S3 (SeaweedFS), and pyarrow, which reads what was stored: `sh tests/servers.sh` installs both.
//!
//! SeaweedFS is one of many reimplementations of S3's protocol; its objects lie in a folder, so that it can be started again.

use super::kafka::program;
use super::port::{connect, free_port};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/harness/store.py");
/// Who may do everything, as the script knows them too.
const IDENTITIES: &str = r#"{"identities":[{"name":"tester","credentials":[{"accessKey":"tester","secretKey":"tester-secret"}],"actions":["Admin","Read","Write","List"]}]}"#;

/// Asks pyarrow. `None`: it does not succeed.
pub fn arrow(arguments: &[&str]) -> Option<serde_json::Value> {
    let mut command = Command::new(program("bin/python")?);
    let output = command.arg(SCRIPT).args(arguments).stdin(Stdio::null()).output().ok()?;
    if !output.status.success() {
        eprintln!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default());
        return None;
    }
    serde_json::from_slice(&output.stdout).ok()
}

/// A store with a bucket `logs`. It is killed when the value goes.
pub struct ObjectStore {
    child: Child,
    program: PathBuf,
    folder: PathBuf,
    ports: [u16; 8],
}

impl ObjectStore {
    /// Starts one that keeps its objects below this folder. `None`: it is not installed.
    pub fn start(folder: &Path) -> Option<Self> {
        program("bin/python")?;
        let program = program("bin/weed")?;
        std::fs::create_dir_all(folder).expect("a folder");
        std::fs::write(folder.join("identities.json"), IDENTITIES).expect("a file");
        let ports = std::array::from_fn(|_| free_port());
        let store = Self { child: spawn(&program, folder, ports), program, folder: folder.to_owned(), ports };
        store.wait();
        Some(store)
    }

    /// `http://host:port`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// Kills it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again with what it has stored.
    pub fn restart(&mut self) {
        self.kill();
        self.child = spawn(&self.program, &self.folder, self.ports);
        self.wait();
    }

    /// Until it stores things: its parts find each other one after the other.
    fn wait(&self) {
        drop(connect(self.ports[0]));
        let began = Instant::now();
        while arrow(&["make", &self.url(), "logs"]).is_none() {
            assert!(began.elapsed() < super::TIMEOUT, "the store makes no bucket");
            std::thread::sleep(Duration::from_millis(300));
        }
    }
}

fn spawn(program: &Path, folder: &Path, [s3, master, volume, filer, master_grpc, volume_grpc, filer_grpc, s3_grpc]: [u16; 8]) -> Child {
    let mut command = Command::new(program);
    command.args(["-logtostderr=true", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-volume.max=20"]);
    command.args(["-master.volumeSizeLimitMB=64", "-volume.preStopSeconds=0", "-s3.port.iceberg=0", "-s3.port.lance=0"]);
    command.arg(format!("-dir={}", folder.display()));
    command.arg(format!("-s3.config={}", folder.join("identities.json").display()));
    for (name, port) in [
        ("s3.port", s3),
        ("master.port", master),
        ("volume.port", volume),
        ("filer.port", filer),
        ("master.port.grpc", master_grpc),
        ("volume.port.grpc", volume_grpc),
        ("filer.port.grpc", filer_grpc),
        ("s3.port.grpc", s3_grpc),
    ] {
        command.arg(format!("-{name}={port}"));
    }
    let log = std::fs::File::create(folder.join("weed.log")).expect("a log");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("a store")
}

impl Drop for ObjectStore {
    fn drop(&mut self) {
        self.kill();
    }
}
