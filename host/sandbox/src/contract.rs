//! The contract's types as they cross the boundary (`wit/tamis-plugin/plugin.wit`), and their way to the record crate's types.
//!
//! Written out instead of generated for one reason: what goes in is borrowed. The lists of a [`Batch`] are slices of the
//! host's columns, so a call copies each list once, into the guest. What comes out is lifted once into owned vectors and
//! moved, not copied, into the record crate's types.

use tamis_record as record;
use wasmtime::component::{ComponentType, Lift, Lower};

/// The package this host serves.
pub(crate) const PACKAGE: &str = "tamis:plugin";
/// The version of the contract (package `tamis:plugin`) that this host speaks.
pub const VERSION: &str = "0.1.0";
/// The interface every plugin exports, without version.
pub(crate) const TRANSFORM: &str = "tamis:plugin/transform";

#[derive(Debug, Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "the derived lifting makes the variants from their numbers")]
pub(crate) enum Kind {
    #[component(name = "text")]
    Text,
    #[component(name = "integer")]
    Integer,
    #[component(name = "float")]
    Float,
    #[component(name = "boolean")]
    Boolean,
    #[component(name = "json")]
    Json,
}

impl From<Kind> for record::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Text => record::Kind::Text,
            Kind::Integer => record::Kind::Integer,
            Kind::Float => record::Kind::Float,
            Kind::Boolean => record::Kind::Boolean,
            Kind::Json => record::Kind::Json,
        }
    }
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct Field {
    pub(crate) path: String,
    pub(crate) kind: Kind,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct Signature {
    pub(crate) reads: Vec<Field>,
    pub(crate) writes: Vec<Field>,
    pub(crate) outputs: Vec<String>,
    pub(crate) drops: bool,
}

#[derive(Debug, Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "the derived lifting makes the variants from their numbers")]
pub(crate) enum Level {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct VarIn<'a> {
    offsets: &'a [u32],
    bytes: &'a [u8],
}

#[derive(ComponentType, Lower)]
#[component(variant)]
pub(crate) enum ValuesIn<'a> {
    #[component(name = "text")]
    Text(VarIn<'a>),
    #[component(name = "integer")]
    Integer(&'a [i64]),
    #[component(name = "float")]
    Float(&'a [f64]),
    #[component(name = "boolean")]
    Boolean(&'a [u8]),
    #[component(name = "json")]
    Json(VarIn<'a>),
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct ColumnIn<'a> {
    values: ValuesIn<'a>,
    present: Option<&'a [u8]>,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct BatchIn<'a> {
    pub(crate) rows: u32,
    pub(crate) columns: &'a [ColumnIn<'a>],
}

impl<'a> From<&'a record::VarValues> for VarIn<'a> {
    fn from(values: &'a record::VarValues) -> Self {
        Self { offsets: &values.offsets, bytes: &values.bytes }
    }
}

impl<'a> From<&'a record::Column> for ColumnIn<'a> {
    fn from(column: &'a record::Column) -> Self {
        let values = match &column.values {
            record::Values::Text(v) => ValuesIn::Text(v.into()),
            record::Values::Integer(v) => ValuesIn::Integer(v),
            record::Values::Float(v) => ValuesIn::Float(v),
            record::Values::Boolean(v) => ValuesIn::Boolean(v),
            record::Values::Json(v) => ValuesIn::Json(v.into()),
        };
        Self { values, present: column.present.as_deref() }
    }
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct VarOut {
    pub(crate) offsets: Vec<u32>,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug, ComponentType, Lift)]
#[component(variant)]
pub(crate) enum ValuesOut {
    #[component(name = "text")]
    Text(VarOut),
    #[component(name = "integer")]
    Integer(Vec<i64>),
    #[component(name = "float")]
    Float(Vec<f64>),
    #[component(name = "boolean")]
    Boolean(Vec<u8>),
    #[component(name = "json")]
    Json(VarOut),
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct ColumnOut {
    pub(crate) values: ValuesOut,
    pub(crate) present: Option<Vec<u8>>,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct PatchOut {
    pub(crate) field: u32,
    pub(crate) rows: Option<Vec<u32>>,
    pub(crate) column: ColumnOut,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct RejectOut {
    pub(crate) row: u32,
    pub(crate) reason: String,
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(crate) struct OutcomeOut {
    pub(crate) verdicts: Option<Vec<u8>>,
    pub(crate) patches: Vec<PatchOut>,
    pub(crate) rejects: Vec<RejectOut>,
}

impl From<VarOut> for record::VarValues {
    fn from(values: VarOut) -> Self {
        Self { offsets: values.offsets, bytes: values.bytes }
    }
}

impl From<ColumnOut> for record::Column {
    fn from(column: ColumnOut) -> Self {
        let values = match column.values {
            ValuesOut::Text(v) => record::Values::Text(v.into()),
            ValuesOut::Integer(v) => record::Values::Integer(v),
            ValuesOut::Float(v) => record::Values::Float(v),
            ValuesOut::Boolean(v) => record::Values::Boolean(v),
            ValuesOut::Json(v) => record::Values::Json(v.into()),
        };
        Self { values, present: column.present }
    }
}

impl From<OutcomeOut> for record::Outcome {
    /// Moves the lists; nothing is checked here, see `check`.
    fn from(outcome: OutcomeOut) -> Self {
        let patch = |p: PatchOut| record::Patch { field: p.field, rows: p.rows, column: p.column.into() };
        let reject = |r: RejectOut| record::Reject { row: r.row, reason: r.reason };
        Self {
            verdicts: outcome.verdicts,
            patches: outcome.patches.into_iter().map(patch).collect(),
            rejects: outcome.rejects.into_iter().map(reject).collect(),
        }
    }
}
