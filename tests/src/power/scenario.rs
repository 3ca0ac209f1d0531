//! The run that is recorded: one source, and every kind of file that the host keeps.

use super::strace::{Event, events, traced};
use crate::harness::{Live, ONCE, Run, Server, Site, base64, eventually};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tamis_delivery::disk::{Disk as _, EntryKind};
use tamis_delivery::simulation::SimDisk;

const CONFIG: &str = "
sources: { in: { type: file, paths: ['in/*.ndjson'], poll: 10ms } }
pipelines: { main: { from: [in], to: [plain, parts, packed, queued] } }
sinks:
  plain: { type: file, path: out/plain.ndjson }
  parts: { type: file, path: 'parts/%{tenant}/log.ndjson', rotate: { size: 8KiB }, open_files: 2 }
  packed: { type: file, path: packed/all.ndjson.gz, compression: gzip, rotate: { size: 8KiB } }
  queued: { type: http, url: 'http://ADDRESS/in', buffer: { disk: 16MiB }, retry: { initial: 10ms, max: 50ms } }
settings: { admin: off, lanes: 2, batch: { records: 16 }, checkpoint_interval: 10ms, shutdown_timeout: 100ms }";

/// What makes the recorded run sync more often, and every start slower.
const EAGER: [(&str, &str); 2] = [(", open_files: 2", ""), ("batch: { records: 16 }, ", "")];

/// Where nobody answers.
const NOBODY: &str = "127.0.0.1:1";

/// A line of the input.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Which file it is in, as the source calls it.
    pub(super) file: &'static str,
    /// Where it ends, its line feed included.
    pub(super) end: u64,
    /// The line as every sink must have it; as a dead letter holds it when it is no record.
    pub(super) text: String,
    /// The tenant; none for a line that is no record.
    pub(super) tenant: Option<usize>,
}

/// The input, and what is run with it.
#[derive(Debug)]
pub struct Scenario {
    input: tempfile::TempDir,
    pub(super) lines: Vec<Line>,
}

/// The files of the input.
const FILES: [&str; 2] = ["in/a.ndjson", "in/b.ndjson"];

impl Scenario {
    /// An input of so many lines in two files. Every 17th is no JSON.
    pub fn new(lines: usize) -> Self {
        let input = tempfile::tempdir().expect("a folder");
        fs::create_dir(input.path().join("in")).expect("a folder");
        let mut ends = [0; 2];
        let lines = (0..lines)
            .map(|n| {
                let (file, tenant) = (n / 5 % 2, (n % 17 != 16).then_some(n % 3));
                let text = match tenant {
                    Some(tenant) => format!("{{\"n\":{n},\"tenant\":\"t{tenant}\",\"pad\":\"{}\"}}", "x".repeat(n * 7 % 60)),
                    None => format!("no record {n}"),
                };
                ends[file] += text.len() as u64 + 1;
                let text = if tenant.is_some() { text } else { base64(text.as_bytes()) };
                Line { file: FILES[file], end: ends[file], text, tenant }
            })
            .collect();
        let scenario = Self { input, lines };
        FILES.iter().for_each(|file| fs::write(scenario.input.path().join(file), "").expect("a file"));
        scenario
    }

    /// The input's lines as the source reads them, in steps that are written one after the other.
    fn steps(&self) -> Vec<Vec<(&'static str, String)>> {
        let raw = |n: usize, line: &Line| match line.tenant {
            Some(_) => line.text.clone(),
            None => format!("no record {n}"),
        };
        let numbered: Vec<_> = self.lines.iter().enumerate().collect();
        numbered.chunks(20).map(|chunk| chunk.iter().map(|(n, line)| (line.file, raw(*n, line) + "\n")).collect()).collect()
    }

    /// Follows the input while it is written, with nobody to take what waits in the spool, and ends by SIGTERM once a
    /// checkpoint covers all of it. To be called first and once: it makes the input.
    pub fn follow(&self) -> (Vec<Event>, PathBuf) {
        let site = self.site(&CONFIG.replace("ADDRESS", NOBODY));
        self.recorded(&site, || {
            for step in self.steps() {
                for file in FILES {
                    let text: String = step.iter().filter(|(name, _)| *name == file).map(|(_, line)| line.as_str()).collect();
                    let mut file = OpenOptions::new().append(true).open(self.input.path().join(file)).expect("the input");
                    file.write_all(text.as_bytes()).expect("the input");
                }
                std::thread::sleep(Duration::from_millis(6));
            }
        })
    }

    /// The same from the state of a disk, with the input that is there.
    pub fn follow_on(&self, disk: &SimDisk) -> (Vec<Event>, PathBuf) {
        let site = self.site(&CONFIG.replace("ADDRESS", NOBODY));
        lay_out(disk, Path::new("/"), &site.path(""));
        self.recorded(&site, || {})
    }

    fn recorded(&self, site: &Site, meanwhile: impl FnOnce()) -> (Vec<Event>, PathBuf) {
        let recording = self.input.path().join("follow.trace");
        let mut command = traced(&site.command(["run"]), &recording);
        command.stdout(std::process::Stdio::null());
        let live = Live::start(command);
        meanwhile();
        let end = |file: &str| self.lines.iter().filter(|line| line.file == file).map(|line| line.end).max().unwrap_or(0);
        eventually("a checkpoint of all of it", || {
            let text = String::from_utf8(site.read("data/checkpoints/in.json")).unwrap_or_default();
            FILES.iter().all(|file| text.contains(&format!("\"position\":{},", end(file))))
        });
        // Not to strace itself, which would let go of it.
        let first = fs::read_to_string(&recording).expect("the recording");
        let process = first.split(' ').next().expect("a process").to_owned();
        assert!(std::process::Command::new("kill").arg(process).status().is_ok_and(|status| status.success()), "kill");
        live.wait();
        (events(&fs::read_to_string(&recording).expect("the recording")), root(site))
    }

    /// Starts the host on the state of a disk and lets it end with what there is.
    pub fn resume(&self, disk: &SimDisk) -> State {
        let server = Server::start(|_| crate::harness::Said::Status(200));
        let site = self.lay_out(disk, &server.address());
        let before = super::verdict::Held::read(&site, Vec::new());
        let run = site.run(RESUME);
        State { run, before, after: super::verdict::Held::read(&site, server.taken()) }
    }

    /// The same, recorded.
    pub fn resume_recorded(&self, disk: &SimDisk) -> (State, Vec<Event>, PathBuf) {
        let server = Server::start(|_| crate::harness::Said::Status(200));
        let (site, recording) = (self.lay_out(disk, &server.address()), self.input.path().join("resume.trace"));
        let before = super::verdict::Held::read(&site, Vec::new());
        let run = Live::start(traced(&site.command(RESUME), &recording)).wait();
        let state = State { run, before, after: super::verdict::Held::read(&site, server.taken()) };
        (state, events(&fs::read_to_string(&recording).expect("the recording")), root(&site))
    }

    /// A folder to run in, with the input: the very files, so that the source knows them again.
    fn site(&self, config: &str) -> Site {
        let site = Site::new();
        site.config(config);
        fs::create_dir(site.path("in")).expect("a folder");
        FILES.iter().for_each(|file| fs::hard_link(self.input.path().join(file), site.path(file)).expect("a second name"));
        site
    }

    fn lay_out(&self, disk: &SimDisk, address: &str) -> Site {
        let calm = EAGER.iter().fold(CONFIG.replace("ADDRESS", address), |config, (eager, calm)| config.replace(eager, calm));
        let site = self.site(&calm);
        lay_out(disk, Path::new("/"), &site.path(""));
        site
    }
}

/// With its checkpoint, until everything is through, the spool included.
const RESUME: [&str; 6] = ["run", ONCE[1], "--report", "0", "--output", "json"];

fn root(site: &Site) -> PathBuf {
    site.path("").canonicalize().expect("a folder")
}

/// Writes what a simulated disk holds into a folder.
fn lay_out(disk: &SimDisk, from: &Path, to: &Path) {
    for entry in disk.list(from).expect("a folder") {
        let (from, to) = (from.join(&entry.name), to.join(&entry.name));
        if entry.kind == EntryKind::Folder {
            fs::create_dir(&to).unwrap_or_else(|error| panic!("{}: {error}", to.display()));
            lay_out(disk, &from, &to);
        } else {
            let file = disk.open_read(&from).expect("a file");
            let mut bytes = vec![0; file.bytes().expect("its length") as usize];
            file.read_full_at(&mut bytes, 0).expect("its bytes");
            fs::write(&to, bytes).expect("a file");
        }
    }
}

/// What became of a state of the disk.
#[derive(Debug)]
pub struct State {
    /// The host's run on it.
    pub run: Run,
    pub(super) before: super::verdict::Held,
    pub(super) after: super::verdict::Held,
}
