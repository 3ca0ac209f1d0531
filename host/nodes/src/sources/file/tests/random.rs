//! A writer that does everything at random, and a source that is restarted at random: each line arrives at least once.

use super::rig::{Rig, Running, lines};
use std::collections::BTreeSet;

/// A log that is written, rotated, truncated, compressed, deleted.
struct World {
    rig: Rig,
    rng: fastrand::Rng,
    written: BTreeSet<String>,
    delivered: BTreeSet<String>,
    running: Option<Running>,
    generation: u32,
    number: u32,
    rotated: Vec<String>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            rig: Rig::new("x.log", ""),
            rng: fastrand::Rng::with_seed(seed),
            written: BTreeSet::new(),
            delivered: BTreeSet::new(),
            running: None,
            generation: 0,
            number: 0,
            rotated: Vec::new(),
        };
        world.running = Some(world.rig.start());
        world.fresh();
        world
    }

    /// Begins a file; it is told by its beginning once this was read.
    fn fresh(&mut self) {
        self.generation += 1;
        self.append();
        self.settle();
    }

    fn append(&mut self) {
        let count = self.rng.u32(2..40);
        let text = lines(&format!("g{}", self.generation), self.number..self.number + count);
        self.number += count;
        self.written.extend(text.lines().map(str::to_owned));
        // In pieces that do not end at line ends.
        let cut = self.rng.usize(..text.len());
        self.rig.append("x.log", &text[..cut]);
        if self.rng.bool() {
            std::thread::yield_now();
        }
        self.rig.append("x.log", &text[cut..]);
    }

    /// Everything that was written is delivered and safe.
    fn settle(&mut self) {
        let running = self.running.take().unwrap_or_else(|| self.rig.start());
        running.acknowledge(true);
        let missing: Vec<String> = self.written.difference(&self.delivered).cloned().collect();
        running.wait("all that was written", |shared| {
            let found: BTreeSet<&str> = shared.texts().into_iter().collect();
            missing.iter().all(|line| found.contains(line.as_str()))
        });
        std::thread::sleep(std::time::Duration::from_millis(60));
        self.running = Some(running);
    }

    fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            let shared = running.stop();
            self.delivered.extend(shared.records.into_iter().map(|(_, _, text)| text));
        }
    }

    fn step(&mut self) {
        match self.rng.u8(..12) {
            0..4 => self.append(),
            4 | 5 => {
                let name = format!("x.log.{}", self.generation);
                self.rig.rename("x.log", &name);
                self.rotated.push(name);
                self.fresh();
            }
            6 => {
                self.settle();
                let name = format!("x.log.{}", self.generation);
                self.rig.copy_truncate("x.log", &name);
                self.rotated.push(name);
                self.fresh();
            }
            7 => {
                if let Some(name) = self.rotated.pop() {
                    self.settle();
                    self.rig.compress(&name);
                }
            }
            8 => {
                self.settle();
                if !self.rotated.is_empty() {
                    std::fs::remove_file(self.rig.path(&self.rotated.remove(0))).unwrap();
                }
            }
            9 => self.stop(),
            _ => {
                self.stop();
                let acknowledge = self.rng.bool();
                // What is not acknowledged is not known to be delivered.
                self.running = Some(self.rig.start_with(acknowledge));
            }
        }
    }
}

#[test]
fn every_line_arrives_whatever_happens() {
    for seed in 0..6 {
        let mut world = World::new(seed);
        for _ in 0..40 {
            world.step();
        }
        world.settle();
        world.stop();
        let missing: Vec<&String> = world.written.difference(&world.delivered).collect();
        assert!(missing.is_empty(), "seed {seed}: {missing:?}");
        let invented: Vec<&String> = world.delivered.difference(&world.written).collect();
        assert!(invented.is_empty(), "seed {seed}: {invented:?}");
    }
}
