//! Marks calls that took long: `slow` is true from a number of milliseconds on, which the configuration sets.

use serde::Deserialize;
use tamis_plugin::{Boolean, Plugin, Reads, Verdict, Writes};

/// The step's configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Milliseconds from which a call is slow.
    #[serde(default = "one_second")]
    slow_ms: i64,
}

fn one_second() -> i64 {
    1_000
}

/// What is read. The host shows these fields and nothing else of a record; `None` is missing, null or of another kind.
#[derive(Debug, Reads)]
pub struct In {
    #[field("responseLatency")]
    latency_ms: Option<i64>,
}

/// What is written. Without `#[field("…")]` the member's name is the field's path.
#[derive(Debug, Writes)]
pub struct Out {
    slow: Boolean,
}

/// The plugin.
#[derive(Debug)]
pub struct SlowCalls {
    slow_ms: i64,
    slow: u64,
}

impl Plugin for SlowCalls {
    type Config = Config;
    type In<'a> = In;
    type Out = Out;

    fn new(config: Config) -> Result<Self, String> {
        if config.slow_ms < 1 {
            return Err(format!("configuration key slow_ms: expected 1 or more, found {}", config.slow_ms));
        }
        Ok(Self { slow_ms: config.slow_ms, slow: 0 })
    }

    fn record(&mut self, row: In, out: &mut Out) -> Verdict {
        match row.latency_ms {
            // To the dead letters, with this reason; the other records go on.
            Some(..0) => return Verdict::reject("responseLatency is negative"),
            Some(latency_ms) => {
                let slow = latency_ms >= self.slow_ms;
                self.slow += u64::from(slow);
                out.slow.set(slow);
            }
            // A field that is not set stays as it is.
            None => {}
        }
        Verdict::Keep
    }

    fn batch_done(&mut self) {
        tamis_plugin::metrics::add("slow_calls", std::mem::take(&mut self.slow));
    }
}

tamis_plugin::export!(SlowCalls);

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tamis_plugin::testing::harness;

    use super::SlowCalls;

    #[test]
    fn calls_are_slow_from_the_limit_on() {
        let mut plugin = harness::<SlowCalls>(json!({ "slow_ms": 500 })).unwrap();
        let run = plugin.run(json!([{ "responseLatency": 499 }, { "responseLatency": 500 }, {}]));
        assert_eq!(run.records[0]["slow"], false);
        assert_eq!(run.records[1]["slow"], true);
        assert_eq!(run.records[2], json!({}));
    }

    #[test]
    fn a_limit_that_is_none_is_refused() {
        let error = harness::<SlowCalls>(json!({ "slow_ms": 0 })).unwrap_err();
        assert!(error.contains("slow_ms: expected 1 or more"), "{error}");
    }
}
