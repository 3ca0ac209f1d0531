//! Running: lanes that take batches through all steps to the sinks, in order, within bounds.

mod counts;
mod engine;
mod generation;
mod graph;
mod lane;
mod lanes;
mod metrics;
mod observer;
mod offline;
mod parcel;
mod passage;
mod pool;
mod sample;
mod sequence;
mod shadow;
mod sinks;
mod sources;
mod stop;
mod suspects;
pub mod tap;
mod tools;
pub mod trial;

pub use counts::{PipelineSummary, SinkSummary, SourceSummary, SpoolSummary, StepSummary, Summary};
pub use engine::{CanaryReport, Ended, Engine, Progress, StartError, StartOptions, TakenOver};
pub use metrics::Metrics;
pub use sample::Sample;
pub use shadow::{PipelineDifference, ShadowReport};
pub use stop::Stop;
pub use tools::{Component, Tools};
