//! Finds personal data and secrets in records and masks, hashes or removes them.
//!
//! A [prescan](prescan) over a column's bytes marks the few positions where something could begin; [detectors](detect)
//! validate what is there, in the text as it stands and as it reads decoded ([views]); the [engine] puts the findings
//! together and rewrites the value, and [repeats] finds it where nothing tells it. Whole records and fields of any type are walked as JSON ([json]).

pub mod base64;
pub mod config;
pub mod detect;
pub mod digest;
pub mod engine;
pub mod findings;
pub mod json;
pub mod kind;
mod plugin;
pub mod prescan;
pub mod repeats;
pub mod views;

pub use plugin::Redact;

tamis_plugin::export!(batch Redact);
