//! Where records go. A new sink is a variant of [`Sink`] and nothing else.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::Text;
use crate::reader::parts;

/// A sink for records.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(tag = "type")]
pub enum Sink {
    /// Appends to a file, one record a line.
    File(FileSink),
    /// Writes to standard output, one record a line.
    Stdout(StdoutSink),
    /// Takes records and forgets them.
    Null(NullSink),
}

impl Sink {
    /// The sink's `type` as the configuration writes it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Sink::File(_) => "file",
            Sink::Stdout(_) => "stdout",
            Sink::Null(_) => "null",
        }
    }
}

/// Appends to a file, one record a line.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct FileSink {
    /// The file, relative to the working directory. It and its folders are made when they are missing.
    #[serde(deserialize_with = "parts::file_path")]
    #[schemars(with = "String")]
    pub path: Text,
}

/// Writes to standard output, one record a line.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct StdoutSink {}

/// Takes records and forgets them.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct NullSink {}
