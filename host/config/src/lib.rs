//! Configuration: the files' text as a tree that knows its places, then validated values, with every problem told at once.
//!
//! [`Config::load`] reads files; [`Config::parse`] takes a text. Both give what could be read and the [`Diagnostics`]. Apart
//! from reading the files named, and what `${…}` names through an [`Environment`], nothing here touches the world.

mod case_file;
mod diagnostic;
mod document;
mod file_error;
mod filled;
mod interpolate;
mod load;
mod model;
pub mod options;
mod place;
mod reader;
mod remnant;
pub mod schema;
mod setup;
mod text;

pub use case_file::load_tests;
pub use diagnostic::{DIAGNOSTICS_MAX, Diagnostic, Diagnostics, Severity, codes, escaped, nearest};
pub use document::{DEPTH_MAX, Document, FILE_BYTES_MAX, Key, NODES_MAX, Node, TEXT_BYTES_MAX, Value};
pub use file_error::FileError;
pub use filled::{FILLED_INSTEAD, without_filled};
pub use interpolate::{Environment, SECRET_BYTES_MAX, interpolate};
pub use load::{FileText, ProcessEnvironment};
pub use model::network::*;
pub use model::{
    ADMIN_TOKENS_MAX, AccessCodec, AccessFormat, Admin, AdminToken, AutoCodec, BatchSettings, Buffer, Bytes, Codec, Config, CsvCodec,
    DemoSource, Digest, Expect, Expected, ExpectedLetter, ExpectedPassage, ExpectedRecord, FORMAT_VERSION, FileSink, FileSource, Form,
    Grant, GrokCodec, GrokPattern, GrokType, Lanes, LetterCause, LogFormat, LogfmtCodec, MediatorCodec, Multiline, NullSink,
    OnDamagedCheckpoint, OnFailure, PATH_FIELDS_MAX, PATH_PART_BYTES_MAX, PATH_VALUE_BYTES_MAX, Part, PathPart, PathPiece, PathTemplate,
    PathTemplateError, Pattern, Pipeline, PipelineTest, Plugin, PluginLimits, PluginsPolicy, REPOSITORY_CHARS_MAX, Rate, RawCodec,
    Reference, ReferenceError, RegexCodec, Repository, Retry, Role, Rotation, SCHEME, Settings, Sink, SinkCompression, Source, Start,
    StdinSource, StdoutSink, Step, StepKind, SyslogCodec, TAG_CHARS_MAX, TEST_BYTES_MAX, TEST_NAME_CHARS_MAX, TESTS_MAX, TapSettings,
    Template, TestInput, TimePart, TokenDigest, Undecodable, UnknownZone, WhenFull, Zone, ZonedCodec,
};
pub use place::{Located, Place};
pub use reader::parts::{NAME_CHARS_MAX, is_name};
pub use setup::{FillError, FilledIn, Setup, SetupGrant, SetupLimits};
pub use text::Text;
