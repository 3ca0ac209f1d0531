//! Dead letters that are run again: each goes to its own pipeline, as the record of the source it once came from.

use super::Gate;
use crate::lane::Recipient;
use crate::stop::HaltOnPanic;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tamis_codecs::Frame;
use tamis_config::Settings;
use tamis_delivery::letters::{Content, Letter, Lines, PendingFile, ReplayFolder};
use tamis_nodes::sources::{Outlet, Stream};

/// What it is called among the sources.
pub(crate) const REPLAY: &str = "dead_letters/replay";

/// How often the folder is looked at.
const POLL: Duration = Duration::from_secs(1);
/// How often it is written down how far a file is safe: what a host that is killed did since is repeated.
const SETTLE: Duration = Duration::from_millis(50);
/// How often a sleeping thread looks whether to end.
const LOOK: Duration = Duration::from_millis(20);

/// The source of dead letters: takes files from the replay folder, removes each when everything in it is safe.
pub(crate) struct Replay {
    folder: ReplayFolder,
    gate: Gate,
    /// Whether there is any other source left.
    alive: Weak<()>,
    once: bool,
    records_max: usize,
    bytes_max: usize,
    /// Files that were taken or reported, and those of them that are not yet safe, by the number of their stream.
    seen: HashSet<PathBuf>,
    /// Files for pipelines that there are not.
    waiting: HashSet<PathBuf>,
    open: BTreeMap<u64, Open>,
    next: u64,
    settled: Instant,
}

/// A file under way.
struct Open {
    file: PendingFile,
    /// The end of the last frame; all of it is safe when that is. None while it is read.
    end: Option<u64>,
    safe: u64,
    written: u64,
    /// Lines that are no letters.
    damaged: u64,
}

/// Letters of one source and stream, to be run again together.
#[derive(Default)]
struct Together {
    /// Source and stream.
    whence: Option<(Arc<str>, Arc<str>)>,
    /// Whether they have to be decoded.
    raw: bool,
    frame: Frame,
    offsets: Vec<u64>,
}

impl Replay {
    pub(crate) fn new(settings: &Settings, gate: Gate, alive: Weak<()>, once: bool) -> Self {
        let batch = &settings.batch;
        Self {
            folder: ReplayFolder::new(settings.data_dir.as_path()),
            gate,
            alive,
            once,
            records_max: batch.records as usize,
            bytes_max: usize::try_from(batch.bytes.0).unwrap_or(usize::MAX),
            seen: HashSet::new(),
            waiting: HashSet::new(),
            open: BTreeMap::new(),
            next: 0,
            settled: Instant::now(),
        }
    }

    /// Starts its thread, which ends when the host stops or all other sources have ended; with `once`, when it has run what
    /// was there at the start. It counts as one of those that are `left` until then.
    pub(crate) fn spawn(mut self, left: Arc<AtomicUsize>) -> io::Result<JoinHandle<()>> {
        left.fetch_add(1, Ordering::SeqCst);
        std::thread::Builder::new().name("dead letters".into()).spawn(move || {
            let _guard = HaltOnPanic(self.gate.stop.clone());
            self.run();
            left.fetch_sub(1, Ordering::SeqCst);
        })
    }

    fn run(&mut self) {
        let mut looked: Option<Instant> = None;
        loop {
            if looked.is_none_or(|at| at.elapsed() >= POLL) {
                self.take();
                looked = Some(Instant::now());
            }
            if !self.open.is_empty() && self.settled.elapsed() >= SETTLE {
                self.settle(false);
            }
            if self.once || self.gate.stopping() || self.alive.strong_count() == 0 {
                break;
            }
            std::thread::sleep(LOOK);
        }
        self.gate.finish();
        self.settle(true);
    }

    /// Takes the files that are new.
    fn take(&mut self) {
        let pending = match self.folder.pending() {
            Ok(pending) => pending,
            Err(error) => {
                if self.seen.insert(PathBuf::new()) {
                    tracing::warn!("dead letters cannot be run again: {error}");
                }
                return;
            }
        };
        for file in pending {
            let there = self.gate.current.get().is_some_and(|generation| generation.graph.pipeline(&file.pipeline).is_some());
            // One that waits for its pipeline is looked at again: a reload may bring it.
            if self.gate.stopping() || (self.seen.contains(&file.path) && !(there && self.waiting.remove(&file.path))) {
                continue;
            }
            self.seen.insert(file.path.clone());
            if !there {
                tracing::warn!("`{}` stays where it is: there is no pipeline `{}` to run it again", file.path.display(), file.pipeline);
                self.waiting.insert(file.path);
                continue;
            }
            let pipeline: Arc<str> = file.pipeline.as_str().into();
            let (path, id) = (file.path.display().to_string(), self.next);
            self.next += 1;
            self.open.insert(id, Open { file, end: None, safe: 0, written: 0, damaged: 0 });
            match self.feed(id, &pipeline) {
                Ok(true) => tracing::info!("dead letters of `{path}` are run again"),
                Ok(false) => return,
                Err(error) => {
                    self.open.remove(&id);
                    tracing::error!("`{path}` cannot be read, its dead letters wait there: {error}");
                }
            }
        }
    }

    /// Sends what a file holds. `false`: the host stops.
    fn feed(&mut self, id: u64, pipeline: &Arc<str>) -> io::Result<bool> {
        let Some(open) = self.open.get_mut(&id) else { return Ok(true) };
        let mut file = File::open(&open.file.path)?;
        let begin = open.file.position(&file);
        self.gate.expect(file.metadata()?.len().saturating_sub(begin));
        file.seek(SeekFrom::Start(begin))?;
        let mut lines = Lines::new(BufReader::with_capacity(256 * 1024, file), begin);
        let (mut end, mut damaged, mut together) = (begin, 0, Together::default());
        while let Some(line) = lines.next_line()? {
            let letter = line.text.and_then(|text| Letter::parse(text).ok()).and_then(|l| Some((l.content().ok()?, l)));
            let Some((content, letter)) = letter else {
                damaged += 1;
                continue;
            };
            let full = together.offsets.len() >= self.records_max || together.frame.records.text.len() >= self.bytes_max;
            if (full || !together.takes(&letter, &content)) && !self.send(id, pipeline, &mut together, end) {
                return Ok(false);
            }
            together.push(&letter, &content);
            end = line.next;
            together.frame.bytes = together.frame.bytes.saturating_add(line.next - line.offset);
        }
        if !self.send(id, pipeline, &mut together, end) {
            return Ok(false);
        }
        if damaged > 0 {
            self.gate.event("replay_damaged_lines", damaged);
        }
        if let Some(open) = self.open.get_mut(&id) {
            open.end = Some(end);
            open.damaged = damaged;
            // Nothing to wait for.
            if end == begin {
                open.safe = end;
            }
        }
        Ok(true)
    }

    fn send(&mut self, id: u64, pipeline: &Arc<str>, together: &mut Together, end: u64) -> bool {
        let Together { whence, raw, mut frame, offsets } = std::mem::take(together);
        let Some((source, stream)) = whence else { return true };
        frame.offsets = Some(offsets);
        if raw && let Some(config) = self.gate.current.get().and_then(|generation| generation.sources.get(&*source).cloned()) {
            frame = tamis_nodes::sources::decode(&config, frame);
        }
        let sent = self.gate.send_to(Some(Recipient { pipeline: Arc::clone(pipeline), source }), &Stream { id, name: stream }, frame, end);
        if self.settled.elapsed() >= SETTLE {
            self.settle(false);
        }
        sent
    }

    /// Removes files that are safe as a whole, and writes down how far the others are.
    fn settle(&mut self, last: bool) {
        for (id, safe) in self.gate.safe() {
            if let Some(open) = self.open.get_mut(&id) {
                open.safe = safe;
            }
        }
        self.settled = Instant::now();
        let Self { open, seen, .. } = self;
        open.retain(|_, open| {
            let path = open.file.path.display();
            if open.end == Some(open.safe) {
                if open.damaged > 0 {
                    tracing::error!("{} lines of `{path}` are no dead letters: it is kept as `{path}.damaged`", open.damaged);
                }
                match open.file.done(open.damaged > 0) {
                    Ok(()) => drop(seen.remove(&open.file.path)),
                    Err(error) => {
                        tracing::error!("`{path}` was run again and cannot be removed, the next start runs it once more: {error}");
                    }
                }
                return false;
            }
            if open.safe > open.written {
                open.written = open.safe;
                if let Err(error) = open.file.set_position(open.safe) {
                    tracing::warn!("how far `{path}` was run again cannot be written down, a restart repeats some of it: {error}");
                }
            }
            if last {
                tracing::info!("`{path}` was not run again to its end; the next start goes on with it");
            }
            true
        });
    }
}

impl Together {
    fn takes(&self, letter: &Letter<'_>, content: &Content<'_>) -> bool {
        let same = |(source, stream): &(Arc<str>, Arc<str>)| {
            **source == *letter.origin.source
                && **stream == *letter.origin.position.stream
                && self.raw == matches!(content, Content::Raw(_))
        };
        self.whence.as_ref().is_some_and(same)
    }

    fn push(&mut self, letter: &Letter<'_>, content: &Content<'_>) {
        self.whence.get_or_insert_with(|| ((*letter.origin.source).into(), (*letter.origin.position.stream).into()));
        let bytes = match content {
            Content::Record(record) => record,
            Content::Raw(line) => {
                self.raw = true;
                line.as_slice()
            }
        };
        let records = &mut self.frame.records;
        let from = records.text.len();
        records.text.extend_from_slice(bytes);
        // A line is at most 96 MiB, and a frame that is full takes no more.
        records.rows.push((from as u32, records.text.len() as u32));
        records.text.push(b'\n');
        self.offsets.push(letter.origin.position.offset);
    }
}
