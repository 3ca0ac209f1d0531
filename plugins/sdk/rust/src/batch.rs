//! A batch as a plugin sees it, and the batch-level door to the host.

use crate::contract::types;
use crate::{Outcome, Signature};

/// A plugin that takes whole batches: for one whose fields follow from its configuration, or that works on columns.
///
/// Most plugins implement [`Plugin`](crate::Plugin) instead and leave the columns to the SDK.
///
/// ```
/// use tamis_plugin::{Batch, BatchPlugin, Field, Kind, Outcome, Signature};
///
/// /// Drops the records whose field, which the configuration names, is true.
/// struct DropTrue;
///
/// impl BatchPlugin for DropTrue {
///     fn init(config: &str) -> Result<(Self, Signature), String> {
///         let path = tamis_plugin::config::parse::<String>(config)?;
///         let reads = vec![Field { path, kind: Kind::Boolean }];
///         Ok((Self, Signature { reads, writes: vec![], outputs: vec![], drops: true }))
///     }
///
///     fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, String> {
///         let [column] = batch.columns else { return Err("expected one column".to_owned()) };
///         let tamis_plugin::Values::Boolean(values) = column.values else { return Err("expected truth values".to_owned()) };
///         let verdict = |(row, value): (usize, &u8)| if column.is_present(row) && *value == 1 { tamis_plugin::DROP } else { 0 };
///         let verdicts = values.iter().enumerate().map(verdict).collect();
///         Ok(Outcome { verdicts: Some(verdicts), patches: vec![], rejects: vec![] })
///     }
/// }
///
/// tamis_plugin::export!(batch DropTrue);
///
/// let mut plugin = tamis_plugin::testing::Harness::<DropTrue>::new(serde_json::json!("noisy")).unwrap();
/// let run = plugin.run(serde_json::json!([{ "noisy": true }, { "noisy": false }, {}]));
/// assert_eq!(run.fates[0], tamis_plugin::testing::Fate::Dropped);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a plugin",
    note = "implement tamis_plugin::Plugin and write export!(MyPlugin), or implement BatchPlugin and write export!(batch MyPlugin)"
)]
pub trait BatchPlugin: Sized + 'static {
    /// Makes the plugin from the step's configuration (JSON text) and says what it reads, writes and may do.
    ///
    /// # Errors
    /// What is wrong with the configuration, naming the key; the operator reads it and the pipeline does not load.
    fn init(config: &str) -> Result<(Self, Signature), String>;

    /// Processes one batch. Column `i` of the batch is `signature.reads[i]`.
    ///
    /// # Errors
    /// Fails the batch: the host halves it until the failing records stand alone. For a record that cannot be processed,
    /// a [`Reject`](crate::Reject) in the outcome is cheaper and says why.
    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, String>;
}

/// One batch: `rows` records, a column for each field that the plugin reads. Everything is borrowed, so a native host can
/// show its own buffers.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// How many records.
    pub rows: u32,
    /// In the order of `signature.reads`.
    pub columns: &'a [Column<'a>],
}

/// The values of one field, one slot a row.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a> {
    /// The values; the slot of a row that is not present holds nothing of use.
    pub values: Values<'a>,
    /// Which rows have a value: a bitmap, least significant bit first. `None`: all of them.
    pub present: Option<&'a [u8]>,
}

/// The values of a column by kind.
#[derive(Debug, Clone, Copy)]
pub enum Values<'a> {
    /// UTF-8, unescaped.
    Text(VarValues<'a>),
    /// Whole numbers of 64 bits.
    Integer(&'a [i64]),
    /// Numbers.
    Float(&'a [f64]),
    /// One byte a row, 0 or 1.
    Boolean(&'a [u8]),
    /// JSON text as it stands in the record.
    Json(VarValues<'a>),
}

/// Values of varying length, laid out as Arrow does: value `i` is `bytes[offsets[i]..offsets[i + 1]]`.
#[derive(Debug, Clone, Copy)]
pub struct VarValues<'a> {
    /// One entry more than there are rows, ascending.
    pub offsets: &'a [u32],
    /// The values, one after the other.
    pub bytes: &'a [u8],
}

impl<'a> VarValues<'a> {
    /// The bytes of the value in `row`; `None` where the offsets do not hold one.
    #[inline]
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&'a [u8]> {
        let start = *self.offsets.get(row)? as usize;
        let end = *self.offsets.get(row + 1)? as usize;
        self.bytes.get(start..end)
    }
}

impl<'a> Column<'a> {
    /// Whether `row` has a value.
    #[inline]
    #[must_use]
    pub fn is_present(&self, row: usize) -> bool {
        is_present(self.present, row)
    }

    /// The bytes of the value in `row` of a text or json column; `None` where it is not present or of another kind.
    #[inline]
    #[must_use]
    pub fn bytes(&self, row: usize) -> Option<&'a [u8]> {
        match &self.values {
            Values::Text(values) | Values::Json(values) if self.is_present(row) => values.get(row),
            _ => None,
        }
    }

    /// The kind of the values.
    #[must_use]
    pub fn kind(&self) -> types::Kind {
        match self.values {
            Values::Text(_) => types::Kind::Text,
            Values::Integer(_) => types::Kind::Integer,
            Values::Float(_) => types::Kind::Float,
            Values::Boolean(_) => types::Kind::Boolean,
            Values::Json(_) => types::Kind::Json,
        }
    }
}

#[inline]
pub(crate) fn is_present(present: Option<&[u8]>, row: usize) -> bool {
    match present {
        None => true,
        Some(bits) => bits.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1),
    }
}

/// The borrowed view of a batch's columns as the contract's own (owned) types hold them.
#[must_use]
pub fn view(batch: &types::Batch) -> Vec<Column<'_>> {
    batch
        .columns
        .iter()
        .map(|column| Column {
            values: match &column.values {
                types::Values::Text(values) => Values::Text(view_var(values)),
                types::Values::Integer(values) => Values::Integer(values),
                types::Values::Float(values) => Values::Float(values),
                types::Values::Boolean(values) => Values::Boolean(values),
                types::Values::Json(values) => Values::Json(view_var(values)),
            },
            present: column.present.as_deref(),
        })
        .collect()
}

fn view_var(values: &types::VarValues) -> VarValues<'_> {
    VarValues { offsets: &values.offsets, bytes: &values.bytes }
}
