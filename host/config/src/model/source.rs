//! Where records come from. A new source is a variant of [`Source`] and nothing else.

use schemars::JsonSchema;
use serde::Deserialize;
use tamis_record::Path;

use super::{Bytes, Codec};
use crate::reader::parts;
use crate::{Located, Text};

/// A source of records.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(tag = "type")]
pub enum Source {
    /// Reads files.
    File(FileSource),
    /// Reads standard input.
    Stdin(StdinSource),
    /// Makes gateway records, to try things out.
    Demo(DemoSource),
}

impl Source {
    /// The source's `type` as the configuration writes it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Source::File(_) => "file",
            Source::Stdin(_) => "stdin",
            Source::Demo(_) => "demo",
        }
    }

    /// What the source's records hold, where its configuration says so.
    pub fn fields(&self) -> Option<&[Located<Path>]> {
        match self {
            Source::File(source) => source.fields.as_deref(),
            Source::Stdin(source) => source.fields.as_deref(),
            Source::Demo(_) => None,
        }
    }
}

/// Reads files.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct FileSource {
    /// The files to read: paths or glob patterns (`*`, `?`, `[…]`, `**`), at least one, relative to the working directory.
    #[serde(deserialize_with = "parts::globs_required")]
    #[schemars(with = "Vec<String>", length(min = 1))]
    pub paths: Vec<Text>,
    /// Paths or patterns of files that are left out.
    #[serde(default, deserialize_with = "parts::globs")]
    #[schemars(with = "Vec<String>")]
    pub exclude: Vec<Text>,
    /// How bytes become records. Default: `json`.
    #[serde(default)]
    #[schemars(schema_with = "crate::schema::codec")]
    pub codec: Codec,
    /// The longest record; a longer one is a dead letter. Default: 1 MiB; 1 KiB to 64 MiB.
    #[serde(default = "max_record", deserialize_with = "parts::bytes_between::<_, 1_024, 67_108_864>")]
    pub max_record: Bytes,
    /// The fields that the records hold, so that `tamis check` can say which field nobody provides. Default: unknown.
    #[serde(default, deserialize_with = "parts::paths_option")]
    #[schemars(with = "Option<Vec<String>>")]
    pub fields: Option<Vec<Located<Path>>>,
}

/// Reads standard input.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct StdinSource {
    /// How bytes become records. Default: `json`.
    #[serde(default)]
    #[schemars(schema_with = "crate::schema::codec")]
    pub codec: Codec,
    /// The longest record; a longer one is a dead letter. Default: 1 MiB; 1 KiB to 64 MiB.
    #[serde(default = "max_record", deserialize_with = "parts::bytes_between::<_, 1_024, 67_108_864>")]
    pub max_record: Bytes,
    /// The fields that the records hold, so that `tamis check` can say which field nobody provides. Default: unknown.
    #[serde(default, deserialize_with = "parts::paths_option")]
    #[schemars(with = "Option<Vec<String>>")]
    pub fields: Option<Vec<Located<Path>>>,
}

/// Makes gateway records, to try things out.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct DemoSource {
    /// Records a second, or `unlimited`. Default: 10.
    #[serde(default)]
    pub rate: Rate,
    /// How many records to make before the source ends. Default: it does not end.
    #[serde(default)]
    pub count: Option<u64>,
    /// Seed of the random numbers: the same seed makes the same records. Default: 1.
    #[serde(default = "seed")]
    pub seed: u64,
}

/// Records a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// As many as can be taken.
    Unlimited,
    /// So many records a second, at least 1.
    PerSecond(u64),
}

impl Default for Rate {
    fn default() -> Self {
        Rate::PerSecond(10)
    }
}

fn max_record() -> Bytes {
    Bytes::mebi(1)
}

fn seed() -> u64 {
    1
}
