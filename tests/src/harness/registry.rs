//! A real OCI registry: Debian's docker-registry, on a free port of loopback with its storage in a folder of its own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::process::eventually;

/// The user that a registry with passwords knows, and the password.
pub const USER: (&str, &str) = ("jean", "s3cr3t-of-the-registry");
/// [`USER`] as htpasswd has it: bcrypt.
const PASSWORDS: &str = "jean:$2b$05$abcdefghijklmnopqrstuuESR8NcBixma.YNB0QOjgIcNXyVLnPmi\n";

/// Whether a program can be run; if not, says which test is skipped.
pub fn is_installed(program: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()));
    if !found {
        eprintln!("skipped: there is no {program}; `sh tests/registry.sh` installs it");
    }
    found
}

/// A registry. It is killed when the value goes.
pub struct Registry {
    child: Child,
    folder: tempfile::TempDir,
    address: String,
}

impl Registry {
    /// Starts one that asks nobody for a password. `None`: it is not installed.
    pub fn start() -> Option<Self> {
        Self::with("", |_| {})
    }

    /// Starts one that knows [`USER`] alone.
    pub fn with_passwords() -> Option<Self> {
        Self::with("auth: { htpasswd: { realm: tests, path: FOLDER/passwords } }\n", |folder| {
            fs::write(folder.join("passwords"), PASSWORDS).expect("a file");
        })
    }

    fn with(more: &str, prepare: impl Fn(&Path)) -> Option<Self> {
        if !is_installed("docker-registry") {
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        prepare(folder.path());
        // Another process may take the port in between: then the registry does not start, and the test says so.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
        let address = format!("127.0.0.1:{port}");
        let at = folder.path().display();
        let config = format!(
            "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\n\
             storage: {{ filesystem: {{ rootdirectory: {at}/storage }}, delete: {{ enabled: true }} }}\n\
             http: {{ addr: \"{address}\" }}\n{}",
            more.replace("FOLDER", &at.to_string())
        );
        let path = folder.path().join("config.yml");
        fs::write(&path, config).expect("a file");
        let log = fs::File::create(folder.path().join("log")).expect("a file");
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&path)
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("docker-registry starts");
        let registry = Self { child, folder, address };
        eventually("the registry listens", || TcpStream::connect(&registry.address).is_ok());
        Some(registry)
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Ends it; its address answers no more.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The file that holds a blob, to change it behind the registry's back.
    pub fn blob(&self, digest: &str) -> std::path::PathBuf {
        let hex = digest.strip_prefix("sha256:").expect("a digest");
        self.folder.path().join(format!("storage/docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]))
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
