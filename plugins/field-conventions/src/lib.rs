//! A gateway's fields under the names of a convention: the Elastic Common Schema or OpenTelemetry's semantic conventions.
//! The plugins `ecs` and `otel` are this crate with one table each.

pub mod derive;
mod ecs;
mod fields;
mod otel;
mod rename;

pub use fields::{Field, From};
pub use rename::{ALSO_MAX, Config, Convention, Rename};

/// The Elastic Common Schema, version 9.
#[derive(Debug, Clone, Copy)]
pub struct Ecs;

impl Convention for Ecs {
    fn rules() -> &'static [Rule] {
        ecs::RULES
    }
}

/// OpenTelemetry's log data model and semantic conventions, version 1.44.
#[derive(Debug, Clone, Copy)]
pub struct Otel;

impl Convention for Otel {
    fn rules() -> &'static [Rule] {
        otel::RULES
    }
}

/// What becomes of a field under a convention.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The field.
    pub field: Field,
    /// The name it takes, as a path.
    pub to: &'static str,
    /// How its value is made.
    pub value: Value,
}

/// How a value is made from that of the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// As it is, with its type.
    Same,
    /// From milliseconds to nanoseconds, as a whole number.
    Nanoseconds,
    /// A trace's identifier: 32 hexadecimal digits in lower case, once `urn:uuid:` and dashes are gone; else nothing.
    TraceId,
    /// The host of a URL, without user, port and brackets; else nothing.
    Host,
    /// `success` for `OK` and other words of success, else `failure`.
    EventOutcome,
    /// As it is, unless it is a word of success.
    Failure,
    /// A list of the one value.
    List,
    /// OpenTelemetry's number for a level.
    SeverityNumber,
}

pub(crate) const fn rule(field: Field, to: &'static str) -> Rule {
    Rule { field, to, value: Value::Same }
}

pub(crate) const fn made(field: Field, to: &'static str, value: Value) -> Rule {
    Rule { field, to, value }
}
