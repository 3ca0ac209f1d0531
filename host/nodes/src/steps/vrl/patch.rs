//! What a program changed, as patches in columns.

use super::instance::RECORD_BYTES_MAX;
use super::layout::Layout;
use super::read::{Unreadable, read};
use super::spelling::{Spelling, Spellings};
use super::target::{Rest, Row, Source};
use super::write::{Unwritable, write};
use tamis_record::{Column, Patch, Values as ColumnValues, VarValues};
use vrl::value::Value;

/// Why the result of a program is not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Undeliverable {
    #[error("the program made `.` {0}; a record is one object, and one record cannot become several")]
    NotAnObject(&'static str),
    #[error("the program took `{0}` and `{1}` for parts of an object and of an array in one record")]
    Conflict(String, String),
    #[error("{0}")]
    Unwritable(#[from] Unwritable),
    #[error("{0}")]
    Unreadable(#[from] Unreadable),
}

/// The changes of one written field over the rows of a batch.
#[derive(Debug, Default)]
struct Changes {
    rows: Vec<u32>,
    values: VarValues,
    /// Positions in `rows` at which the field is removed.
    removed: Vec<u32>,
}

/// The changes of a batch, one entry a written field.
#[derive(Debug)]
pub(crate) struct Patches {
    fields: Vec<Changes>,
}

impl Patches {
    pub(crate) fn new(layout: &Layout) -> Self {
        Self { fields: layout.writes.iter().map(|_| Changes::default()).collect() }
    }

    /// Adds what a program changed in one record; nothing where an error is given.
    ///
    /// # Errors
    /// A result that is no record.
    pub(crate) fn add(&mut self, row: &Row<'_>) -> Result<(), Undeliverable> {
        if !row.touched.contains(&true) {
            return Ok(());
        }
        let added = self.add_touched(row);
        if added.is_err() {
            self.forget(row.row as u32);
        }
        added
    }

    /// Takes back what the last record added.
    pub(crate) fn forget(&mut self, row: u32) {
        self.fields.iter_mut().for_each(|changes| changes.forget(row));
    }

    fn add_touched(&mut self, row: &Row<'_>) -> Result<(), Undeliverable> {
        let touched = |write: usize| row.touched.get(write) == Some(&true);
        for &(a, b) in &row.layout.conflicts {
            if touched(a) && touched(b) {
                let name = |write: usize| row.layout.writes.get(write).map(|write| write.place.path.to_string()).unwrap_or_default();
                return Err(Undeliverable::Conflict(name(a), name(b)));
            }
        }
        let mut room = RECORD_BYTES_MAX;
        let mut before = Before::default();
        for (i, (write_to, changes)) in row.layout.writes.iter().zip(&mut self.fields).enumerate() {
            if !touched(i) || write_to.covered_by.iter().any(|other| touched(*other)) {
                continue;
            }
            let (Some(slot), Some(source)) = (row.layout.slots.get(write_to.slot), row.sources.get(write_to.slot)) else {
                continue;
            };
            let rest = write_to.place.segments.get(slot.segments.len()..).unwrap_or_default();
            let after = row.cell(write_to.slot).and_then(|value| if rest.is_empty() { Some(value) } else { value.get(Rest(rest)) });
            if write_to.place.path.is_root() && !matches!(after, Some(Value::Object(_))) {
                return Err(Undeliverable::NotAnObject(after.map_or("nothing", article)));
            }
            let Some(after) = after else {
                // A field that is `null` looks like one that is missing, so a removal is passed on even where nothing shows.
                if rest.is_empty() || before.value(source, write_to.slot, row.row)?.is_some_and(|value| value.get(Rest(rest)).is_some()) {
                    changes.remove(row.row as u32);
                }
                continue;
            };
            let text = source.text(row.row);
            let same = match (text, rest.is_empty()) {
                (None, _) => false,
                (Some(text), true) if let Some(same) = plainly_same(text, after) => same,
                (Some(_), true) => before.value(source, write_to.slot, row.row)? == Some(after),
                (Some(_), false) => before.value(source, write_to.slot, row.row)?.and_then(|value| value.get(Rest(rest))) == Some(after),
            };
            if same {
                continue;
            }
            let spelling = match (text, after) {
                (Some(text), Value::Object(_) | Value::Array(_)) => before.spelling(text, write_to.slot, rest)?,
                _ => None,
            };
            let from = changes.values.bytes.len();
            write(&mut changes.values.bytes, after, spelling, room).inspect_err(|_| changes.values.bytes.truncate(from))?;
            room = room.saturating_sub(changes.values.bytes.len() - from);
            changes.values.close();
            changes.rows.push(row.row as u32);
        }
        Ok(())
    }

    /// The patches of a batch of `rows` records, in the order of the written fields.
    pub(crate) fn finish(self, rows: u32) -> Vec<Patch> {
        let fields = self.fields.into_iter().enumerate().filter(|(_, changes)| !changes.rows.is_empty());
        fields.map(|(field, changes)| changes.into_patch(field as u32, rows)).collect()
    }
}

impl Changes {
    fn remove(&mut self, row: u32) {
        self.removed.push(self.rows.len() as u32);
        self.rows.push(row);
        self.values.close();
    }

    fn forget(&mut self, row: u32) {
        if self.rows.last() != Some(&row) {
            return;
        }
        self.rows.pop();
        if self.removed.last() == Some(&(self.rows.len() as u32)) {
            self.removed.pop();
        }
        self.values.offsets.pop();
        self.values.bytes.truncate(self.values.offsets.last().map_or(0, |end| *end as usize));
    }

    fn into_patch(self, field: u32, rows: u32) -> Patch {
        let present = (!self.removed.is_empty()).then(|| {
            let mut bits = vec![0xFF; self.rows.len().div_ceil(8)];
            for position in &self.removed {
                if let Some(byte) = bits.get_mut(*position as usize / 8) {
                    *byte &= !(1u8 << (position % 8));
                }
            }
            // Bits beyond the last value are 0.
            if let (Some(last), used @ 1..) = (bits.last_mut(), self.rows.len() % 8) {
                *last &= (1u8 << used) - 1;
            }
            bits
        });
        let every_row = self.rows.len() == rows as usize;
        Patch { field, rows: (!every_row).then_some(self.rows), column: Column { values: ColumnValues::Json(self.values), present } }
    }
}

/// What stood in a slot before the program ran, parsed again where a comparison needs it. Fields of one slot follow each
/// other, so the last one is kept.
#[derive(Default)]
struct Before<'a> {
    value: Option<(usize, Option<Value>)>,
    spelling: Option<(usize, Spelling<'a>)>,
}

impl<'a> Before<'a> {
    fn value(&mut self, source: &Source<'a>, slot: usize, row: usize) -> Result<Option<&Value>, Unreadable> {
        if self.value.as_ref().is_none_or(|(kept, _)| *kept != slot) {
            self.value = Some((slot, source.value(row)?));
        }
        Ok(self.value.as_ref().and_then(|(_, value)| value.as_ref()))
    }

    fn spelling(&mut self, text: &'a [u8], slot: usize, rest: &[vrl::path::OwnedSegment]) -> Result<Option<&Spelling<'a>>, Unreadable> {
        if self.spelling.as_ref().is_none_or(|(kept, _)| *kept != slot) {
            self.spelling = Some((slot, read(text, 0, text.len(), &Spellings { text })?));
        }
        Ok(self.spelling.as_ref().and_then(|(_, spelling)| spelling.at(rest)))
    }
}

/// Whether a scalar is the one its JSON text says; `None` where that takes parsing.
fn plainly_same(text: &[u8], value: &Value) -> Option<bool> {
    match (text, value) {
        ([b'"', inner @ .., b'"'], Value::Bytes(bytes)) if !inner.contains(&b'\\') => Some(inner == bytes.as_ref()),
        ([b'"', inner @ .., b'"'], Value::String(string)) if !inner.contains(&b'\\') => Some(inner == string.as_bytes().as_ref()),
        (_, Value::Boolean(boolean)) => Some(text == if *boolean { b"true".as_slice() } else { b"false" }),
        _ => None,
    }
}

/// A kind of value as it reads in a sentence.
fn article(value: &Value) -> &'static str {
    match value {
        Value::Object(_) => "an object",
        Value::Array(_) => "an array",
        Value::Bytes(_) | Value::String(_) | Value::Regex(_) => "a string",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Boolean(_) => "a boolean",
        Value::Timestamp(_) => "a timestamp",
        Value::Null => "null",
    }
}
