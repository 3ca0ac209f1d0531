//! How records get to a sink: what waits in front of it, and how often a failed delivery is tried again.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Bytes;
use crate::reader::parts;

/// What waits in front of a sink.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Buffer {
    /// Bytes of records that may wait in memory with `drop_newest`, and beside the frames that sources have under way with `block`.
    /// They are not safe there: the source's position waits too. Default: 8 MiB; 64 KiB to 1 GiB.
    #[serde(deserialize_with = "parts::bytes_between::<_, 65_536, 1_073_741_824>")]
    pub memory: Bytes,
    /// Bytes of records that may wait on disk, under `<data_dir>/spool/`. They are safe there. Default: none; 16 MiB to 1 TiB.
    #[serde(deserialize_with = "parts::bytes_between_option::<_, 16_777_216, 1_099_511_627_776>")]
    #[schemars(with = "Option<Bytes>")]
    pub disk: Option<Bytes>,
    /// What becomes of a record when there is no more room. Default: `block`.
    pub when_full: WhenFull,
}

impl Default for Buffer {
    fn default() -> Self {
        Self { memory: Bytes::mebi(8), disk: None, when_full: WhenFull::Block }
    }
}

/// What becomes of a record when there is no room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// It waits, and so do its pipeline and its source.
    #[default]
    Block,
    /// It is dropped and counted: `tamis_sink_records_total{result="dropped"}`.
    DropNewest,
}

/// How often a delivery that failed is tried again. The pause doubles each time, give or take a half.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Retry {
    /// Pause before the first repetition. Default: 100 ms; 1 ms to 1 m.
    #[serde(deserialize_with = "parts::duration_between::<_, 1, 60_000>")]
    #[schemars(with = "String")]
    pub initial: Duration,
    /// Longest pause. Default: 10 s; 1 ms to 1 h.
    #[serde(deserialize_with = "parts::duration_between::<_, 1, 3_600_000>")]
    #[schemars(with = "String")]
    pub max: Duration,
    /// How long a delivery is tried before its records become dead letters. Default: for ever; 1 s to 30 d.
    #[serde(deserialize_with = "parts::duration_between_option::<_, 1_000, 2_592_000_000>")]
    #[schemars(with = "Option<String>")]
    pub give_up_after: Option<Duration>,
}

impl Default for Retry {
    fn default() -> Self {
        Self { initial: Duration::from_millis(100), max: Duration::from_secs(10), give_up_after: None }
    }
}
