//! What a record costs on its way into a host and out of it: CPU time and memory, protocol by protocol.
//!
//! A host that sends stands opposite a host that receives, so each protocol is measured from both sides. Where neither can be the
//! other's peer, a real client or broker of `tests/servers.sh` is; without it the row is left out.

use super::programs::{Cost, measure, peak_mib, ticks};
use crate::harness::{Broker, NatsServer, Site, connect, free_port, settled, wire_client};
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Records that each protocol carries; those of a client in a scripting language, which is far slower than the host, are fewer.
const RECORDS: usize = 300_000;
const CLIENT_RECORDS: usize = 100_000;
/// How often a receiver is asked what it has; an answer takes it some tens of microseconds.
const LOOK: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(120);
/// Hundredths of a second, the system's unit of CPU time.
const TICK_US: f64 = 10_000.0;

/// One line of the table.
struct Line {
    name: &'static str,
    /// Microseconds of CPU a record.
    cpu_us: f64,
    memory_mib: f64,
}

/// Measures everything and prints it as a Markdown table. `gateway`: the sample of this name with sinks that forget.
///
/// # Errors
/// The input cannot be made, or a host fails.
pub fn table(root: &Path, input: &Path, gateway: &Path) -> Result<()> {
    let bench = Sizing::new(root, input)?;
    let base = bench.file_to("to: { type: \"null\" }", "")?;
    println!("{RECORDS} records of {} bytes; CPU time of the host alone\n", bench.record_bytes);
    println!(
        "| | CPU, µs a record | as a multiple of the first row | records a second and core | peak memory, MiB |\n|---|---|---|---|---|"
    );
    let base_us = bench.per_record(&base);
    let tell = |line: Line| {
        let Line { name, cpu_us, memory_mib } = line;
        println!("| {name} | {cpu_us:.2} | {:.1} | {:.0} | {memory_mib:.0} |", cpu_us / base_us, 1e6 / cpu_us);
    };
    tell(Line { name: "`file` → `null`, no steps", cpu_us: base_us, memory_mib: base.memory });
    let gateway = bench.gateway(gateway)?;
    tell(Line { name: "the same through four plugins (sample gateway)", cpu_us: bench.per_record(&gateway), memory_mib: gateway.memory });
    for (name, sink) in [
        ("`file` → `file`", "to: { type: file, path: out.ndjson }"),
        ("`file` → `file`, zstd", "to: { type: file, path: out.ndjson.zst, compression: zstd }"),
    ] {
        let cost = bench.file_to(sink, "")?;
        tell(Line { name, cpu_us: bench.per_record(&cost), memory_mib: cost.memory });
    }
    for Pair { send, sink, receive, source } in PAIRS {
        let (sent, received) = bench.pair(sink, source)?;
        tell(Line { name: send, cpu_us: bench.per_record(&sent), memory_mib: sent.memory });
        tell(Line { name: receive, cpu_us: bench.per_record(&received), memory_mib: received.memory });
    }
    tell(bench.syslog()?);
    for (name, kind, script, rest) in [
        ("`fluent` → `null`, 100 bytes", "fluent", "send_fluent.py", &[][..]),
        ("`beats` → `null`, 100 bytes", "beats", "send_beats.py", &["2000"]),
    ] {
        bench.client(name, kind, script, rest)?.map_or_else(|| println!("| {name} | left out: its client is not installed |"), tell);
    }
    bench.kafka(&tell)?;
    bench.nats(&tell)
}

/// A sink and the source that takes what it sends; `PORT` stands for a free port.
struct Pair {
    send: &'static str,
    sink: &'static str,
    receive: &'static str,
    source: &'static str,
}

const PAIRS: [Pair; 5] = [
    Pair {
        send: "`file` → `http`",
        sink: "type: http, url: 'http://127.0.0.1:PORT/'",
        receive: "`http` → `null`",
        source: "type: http, listen: '127.0.0.1:PORT'",
    },
    Pair {
        send: "`file` → `http`, gzip",
        sink: "type: http, url: 'http://127.0.0.1:PORT/', compression: gzip",
        receive: "`http` → `null`, gzip",
        source: "type: http, listen: '127.0.0.1:PORT'",
    },
    Pair {
        send: "`file` → `elasticsearch`",
        sink: "type: elasticsearch, urls: ['http://127.0.0.1:PORT'], index: calls",
        receive: "`elasticsearch` → `null`",
        source: "type: elasticsearch, listen: '127.0.0.1:PORT'",
    },
    Pair {
        send: "`file` → `otlp`, gRPC",
        sink: "type: otlp, endpoint: 'http://127.0.0.1:PORT', protocol: grpc",
        receive: "`otlp` → `null`, gRPC",
        source: "type: otlp, grpc: '127.0.0.1:PORT'",
    },
    Pair {
        send: "`file` → `otlp`, HTTP",
        sink: "type: otlp, endpoint: 'http://127.0.0.1:PORT', protocol: http/protobuf",
        receive: "`otlp` → `null`, HTTP",
        source: "type: otlp, http: '127.0.0.1:PORT'",
    },
];

struct Sizing {
    root: PathBuf,
    tamis: PathBuf,
    input: PathBuf,
    record_bytes: u64,
}

impl Sizing {
    fn new(root: &Path, all: &Path) -> Result<Self> {
        let input = root.join("target/bench/sizing.ndjson");
        let mut out = BufWriter::new(std::fs::File::create(&input)?);
        for line in BufReader::new(std::fs::File::open(all)?).split(b'\n').take(RECORDS) {
            out.write_all(&line?)?;
            out.write_all(b"\n")?;
        }
        out.flush()?;
        let record_bytes = std::fs::metadata(&input)?.len() / RECORDS as u64;
        Ok(Self { root: root.to_owned(), tamis: crate::harness::tamis(), input, record_bytes })
    }

    fn per_record(&self, cost: &Cost) -> f64 {
        1e6 * cost.cpu / RECORDS as f64
    }

    fn source(&self) -> String {
        format!("in: {{ type: file, paths: ['{}'] }}", self.input.display())
    }

    /// Runs to the end from the file.
    fn file_to(&self, sink: &str, rest: &str) -> Result<Cost> {
        let site = Site::new();
        site.config(&format!("sources:\n  {}\npipelines: {{ main: {{ from: [in], to: [to] }} }}\nsinks:\n  {sink}\n{rest}", self.source()));
        let mut command = site.command(["--log", "error", "run", "--once", "--again", "-c", "tamis.yaml"]);
        measure(&mut command)
    }

    /// The sample's four plugins, to sinks that forget.
    fn gateway(&self, sample: &Path) -> Result<Cost> {
        let mut command = Command::new(&self.tamis);
        command.args(["--log", "error", "run", "--once", "--again", "-c"]).arg(sample).current_dir(&self.root);
        measure(command.env("TAMIS_INPUT", &self.input).env("TAMIS_LANES", "2"))
    }

    /// What the sender and the receiver take.
    fn pair(&self, sink: &str, source: &str) -> Result<(Cost, Cost)> {
        let port = free_port();
        let with_port = |text: &str| text.replace("PORT", &port.to_string());
        let receiver = Receiver::start(&with_port(source), port)?;
        let sent = self.file_to(&format!("to: {{ {} }}", with_port(sink)), "")?;
        Ok((sent, receiver.settled(RECORDS)?))
    }

    fn syslog(&self) -> Result<Line> {
        let port = free_port();
        let receiver = Receiver::start(&format!("type: syslog, listen: '127.0.0.1:{port}'"), port)?;
        let mut out = BufWriter::with_capacity(1 << 16, connect(port));
        for line in BufReader::new(std::fs::File::open(&self.input)?).split(b'\n') {
            out.write_all(b"<134>1 2026-01-01T00:00:00Z gw calls 1 - - ")?;
            out.write_all(&line?)?;
            out.write_all(b"\n")?;
        }
        drop(out.into_inner().context("a connection")?);
        let cost = receiver.settled(RECORDS)?;
        Ok(Line { name: "`syslog` → `null`, TCP", cpu_us: self.per_record(&cost), memory_mib: cost.memory })
    }

    fn client(&self, name: &'static str, kind: &str, script: &str, rest: &[&str]) -> Result<Option<Line>> {
        let port = free_port();
        let (port_text, count) = (port.to_string(), CLIENT_RECORDS.to_string());
        let arguments: Vec<&str> = [port_text.as_str(), &count].into_iter().chain(rest.iter().copied()).collect();
        let Some(mut client) = wire_client(script, &arguments) else { return Ok(None) };
        let receiver = Receiver::start(&format!("type: {kind}, listen: '127.0.0.1:{port}'"), port)?;
        let output = client.output()?;
        ensure!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        let cost = receiver.settled(CLIENT_RECORDS)?;
        Ok(Some(Line { name, cpu_us: 1e6 * cost.cpu / CLIENT_RECORDS as f64, memory_mib: cost.memory }))
    }

    fn kafka(&self, tell: &dyn Fn(Line)) -> Result<()> {
        let Some(broker) = Broker::sharing() else { return Ok(()) };
        let brokers = format!("type: kafka, brokers: ['{}']", broker.address());
        let sent = self.file_to(&format!("to: {{ {brokers}, topic: sizing }}"), "")?;
        tell(Line { name: "`file` → `kafka`", cpu_us: self.per_record(&sent), memory_mib: sent.memory });
        let taken = Receiver::start(&format!("{brokers}, topics: [sizing], group: sizing, start: earliest"), 0)?.settled(RECORDS)?;
        tell(Line { name: "`kafka` → `null`", cpu_us: self.per_record(&taken), memory_mib: taken.memory });
        Ok(())
    }

    fn nats(&self, tell: &dyn Fn(Line)) -> Result<()> {
        let Some(server) = NatsServer::start(&[]) else { return Ok(()) };
        server.api("STREAM.CREATE.sizing", &serde_json::json!({ "name": "sizing", "subjects": ["sizing.>"] }));
        let servers = format!("type: nats, servers: ['{}']", server.url());
        let sent = self.file_to(&format!("to: {{ {servers}, subject: sizing.calls }}"), "")?;
        tell(Line { name: "`file` → `nats`", cpu_us: self.per_record(&sent), memory_mib: sent.memory });
        let taken = Receiver::start(&format!("{servers}, stream: sizing, durable: sizing"), 0)?.settled(RECORDS)?;
        tell(Line { name: "`nats` → `null`", cpu_us: self.per_record(&taken), memory_mib: taken.memory });
        Ok(())
    }
}

/// A host that takes records and forgets them.
struct Receiver {
    child: Child,
    /// What it took to start.
    before: u64,
    site: Site,
}

impl Receiver {
    /// Waits until it listens at the port; a port of 0: it asks for records itself, and its start counts.
    fn start(source: &str, port: u16) -> Result<Self> {
        let site = Site::new();
        site.config(&format!(
            "sources:\n  in: {{ {source} }}\npipelines: {{ main: {{ from: [in], to: [to] }} }}\nsinks: {{ to: {{ type: \"null\" }} }}\nsettings: {{ admin: 'unix:admin.sock' }}"
        ));
        let mut command = site.command(["--log", "error", "run", "-c", "tamis.yaml"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn()?;
        if port != 0 {
            drop(connect(port));
        }
        let before = if port == 0 { 0 } else { ticks(child.id())? };
        Ok(Self { child, before, site })
    }

    /// What it took for the records, once it has so many.
    fn settled(mut self, records: usize) -> Result<Cost> {
        let (began, socket) = (Instant::now(), self.site.path("admin.sock"));
        while settled(&socket, "in") < records as u64 {
            ensure!(began.elapsed() < PATIENCE, "the receiver has only {} of {records} records", settled(&socket, "in"));
            ensure!(self.child.try_wait()?.is_none(), "the receiver has ended");
            std::thread::sleep(LOOK);
        }
        let memory = peak_mib(&PathBuf::from(format!("/proc/{}/status", self.child.id())));
        let cpu = ticks(self.child.id())?.saturating_sub(self.before) as f64 * TICK_US / 1e6;
        Ok(Cost { cpu, wall: began.elapsed().as_secs_f64(), memory })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
