//! What outlives the process: the disk, the source's log, the receiver, and what was promised.

use crate::Mutation;
use crate::file::FileSink;
use crate::process::{Process, STREAMS};
use crate::queue::{Answer, Queue};
use crate::record::{Fate, Record, Records};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use tamis_delivery::simulation::{Operation, Random, SimDisk};

/// Records in each stream.
const RECORDS: u64 = 60;
/// Steps with faults and crashes; then everything must come to an end within as many again.
const STEPS: usize = 500;

pub(crate) struct World {
    pub(crate) verbose: bool,
    pub(crate) crashes: u64,
    pub(crate) now_ms: u64,
    mutation: Mutation,
    random: Random,
    epoch: Instant,
    disk: SimDisk,
    /// How often the receiver has taken each record.
    received: BTreeMap<Record, u64>,
    /// What the present process has read and delivered.
    delivered: Records,
    /// What a source was ever told is safe.
    promised: [u64; STREAMS],
    /// What the last checkpoint says that was written without an error.
    saved: [u64; STREAMS],
}

impl World {
    pub(crate) fn new(seed: u64, mutation: Mutation) -> Self {
        Self {
            verbose: false,
            crashes: 0,
            now_ms: 0,
            mutation,
            random: Random::new(seed),
            epoch: Instant::now(),
            disk: SimDisk::new(),
            received: BTreeMap::new(),
            delivered: Records::new(),
            promised: [0; STREAMS],
            saved: [0; STREAMS],
        }
    }

    /// Runs to the end and gives the first violation.
    pub(crate) fn run(&mut self) -> Option<String> {
        let mut process = match self.start() {
            Ok(process) => process,
            Err(violation) => return Some(violation),
        };
        for step in 0..STEPS {
            if let Some(violation) = self.step(&mut process) {
                return Some(format!("step {step}: {violation}"));
            }
            if self.random.below(60) == 0 {
                match self.crash(process) {
                    Ok(next) => process = next,
                    Err(violation) => return Some(format!("crash {} after step {step}: {violation}", self.crashes)),
                }
            }
        }
        self.finish(process)
    }

    /// One thing happens.
    fn step(&mut self, process: &mut Process) -> Option<String> {
        self.now_ms += self.random.below(10) as u64;
        let what = self.random.below(100);
        self.say(what);
        match what {
            0..25 => {
                let stream = self.random.below(STREAMS);
                let count = (1 + self.random.below(5) as u64).min(RECORDS - process.read[stream]);
                if count > 0 {
                    process.read(stream, count);
                }
            }
            25..37 => process.queue.append(),
            37..42 => process.queue.sync(),
            42..54 => process.queue.read(),
            54..66 => {
                let answer =
                    [Answer::Takes, Answer::Takes, Answer::Takes, Answer::TakesInSilence, Answer::Fails, Answer::Fails, Answer::Refuses];
                let answer = answer[self.random.below(7)];
                if let Some(violation) = self.deliver(process, answer) {
                    return Some(violation);
                }
            }
            66..70 => process.queue.acknowledge(self.random.below(3) == 0),
            70..82 => process.file.write(),
            82..86 => process.file.commit(),
            86..91 => process.letters.write(),
            91..94 => process.letters.commit(),
            94..97 => self.save(process),
            97 => self.disk.fail_after(self.random.below(8) as u64, ErrorKind::Other),
            98 => self.disk.fail_every([Operation::Sync, Operation::SyncFolder, Operation::Write][self.random.below(3)], ErrorKind::Other),
            _ => self.disk.repair(),
        }
        process.violation()
    }

    fn deliver(&mut self, process: &mut Process, answer: Answer) -> Option<String> {
        let now = self.epoch + Duration::from_millis(self.now_ms);
        let (taken, own, refused) = process.queue.deliver(answer, now, self.random.below(100) as f64 / 100.0);
        if let Some(piece) = refused {
            // It had its turn: after a failed sync it may come again, and be taken then.
            self.delivered.extend(piece.records.iter().filter(|_| own));
            process.letters.queue.push_back(piece);
        }
        for record in taken {
            *self.received.entry(record).or_default() += 1;
            if record.stream >= STREAMS as u64 || record.index >= RECORDS || record.fate() != Fate::Out {
                return Some(format!("{record:?} was invented"));
            }
            // Within a process, what comes for the first time comes in order. What an earlier one had left in the spool may have
            // lost an entry that was not durable; that one comes from the source, later.
            if own
                && self.delivered.insert(record)
                && self.delivered.range(record..).any(|later| *later > record && later.stream == record.stream)
            {
                return Some(format!("{record:?} was delivered after one that comes later in its stream"));
            }
        }
        None
    }

    fn save(&mut self, process: &mut Process) {
        if let Some(positions) = process.save() {
            self.saved = positions;
            self.promise(positions);
        }
        self.promise(process.safe);
    }

    fn promise(&mut self, positions: [u64; STREAMS]) {
        for (promised, position) in self.promised.iter_mut().zip(positions) {
            *promised = (*promised).max(position);
        }
    }

    /// The process dies, by a kill or with the power, and another one starts.
    fn crash(&mut self, mut process: Process) -> Result<Process, String> {
        process.take_safe();
        self.promise(process.safe);
        drop(process);
        self.crashes += 1;
        self.disk = match self.random.below(3) {
            0 => self.disk.kill(),
            _ => self.disk.crash(self.random.below(1 << 20) as u64),
        };
        self.check()?;
        self.start()
    }

    fn start(&mut self) -> Result<Process, String> {
        self.delivered.clear();
        let process = Process::start(&self.disk, self.mutation).map_err(|error| format!("it does not start: {error}"))?;
        match process.read.iter().zip(self.saved).find(|(read, saved)| *read < saved) {
            Some((read, saved)) => Err(format!("it goes on from {read}, although {saved} was written down")),
            None => Ok(process),
        }
    }

    /// Whether everything that was promised is somewhere.
    fn check(&self) -> Result<(), String> {
        let spool = Queue::waiting(&self.disk).map_err(|error| error.to_string())?;
        let (file, letters) = (FileSink::read(&self.disk, "/out"), FileSink::read(&self.disk, "/letters"));
        for (stream, promised) in self.promised.iter().enumerate() {
            for index in 0..*promised {
                let record = Record { stream: stream as u64, index };
                let missing = match record.fate() {
                    Fate::Dropped => None,
                    Fate::Letter => (!letters.contains(&record)).then_some("the dead letters"),
                    Fate::Out if !file.contains(&record) => Some("the file"),
                    Fate::Out => {
                        let somewhere = self.received.contains_key(&record) || spool.contains(&record) || letters.contains(&record);
                        (!somewhere).then_some("the spool, and the receiver has not got it")
                    }
                };
                if let Some(place) = missing {
                    return Err(format!("{record:?} was called safe and is not in {place}"));
                }
            }
        }
        Ok(())
    }

    /// Without further faults everything comes to its end.
    fn finish(&mut self, mut process: Process) -> Option<String> {
        self.disk.repair();
        for _ in 0..STEPS {
            self.now_ms += 20;
            for stream in 0..STREAMS {
                let count = 5.min(RECORDS - process.read[stream]);
                if count > 0 {
                    process.read(stream, count);
                }
            }
            process.queue.append();
            process.queue.sync();
            process.queue.read();
            if let Some(violation) = self.deliver(&mut process, Answer::Takes) {
                return Some(violation);
            }
            process.queue.acknowledge(true);
            process.file.write();
            process.file.commit();
            process.letters.write();
            process.letters.commit();
            self.save(&mut process);
            if let Some(violation) = process.violation() {
                return Some(violation);
            }
            if process.is_idle() && process.read == [RECORDS; STREAMS] {
                self.save(&mut process);
                if self.saved != [RECORDS; STREAMS] {
                    return Some(format!("everything is delivered, and only {:?} is known to be safe", self.saved));
                }
                self.disk = self.disk.crash(0);
                return self.check().err();
            }
        }
        Some(format!("it does not come to an end: {:?} was read, {:?} is safe", process.read, process.safe))
    }

    /// Records that the receiver has taken, repeats included.
    pub(crate) fn taken(&self) -> u64 {
        self.received.values().sum()
    }

    /// Those that it took again.
    pub(crate) fn repeats(&self) -> u64 {
        self.received.values().map(|count| count - 1).sum()
    }

    fn say(&self, what: usize) {
        if self.verbose {
            println!("{} ms: {what}, promised {:?}, saved {:?}, received {}", self.now_ms, self.promised, self.saved, self.received.len());
        }
    }
}
