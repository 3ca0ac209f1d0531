//! From what an author sets to the columns of a patch.
//!
//! A writer appends to its column's buffers, which are sized by the batch before: nothing is allocated for a record.

use serde::Serialize;

use crate::append::append;
use crate::contract::types::{Column, Kind, Patch, Values, VarValues};

/// The fields a plugin writes. Derive it: `#[derive(Writes)]`.
pub trait Writes: Sized {
    /// The fields by path and kind, in the order of the struct's members.
    const FIELDS: &'static [(&'static str, Kind)];

    /// Writers without values.
    fn new() -> Self;

    /// The row that values are set for from now on; rows ascend.
    fn at(&mut self, row: u32);

    /// Takes back what was set for the current row.
    fn undo(&mut self);

    /// Hands over what was written in a batch of `rows`, by the member's place, and starts anew.
    fn take(&mut self, rows: u32, take: &mut dyn FnMut(usize, Written));
}

/// A plugin that writes nothing.
impl Writes for () {
    const FIELDS: &'static [(&'static str, Kind)] = &[];

    fn new() {}

    fn at(&mut self, _: u32) {}

    fn undo(&mut self) {}

    fn take(&mut self, _: u32, _: &mut dyn FnMut(usize, Written)) {}
}

/// A type that a member of a [`Writes`] struct may have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a column writer",
    note = "a field that a plugin writes is one of Text, Integer, Float, Boolean, JsonText"
)]
pub trait WriteField: Sized {
    /// The kind of the values.
    const KIND: Kind;

    /// A writer without values.
    fn new() -> Self;

    /// The row that a value is set for from now on; rows ascend.
    fn at(&mut self, row: u32);

    /// Takes back what was set for the current row.
    fn undo(&mut self);

    /// What was written in a batch of `rows`, `None` if nothing was; the writer starts anew.
    fn take(&mut self, rows: u32) -> Option<Written>;
}

/// The values written for one field in a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The rows that have an entry, ascending; `None`: all of them.
    pub rows: Option<Vec<u32>>,
    /// An entry that is not present removes the field.
    pub column: Column,
}

impl Written {
    /// The patch of the field at index `field` of `signature.writes`.
    #[must_use]
    pub fn patch(self, field: u32) -> Patch {
        Patch { field, rows: self.rows, column: self.column }
    }
}

/// Which rows have an entry, and which of the entries remove the field.
#[derive(Debug, Default)]
struct Entries {
    /// The row values are set for.
    row: u32,
    /// The row of the last entry plus one; 0 without one.
    after_last: u32,
    len: u32,
    /// The rows of the entries, kept from the first row on that was passed over.
    rows: Vec<u32>,
    sparse: bool,
    /// Presence bits, kept from the first removal on.
    present: Vec<u8>,
    removals: bool,
}

/// The entries of a batch, as a patch says them.
struct Taken {
    rows: Option<Vec<u32>>,
    present: Option<Vec<u8>>,
}

impl Entries {
    /// Whether the last entry is the current row's.
    #[inline]
    fn is_set(&self) -> bool {
        self.after_last == self.row + 1 && self.len > 0
    }

    /// Appends an entry for the current row, which has none.
    #[inline]
    fn push(&mut self, present: bool) {
        if self.sparse || self.row != self.len {
            self.push_row();
        }
        if self.removals || !present {
            self.push_presence(present);
        }
        self.after_last = self.row + 1;
        self.len += 1;
    }

    #[inline]
    fn push_row(&mut self) {
        if !self.sparse {
            self.name_rows();
        }
        self.rows.push(self.row);
    }

    /// Lists the rows so far, which were all.
    #[cold]
    fn name_rows(&mut self) {
        self.sparse = true;
        self.rows.clear();
        self.rows.extend(0..self.len);
    }

    fn push_presence(&mut self, present: bool) {
        if !self.removals {
            self.removals = true;
            self.present.clear();
            self.present.resize(self.len as usize / 8, 0xff);
            self.present.push(((1_u16 << (self.len % 8)) - 1) as u8);
        }
        let (byte, bit) = (self.len as usize / 8, self.len % 8);
        if byte == self.present.len() {
            self.present.push(0);
        }
        if let Some(byte) = self.present.get_mut(byte) {
            *byte = *byte & !(1 << bit) | u8::from(present) << bit;
        }
    }

    fn pop(&mut self) {
        self.len = self.len.saturating_sub(1);
        self.after_last = 0;
        if self.sparse {
            self.rows.pop();
        }
    }

    /// The entries of a batch of `rows`; `None` if there are none. Starts anew.
    fn take(&mut self, rows: u32) -> Option<Taken> {
        let len = self.len;
        self.after_last = 0;
        self.len = 0;
        let sparse = std::mem::take(&mut self.sparse);
        let removals = std::mem::take(&mut self.removals);
        if len == 0 {
            return None;
        }
        let patched = if sparse {
            Some(std::mem::replace(&mut self.rows, Vec::with_capacity(len as usize)))
        } else if len == rows {
            None
        } else {
            Some((0..len).collect())
        };
        let present = removals.then(|| {
            let mut present = std::mem::take(&mut self.present);
            present.truncate((len as usize).div_ceil(8));
            if let (Some(last), bits @ 1..) = (present.last_mut(), len % 8) {
                *last &= (1 << bits) - 1;
            }
            present
        });
        Some(Taken { rows: patched, present })
    }
}

/// The values of varying length behind [`Text`] and [`JsonText`].
#[derive(Debug, Default)]
struct VarWriter {
    entries: Entries,
    offsets: Vec<u32>,
    bytes: Vec<u8>,
}

impl VarWriter {
    #[inline]
    fn set_with(&mut self, append: impl FnOnce(&mut Buffer<'_>)) {
        self.undo();
        append(&mut Buffer { bytes: &mut self.bytes });
        self.push(true);
    }

    #[inline]
    fn set(&mut self, value: &[u8]) {
        self.undo();
        append(&mut self.bytes, value);
        self.push(true);
    }

    fn remove(&mut self) {
        self.undo();
        self.push(false);
    }

    #[inline]
    fn push(&mut self, present: bool) {
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        // A column of 4 GiB cannot be expressed: the saturated offset makes the host refuse the patch.
        self.offsets.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
        self.entries.push(present);
    }

    #[inline]
    fn undo(&mut self) {
        if self.entries.is_set() {
            self.entries.pop();
            self.offsets.pop();
            self.bytes.truncate(self.offsets.last().map_or(0, |&end| end as usize));
        }
    }

    fn take(&mut self, rows: u32, values: fn(VarValues) -> Values) -> Option<Written> {
        let Some(Taken { rows: patched, present }) = self.entries.take(rows) else {
            self.offsets.clear();
            self.bytes.clear();
            return None;
        };
        let offsets = Vec::with_capacity(self.offsets.len());
        let bytes = Vec::with_capacity(self.bytes.len());
        let values =
            values(VarValues { offsets: std::mem::replace(&mut self.offsets, offsets), bytes: std::mem::replace(&mut self.bytes, bytes) });
        Some(Written { rows: patched, column: Column { values, present } })
    }
}

/// The end of a column's buffer: what is appended becomes the value of the current row.
#[derive(Debug)]
pub struct Buffer<'b> {
    bytes: &'b mut Vec<u8>,
}

impl Buffer<'_> {
    /// Appends text.
    #[inline]
    pub fn push_str(&mut self, text: &str) {
        append(self.bytes, text.as_bytes());
    }

    /// Appends a character.
    #[inline]
    pub fn push(&mut self, character: char) {
        self.push_str(character.encode_utf8(&mut [0; 4]));
    }

    /// Appends bytes. The value as a whole must be UTF-8: the host checks it and fails the batch otherwise.
    #[inline]
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        append(self.bytes, bytes);
    }
}

impl std::fmt::Write for Buffer<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.push_str(text);
        Ok(())
    }
}

impl std::io::Write for Buffer<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.push_bytes(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

macro_rules! write_field_var {
    ($writer:ident, $kind:ident) => {
        impl WriteField for $writer {
            const KIND: Kind = Kind::$kind;

            fn new() -> Self {
                Self::default()
            }

            #[inline]
            fn at(&mut self, row: u32) {
                self.0.entries.row = row;
            }

            fn undo(&mut self) {
                self.0.undo();
            }

            fn take(&mut self, rows: u32) -> Option<Written> {
                self.0.take(rows, Values::$kind)
            }
        }

        impl $writer {
            /// Sets the field to what `append` appends to the column.
            #[inline]
            pub fn set_with(&mut self, append: impl FnOnce(&mut Buffer<'_>)) {
                self.0.set_with(append);
            }

            /// Removes the field from the record.
            #[inline]
            pub fn remove(&mut self) {
                self.0.remove();
            }
        }
    };
}

/// Writes a field of text. A row that is neither set nor removed is left as it is.
#[derive(Debug, Default)]
pub struct Text(VarWriter);

write_field_var!(Text, Text);

impl Text {
    /// Sets the field.
    #[inline]
    pub fn set(&mut self, value: &str) {
        self.0.set(value.as_bytes());
    }

    /// Sets the field to UTF-8 that was not checked here: the host checks it and fails the batch otherwise.
    #[inline]
    pub fn set_bytes(&mut self, value: &[u8]) {
        self.0.set(value);
    }
}

/// Writes a field of any kind as JSON text. A row that is neither set nor removed is left as it is.
#[derive(Debug, Default)]
pub struct JsonText(VarWriter);

write_field_var!(JsonText, Json);

impl JsonText {
    /// Sets the field to a value.
    ///
    /// # Errors
    /// What has no JSON form, such as a map whose keys are not text; the field is left as it was.
    pub fn set<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), serde_json::Error> {
        self.0.undo();
        let before = self.0.bytes.len();
        match serde_json::to_writer(&mut self.0.bytes, value) {
            Ok(()) => {
                self.0.push(true);
                Ok(())
            }
            Err(error) => {
                self.0.bytes.truncate(before);
                Err(error)
            }
        }
    }

    /// Sets the field to one JSON value in its text form; the host checks it and fails the batch otherwise.
    #[inline]
    pub fn set_text(&mut self, value: &[u8]) {
        self.0.set(value);
    }
}

macro_rules! fixed_writer {
    ($(#[$doc:meta])* $writer:ident, $kind:ident, $stored:ty) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub struct $writer {
            entries: Entries,
            values: Vec<$stored>,
        }

        impl $writer {
            #[inline]
            fn put(&mut self, value: $stored, present: bool) {
                self.undo();
                self.values.push(value);
                self.entries.push(present);
            }

            /// Removes the field from the record.
            #[inline]
            pub fn remove(&mut self) {
                self.put(<$stored>::default(), false);
            }
        }

        impl WriteField for $writer {
            const KIND: Kind = Kind::$kind;

            fn new() -> Self {
                Self::default()
            }

            #[inline]
            fn at(&mut self, row: u32) {
                self.entries.row = row;
            }

            #[inline]
            fn undo(&mut self) {
                if self.entries.is_set() {
                    self.entries.pop();
                    self.values.pop();
                }
            }

            fn take(&mut self, rows: u32) -> Option<Written> {
                let Some(Taken { rows: patched, present }) = self.entries.take(rows) else {
                    self.values.clear();
                    return None;
                };
                let next = Vec::with_capacity(self.values.len());
                let values = Values::$kind(std::mem::replace(&mut self.values, next));
                Some(Written { rows: patched, column: Column { values, present } })
            }
        }
    };
}

fixed_writer! {
    /// Writes a field of whole numbers. A row that is neither set nor removed is left as it is.
    Integer, Integer, i64
}

impl Integer {
    /// Sets the field.
    #[inline]
    pub fn set(&mut self, value: i64) {
        self.put(value, true);
    }
}

fixed_writer! {
    /// Writes a field of numbers. A row that is neither set nor removed is left as it is.
    Float, Float, f64
}

impl Float {
    /// Sets the field. JSON has no infinities and no NaN: those remove the field.
    #[inline]
    pub fn set(&mut self, value: f64) {
        if value.is_finite() {
            self.put(value, true);
        } else {
            self.remove();
        }
    }
}

fixed_writer! {
    /// Writes a field of truth values. A row that is neither set nor removed is left as it is.
    Boolean, Boolean, u8
}

impl Boolean {
    /// Sets the field.
    #[inline]
    pub fn set(&mut self, value: bool) {
        self.put(u8::from(value), true);
    }
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
