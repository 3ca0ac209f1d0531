//! One record as a program sees it: the fields it names, read from their columns when they are first asked for.

use super::layout::{Access, Layout};
use super::read::{Unreadable, Values, read};
use bytes::Bytes;
use std::cell::{Cell, OnceCell};
use tamis_record::{Column, Values as ColumnValues};
use vrl::compiler::{SecretTarget, Target};
use vrl::path::{BorrowedSegment, OwnedSegment, OwnedTargetPath, PathPrefix, ValuePath};
use vrl::value::Value;

/// A column of the batch, and its bytes in a form that values can share.
pub(crate) struct Source<'a> {
    pub(crate) column: &'a Column,
    shared: OnceCell<Bytes>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(column: &'a Column) -> Self {
        Self { column, shared: OnceCell::new() }
    }

    /// The JSON text of a row; `None` where the field is not present.
    pub(crate) fn text(&self, row: usize) -> Option<&'a [u8]> {
        self.column.bytes(row)
    }

    /// The value of a row; `None` where the field is not present.
    ///
    /// # Errors
    /// Text that VRL cannot hold.
    pub(crate) fn value(&self, row: usize) -> Result<Option<Value>, Unreadable> {
        let (ColumnValues::Json(values), true) = (&self.column.values, self.column.is_present(row)) else {
            return Ok(None);
        };
        let (Some(&from), Some(&to)) = (values.offsets.get(row), values.offsets.get(row + 1)) else {
            return Ok(None);
        };
        let (from, to) = (from as usize, to as usize);
        match values.get(row) {
            b"true" => return Ok(Some(Value::Boolean(true))),
            b"false" => return Ok(Some(Value::Boolean(false))),
            [b'1'..=b'9', rest @ ..] if rest.len() < 18 && rest.iter().all(u8::is_ascii_digit) => {
                let digits = values.get(row).iter();
                return Ok(Some(Value::Integer(digits.fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))));
            }
            _ => {}
        }
        let text = self.shared.get_or_init(|| Bytes::copy_from_slice(&values.bytes));
        if let [b'"', inner @ .., b'"'] = values.get(row)
            && !inner.contains(&b'\\')
        {
            return Ok(Some(Value::Bytes(text.slice(from + 1..to - 1))));
        }
        read(text, from, to, &Values { text }).map(Some)
    }
}

/// Values of one record, one cell a slot: empty until asked for; `None` where the field is not there.
pub(crate) type Cells = Vec<OnceCell<Option<Value>>>;

/// One record while a program runs on it.
pub(crate) struct Row<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) sources: &'a [Source<'a>],
    pub(crate) row: usize,
    pub(crate) cells: &'a mut Cells,
    /// Which writes the program made use of, by index.
    pub(crate) touched: &'a mut [bool],
    /// Why the record cannot be processed. VRL takes an error of the target for `null`, so it is kept here.
    pub(crate) fault: Cell<Option<Fault>>,
}

/// Why a record cannot be processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{0}")]
    Unreadable(#[from] Unreadable),
    #[error("the record is not a JSON object")]
    NoRecord,
    #[error("the program asked for a field the host did not foresee; this is a fault of the host")]
    Unforeseen,
}

static NOTHING: Value = Value::Null;

impl Row<'_> {
    /// The value of a slot.
    #[inline]
    pub(crate) fn cell(&self, slot: usize) -> Option<&Value> {
        let read = || {
            let source = self.sources.get(slot)?;
            let value = source.value(self.row).unwrap_or_else(|unreadable| {
                self.fault.set(Some(Fault::Unreadable(unreadable)));
                None
            });
            if value.is_none() && self.layout.slots.get(slot).is_some_and(|slot| slot.path.is_root()) && self.fault.get().is_none() {
                self.fault.set(Some(Fault::NoRecord));
            }
            value
        };
        self.cells.get(slot)?.get_or_init(read).as_ref()
    }

    /// Slot and the rest of the path in it.
    #[inline]
    fn locate<'p>(&self, path: &'p OwnedTargetPath) -> Option<(usize, &'p [OwnedSegment])> {
        let segments = path.path.segments.as_slice();
        let slot = self.layout.slot(segments).filter(|_| path.prefix == PathPrefix::Event);
        let located = slot.and_then(|slot| {
            let rest = segments.get(self.layout.slots.get(slot)?.segments.len()..)?;
            Some((slot, rest))
        });
        if located.is_none() {
            self.fault.set(Some(Fault::Unforeseen));
        }
        located
    }

    fn touch(&mut self, path: &OwnedTargetPath, access: Access) {
        match self.layout.write(&path.path.segments, access).and_then(|write| self.touched.get_mut(write)) {
            Some(touched) => *touched = true,
            None => self.fault.set(Some(Fault::Unforeseen)),
        }
    }

    /// The cell of a slot with its value read, to be changed.
    fn cell_mut(&mut self, slot: usize) -> Option<&mut Option<Value>> {
        self.cell(slot);
        self.cells.get_mut(slot)?.get_mut()
    }
}

/// A path given by its segments.
#[derive(Clone, Copy)]
pub(crate) struct Rest<'a>(pub(crate) &'a [OwnedSegment]);

impl<'a> ValuePath<'a> for Rest<'a> {
    type Iter = std::iter::Map<std::slice::Iter<'a, OwnedSegment>, fn(&'a OwnedSegment) -> BorrowedSegment<'a>>;

    fn segment_iter(&self) -> Self::Iter {
        self.0.iter().map(BorrowedSegment::from)
    }
}

impl Target for Row<'_> {
    fn target_insert(&mut self, path: &OwnedTargetPath, value: Value) -> Result<(), String> {
        self.touch(path, Access::Assign);
        let Some((slot, rest)) = self.locate(path) else {
            return Ok(());
        };
        if rest.is_empty() {
            if let Some(cell) = self.cells.get_mut(slot) {
                *cell = OnceCell::from(Some(value));
            }
        } else if let Some(cell) = self.cell_mut(slot) {
            cell.get_or_insert(Value::Null).insert(Rest(rest), value);
        }
        Ok(())
    }

    #[inline]
    fn target_get(&self, path: &OwnedTargetPath) -> Result<Option<&Value>, String> {
        // The runtime asks for the root before each run, whether the program does or not.
        if path.path.segments.is_empty() && self.layout.slot(&[]).is_none() {
            return Ok(Some(&NOTHING));
        }
        let value = self.locate(path).and_then(|(slot, rest)| {
            let value = self.cell(slot)?;
            if rest.is_empty() { Some(value) } else { value.get(Rest(rest)) }
        });
        Ok(value)
    }

    fn target_get_mut(&mut self, path: &OwnedTargetPath) -> Result<Option<&mut Value>, String> {
        self.touch(path, Access::Assign);
        let Some((slot, rest)) = self.locate(path) else {
            return Ok(None);
        };
        Ok(self.cell_mut(slot).and_then(Option::as_mut).and_then(|value| value.get_mut(Rest(rest))))
    }

    fn target_remove(&mut self, path: &OwnedTargetPath, compact: bool) -> Result<Option<Value>, String> {
        self.touch(path, Access::Delete { compact });
        let Some((slot, rest)) = self.locate(path) else {
            return Ok(None);
        };
        let within_slot = !path.path.segments.is_empty() && rest.is_empty();
        let Some(cell) = self.cell_mut(slot) else {
            return Ok(None);
        };
        if within_slot {
            return Ok(cell.take());
        }
        let Some(value) = cell else {
            return Ok(None);
        };
        let removed = value.remove(Rest(rest), compact);
        // A slot that is not the record itself goes with its last member.
        if compact && removed.is_some() && value.is_empty() && !matches!(value, Value::Null) && !path.path.segments.len().eq(&rest.len()) {
            *cell = None;
        }
        Ok(removed)
    }
}

/// Records carry no secrets.
impl SecretTarget for Row<'_> {
    fn get_secret(&self, _: &str) -> Option<&str> {
        None
    }
    fn insert_secret(&mut self, _: &str, _: &str) {}
    fn remove_secret(&mut self, _: &str) {}
}

impl std::fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row").field("row", &self.row).finish_non_exhaustive()
    }
}
