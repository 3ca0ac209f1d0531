//! What a configuration says, as validated values.
//!
//! Every type here is also the schema that `tamis schema` prints: the documentation comments are its descriptions.

mod admin_token;
mod bytes;
mod codec;
pub(crate) mod network;
mod path_template;
mod pipeline;
mod pipeline_test;
mod plugin;
mod policy;
mod reference;
mod settings;
mod sink;
mod source;
mod template;
mod transport;
mod uses;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use admin_token::{ADMIN_TOKENS_MAX, AdminToken, Role, TokenDigest};
pub use bytes::Bytes;
pub use codec::{
    AccessCodec, AccessFormat, AutoCodec, Codec, CsvCodec, Form, GrokCodec, GrokPattern, GrokType, LogFormat, LogfmtCodec, MediatorCodec,
    Part, Pattern, RawCodec, RegexCodec, SyslogCodec, UnknownZone, Zone, ZonedCodec,
};

pub use path_template::{
    PATH_FIELDS_MAX, PATH_PART_BYTES_MAX, PATH_VALUE_BYTES_MAX, PathPart, PathPiece, PathTemplate, PathTemplateError, TimePart,
};
pub use pipeline::{Pipeline, Step, StepKind, Undecodable};
pub use pipeline_test::{
    Expect, Expected, ExpectedLetter, ExpectedPassage, ExpectedRecord, LetterCause, PipelineTest, TEST_BYTES_MAX, TEST_NAME_CHARS_MAX,
    TESTS_MAX, TestInput,
};
pub use plugin::{Grant, OnFailure, Plugin, PluginLimits};
pub use policy::PluginsPolicy;
pub use reference::{Digest, REPOSITORY_CHARS_MAX, Reference, ReferenceError, Repository, SCHEME, TAG_CHARS_MAX};
pub use settings::{Admin, BatchSettings, Lanes, Settings, TapSettings};
pub use sink::{FileSink, NullSink, Rotation, Sink, SinkCompression, StdoutSink};
pub use source::{DemoSource, FileSource, Multiline, OnDamagedCheckpoint, Rate, Source, Start, StdinSource};
pub use template::Template;
pub use transport::{Buffer, Retry, WhenFull};

use crate::Located;

/// The version of the configuration's format that this host reads (`version: 1`).
pub const FORMAT_VERSION: u64 = 1;

/// A whole configuration, each part valid in itself. Whether the parts fit together (names that exist, grants that suffice)
/// is the plan's to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where records come from, by name. The place is the name's.
    pub sources: BTreeMap<String, Located<Source>>,
    /// What runs in the sandbox, by name.
    pub plugins: BTreeMap<String, Located<Plugin>>,
    /// Which plugins may be loaded.
    pub plugins_policy: PluginsPolicy,
    /// The ways from sources through steps to sinks, by name.
    pub pipelines: BTreeMap<String, Located<Pipeline>>,
    /// Where records go, by name.
    pub sinks: BTreeMap<String, Located<Sink>>,
    /// What holds for the host as a whole.
    pub settings: Settings,
    /// Tests of the pipelines, in the order of the files. The place is the test's.
    pub tests: Vec<Located<PipelineTest>>,
    /// The folder of the (first) configuration file: paths of components are relative to it.
    pub folder: PathBuf,
}
