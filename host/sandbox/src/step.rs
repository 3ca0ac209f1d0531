//! A plugin step of one lane: the instance, its replacement after a failure, the search for poison, the breaker.

use crate::bisect::{Attempt, bisect};
use crate::breaker::Breaker;
use crate::failure::{Cause, Failure};
use crate::instance::Instance;
use crate::plugin::Plugin;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tamis_record::Signature;
use tamis_record::{Column, Outcome};

/// Shortest deadline of a part of a batch.
pub const PART_DEADLINE_MIN: Duration = Duration::from_millis(20);
/// How many times the host-call limit the parts of one batch may answer together.
pub const PARTS_BYTES_FACTOR: u64 = 4;

/// Tells the time for the breaker; replaced in tests.
pub type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// What a lane holds for a plugin step.
pub struct Step {
    plugin: Plugin,
    config: Arc<str>,
    signature: Arc<Signature>,
    instance: Option<Instance>,
    breaker: Breaker,
    clock: Clock,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct StepResult {
    /// Verdicts, patches and rejects of the rows that were processed; row numbers are the batch's. After a bisection every
    /// patch names its rows, and one field may have several patches of different rows. Poisoned rows have the verdict to
    /// keep and no patch.
    pub outcome: Outcome,
    /// Rows that could not be processed, ascending, and why.
    pub poisoned: Vec<(u32, Failure)>,
    /// Failed calls by cause, in the order of [`Cause::ALL`].
    pub failures: [u64; Cause::ALL.len()],
    /// Calls made, failed ones too.
    pub calls: u64,
    /// Instances made.
    pub instances: u64,
    /// The most linear memory that an instance held after a call, those that failed included, in bytes.
    pub memory_bytes: u64,
    /// Time in the step, in nanoseconds.
    pub nanoseconds: u64,
    /// Whether the breaker is open now.
    pub breaker_open: bool,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step").field("plugin", &self.plugin).field("breaker", &self.breaker).finish_non_exhaustive()
    }
}

impl Step {
    /// A step that makes its instance at the first batch; see [`Step::warm`].
    pub fn new(plugin: Plugin, config_json: impl Into<Arc<str>>, signature: Arc<Signature>) -> Self {
        Self::with_clock(plugin, config_json, signature, Arc::new(Instant::now))
    }

    /// As [`Step::new`], with a clock for the breaker.
    pub fn with_clock(plugin: Plugin, config_json: impl Into<Arc<str>>, signature: Arc<Signature>, clock: Clock) -> Self {
        Self { plugin, config: config_json.into(), signature, instance: None, breaker: Breaker::new(), clock }
    }

    /// Makes the instance now, so that the first batch does not wait for it.
    ///
    /// # Errors
    /// As [`Plugin::instantiate`].
    pub fn warm(&mut self) -> Result<(), Failure> {
        if self.instance.is_none() {
            self.instance = Some(self.plugin.instantiate(&self.config, &self.signature)?);
        }
        Ok(())
    }

    /// The plugin.
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// What the plugin said it reads and does.
    pub fn signature(&self) -> &Arc<Signature> {
        &self.signature
    }

    /// Linear memory of the instance, in bytes; 0 without one.
    pub fn memory_bytes(&self) -> u64 {
        self.instance.as_ref().map_or(0, Instance::memory_bytes)
    }

    /// Passes a batch through the plugin. `columns` are those of the signature's `reads`, in that order, `rows` rows each.
    ///
    /// Never fails as a whole: rows that could not be processed are listed. A failing batch is halved; a part of it gets
    /// its share of the deadline, at least [`PART_DEADLINE_MIN`], so that finding an endless loop in 1,024 rows takes
    /// 100 + 50 + 25 + 8 × 20 ms and not 11 × 100 ms.
    pub fn process(&mut self, rows: u32, columns: &[&Column]) -> StepResult {
        let started = Instant::now();
        let mut result = StepResult::default();
        if rows > 0 {
            let bytes_max = self.plugin.limits().host_call_bytes.saturating_mul(PARTS_BYTES_FACTOR);
            let bisected = bisect(rows, bytes_max, |range| self.attempt(range, rows, columns, &mut result));
            (result.outcome, result.poisoned) = (bisected.outcome, bisected.poisoned);
        }
        result.breaker_open = self.breaker.is_open();
        result.nanoseconds = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        result
    }

    fn attempt(&mut self, range: Range<u32>, rows: u32, columns: &[&Column], counts: &mut StepResult) -> Attempt {
        if let Err(open) = self.breaker.permit((self.clock)()) {
            return Attempt::Refused(open);
        }
        let mut instance = match self.instance(counts) {
            Ok(instance) => instance,
            Err(failure) => {
                counts.count(&failure);
                self.breaker.open(&failure, (self.clock)());
                tracing::error!(
                    plugin = self.plugin.name(),
                    digest = self.plugin.digest(),
                    "no new instance of the plugin can be made; it is not called for a while: {failure}"
                );
                return Attempt::Refused(failure);
            }
        };
        counts.calls += 1;
        let answer = self.call(&mut instance, range, rows, columns);
        counts.memory_bytes = counts.memory_bytes.max(instance.memory_bytes());
        // An instance that failed is thrown away with its memory; the next call makes a new one.
        self.instance = Some(instance).filter(Instance::usable);
        match answer {
            Ok(outcome) => {
                self.breaker.success();
                Attempt::Done(outcome)
            }
            Err(failure) => {
                counts.count(&failure);
                if self.breaker.failure(rows, &failure, (self.clock)()) {
                    tracing::error!(
                        plugin = self.plugin.name(),
                        digest = self.plugin.digest(),
                        "the plugin fails all the time and is not called for a while: {failure}"
                    );
                }
                Attempt::Failed(failure)
            }
        }
    }

    fn instance(&mut self, counts: &mut StepResult) -> Result<Instance, Failure> {
        if let Some(instance) = self.instance.take() {
            return Ok(instance);
        }
        counts.instances += 1;
        self.plugin.instantiate(&self.config, &self.signature)
    }

    fn call(&self, instance: &mut Instance, range: Range<u32>, rows: u32, columns: &[&Column]) -> Result<Outcome, Failure> {
        let count = range.end - range.start;
        if count == rows {
            return instance.process(rows, columns);
        }
        let parts: Vec<Column> = columns.iter().map(|c| c.slice(range.start as usize, range.end as usize)).collect();
        let parts: Vec<&Column> = parts.iter().collect();
        instance.process_within(count, &parts, part_deadline(self.plugin.limits().deadline, count, rows))
    }
}

impl StepResult {
    fn count(&mut self, failure: &Failure) {
        if let Some(count) = self.failures.get_mut(failure.cause.index()) {
            *count += 1;
        }
    }
}

/// A part's share of the deadline, at least [`PART_DEADLINE_MIN`] and at most the whole.
fn part_deadline(deadline: Duration, count: u32, rows: u32) -> Duration {
    let share = deadline.mul_f64(f64::from(count) / f64::from(rows.max(1)));
    share.max(PART_DEADLINE_MIN).min(deadline)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_share_the_deadline() {
        let ms = Duration::from_millis;
        assert_eq!(part_deadline(ms(100), 512, 1024), ms(50));
        assert_eq!(part_deadline(ms(100), 1, 1024), ms(20));
        assert_eq!(part_deadline(ms(10), 1, 1024), ms(10));
        let levels = |rows: u32| (0..).map(|i| rows >> i).take_while(|r| *r > 0).map(|r| part_deadline(ms(100), r, rows)).sum::<Duration>();
        assert!(levels(1024) <= ms(340), "{:?}", levels(1024));
    }
}
