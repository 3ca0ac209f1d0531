//! From columns to the rows an author reads.

use serde::Deserialize;

use crate::batch::{Batch, Column, Values, VarValues, is_present};
use crate::contract::types::Kind;

/// A row of the fields a plugin reads. Derive it: `#[derive(Reads)]`.
pub trait Reads<'a>: Sized {
    /// The fields by path and kind, in the order of the struct's members.
    const FIELDS: &'static [(&'static str, Kind)];
    /// The columns of a batch, opened.
    type Columns;

    /// Finds and checks the columns of a batch, once for all rows.
    ///
    /// # Errors
    /// A column that is not as the contract says.
    fn open(source: &Source<'_, 'a>) -> Result<Self::Columns, String>;

    /// The fields of one row.
    fn row(columns: &Self::Columns, row: usize) -> Self;
}

/// A plugin that reads nothing.
impl Reads<'_> for () {
    const FIELDS: &'static [(&'static str, Kind)] = &[];
    type Columns = ();

    fn open(_: &Source<'_, '_>) -> Result<(), String> {
        Ok(())
    }

    #[inline]
    fn row((): &(), _: usize) {}
}

/// Where the declared fields stand in a batch; a field that the configuration leaves out has no column.
#[derive(Debug, Clone, Copy)]
pub struct Source<'s, 'a> {
    batch: &'s Batch<'a>,
    places: &'s [Option<u32>],
}

impl<'s, 'a> Source<'s, 'a> {
    pub(crate) fn new(batch: &'s Batch<'a>, places: &'s [Option<u32>]) -> Self {
        Self { batch, places }
    }

    /// The column of the declared field at `place`; `None` if the configuration leaves it out.
    fn column(&self, place: usize) -> Result<Option<Column<'a>>, String> {
        let Some(index) = self.places.get(place).copied().flatten() else {
            return Ok(None);
        };
        match self.batch.columns.get(index as usize) {
            Some(column) => Ok(Some(*column)),
            None => Err(format!("the batch has {} columns, column {index} was declared", self.batch.columns.len())),
        }
    }

    /// The column's values if they are of variable length and of this kind.
    fn var(&self, place: usize, kind: Kind) -> Result<Option<Var<'a>>, String> {
        let Some(column) = self.column(place)? else {
            return Ok(None);
        };
        let values = match (column.values, kind) {
            (Values::Text(values), Kind::Text) | (Values::Json(values), Kind::Json) => values,
            _ => return Err(wrong_kind(place, kind, &column)),
        };
        let wanted = self.batch.rows as usize + 1;
        match values.offsets.get(..wanted) {
            Some(offsets) => Ok(Some(Var { values: VarValues { offsets, bytes: values.bytes }, present: column.present })),
            None => Err(wrong_length(place, wanted, values.offsets.len())),
        }
    }

    fn fixed<T>(&self, place: usize, kind: Kind, of: fn(Values<'a>) -> Option<&'a [T]>) -> Result<Option<Fixed<'a, T>>, String> {
        let Some(column) = self.column(place)? else {
            return Ok(None);
        };
        let values = of(column.values).ok_or_else(|| wrong_kind(place, kind, &column))?;
        let wanted = self.batch.rows as usize;
        match values.get(..wanted) {
            Some(values) => Ok(Some(Fixed { values, present: column.present })),
            None => Err(wrong_length(place, wanted, values.len())),
        }
    }
}

fn wrong_kind(place: usize, wanted: Kind, found: &Column<'_>) -> String {
    format!("column {place} is of kind {:?}, the plugin declared {wanted:?}", found.kind())
}

fn wrong_length(place: usize, wanted: usize, found: usize) -> String {
    format!("column {place} holds {found} entries, expected {wanted}")
}

/// A type that a member of a [`Reads`] struct may have; its type says the kind.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field that a plugin reads",
    note = "a field may be missing from a record, so its type is Option<&str>, Option<&[u8]>, Option<i64>, Option<f64>, Option<bool> or Option<Json>"
)]
pub trait ReadField<'a>: Sized {
    /// The kind to ask the host for.
    const KIND: Kind;
    /// The opened column.
    type Column;

    /// Opens the column of the field declared at `place`.
    ///
    /// # Errors
    /// A column that is not as the contract says.
    fn open(source: &Source<'_, 'a>, place: usize) -> Result<Self::Column, String>;

    /// The value in `row`, below the batch's number of rows.
    fn value(column: &Self::Column, row: usize) -> Self;
}

/// An opened column of values of variable length.
#[derive(Debug, Clone, Copy)]
pub struct Var<'a> {
    values: VarValues<'a>,
    present: Option<&'a [u8]>,
}

impl<'a> Var<'a> {
    #[inline]
    fn value(&self, row: usize) -> Option<&'a [u8]> {
        if is_present(self.present, row) { self.values.get(row) } else { None }
    }
}

/// An opened column of text, checked to be UTF-8 as a whole.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    offsets: &'a [u32],
    text: &'a str,
    present: Option<&'a [u8]>,
}

/// An opened column of values of one size.
#[derive(Debug, Clone, Copy)]
pub struct Fixed<'a, T> {
    values: &'a [T],
    present: Option<&'a [u8]>,
}

impl<T: Copy> Fixed<'_, T> {
    #[inline]
    fn value(&self, row: usize) -> Option<T> {
        if is_present(self.present, row) { self.values.get(row).copied() } else { None }
    }
}

impl<'a> ReadField<'a> for Option<&'a str> {
    const KIND: Kind = Kind::Text;
    type Column = Option<Text<'a>>;

    fn open(source: &Source<'_, 'a>, place: usize) -> Result<Self::Column, String> {
        let Some(var) = source.var(place, Kind::Text)? else {
            return Ok(None);
        };
        // The whole column at once: a check per value would cost more than the plugin's own work on short values.
        let text = simdutf8::basic::from_utf8(var.values.bytes).map_err(|_| format!("column {place} is not UTF-8"))?;
        Ok(Some(Text { offsets: var.values.offsets, text, present: var.present }))
    }

    #[inline]
    fn value(column: &Self::Column, row: usize) -> Self {
        let column = column.as_ref()?;
        if !is_present(column.present, row) {
            return None;
        }
        let start = *column.offsets.get(row)? as usize;
        let end = *column.offsets.get(row + 1)? as usize;
        column.text.get(start..end)
    }
}

/// The bytes of a text (UTF-8), for a plugin that compares and scans bytes: nothing is checked.
impl<'a> ReadField<'a> for Option<&'a [u8]> {
    const KIND: Kind = Kind::Text;
    type Column = Option<Var<'a>>;

    fn open(source: &Source<'_, 'a>, place: usize) -> Result<Self::Column, String> {
        source.var(place, Kind::Text)
    }

    #[inline]
    fn value(column: &Self::Column, row: usize) -> Self {
        column.as_ref()?.value(row)
    }
}

impl<'a> ReadField<'a> for Option<Json<'a>> {
    const KIND: Kind = Kind::Json;
    type Column = Option<Var<'a>>;

    fn open(source: &Source<'_, 'a>, place: usize) -> Result<Self::Column, String> {
        source.var(place, Kind::Json)
    }

    #[inline]
    fn value(column: &Self::Column, row: usize) -> Self {
        column.as_ref()?.value(row).map(Json)
    }
}

impl<'a> ReadField<'a> for Option<i64> {
    const KIND: Kind = Kind::Integer;
    type Column = Option<Fixed<'a, i64>>;

    fn open(source: &Source<'_, 'a>, place: usize) -> Result<Self::Column, String> {
        source.fixed(place, Kind::Integer, |values| match values {
            Values::Integer(values) => Some(values),
            _ => None,
        })
    }

    #[inline]
    fn value(column: &Self::Column, row: usize) -> Self {
        column.as_ref()?.value(row)
    }
}

impl<'a> ReadField<'a> for Option<f64> {
    const KIND: Kind = Kind::Float;
    type Column = Option<Fixed<'a, f64>>;

    fn open(source: &Source<'_, 'a>, place: usize) -> Result<Self::Column, String> {
        source.fixed(place, Kind::Float, |values| match values {
            Values::Float(values) => Some(values),
            _ => None,
        })
    }

    #[inline]
    fn value(column: &Self::Column, row: usize) -> Self {
        column.as_ref()?.value(row)
    }
}

impl<'a> ReadField<'a> for Option<bool> {
    const KIND: Kind = Kind::Boolean;
    type Column = Option<Fixed<'a, u8>>;

    fn open(source: &Source<'_, 'a>, place: usize) -> Result<Self::Column, String> {
        source.fixed(place, Kind::Boolean, |values| match values {
            Values::Boolean(values) => Some(values),
            _ => None,
        })
    }

    #[inline]
    fn value(column: &Self::Column, row: usize) -> Self {
        column.as_ref()?.value(row).map(|byte| byte != 0)
    }
}

/// One JSON value as text: for a field that may be of more than one kind, an object or an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<'a>(&'a [u8]);

impl<'a> Json<'a> {
    /// The value as the record spells it.
    #[inline]
    #[must_use]
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The value deserialised.
    ///
    /// # Errors
    /// What does not fit `T`.
    pub fn parse<T: Deserialize<'a>>(self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(self.0)
    }

    /// A whole number, be it a JSON number (`900803`) or text that holds one (`"900803"`, as some gateways write it).
    ///
    /// `None` for anything else, fractions and exponents included, and beyond 18 digits.
    #[inline]
    #[must_use]
    pub fn integer(self) -> Option<i64> {
        let mut digits = self.0;
        if let [b'"', inner @ .., b'"'] = digits {
            digits = inner.trim_ascii();
        }
        let (negative, digits) = match digits {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, digits),
        };
        if digits.is_empty() || digits.len() > 18 {
            return None;
        }
        let mut number = 0_i64;
        for &digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            number = number * 10 + i64::from(digit - b'0');
        }
        Some(if negative { -number } else { number })
    }
}

impl<'a> From<&'a [u8]> for Json<'a> {
    fn from(text: &'a [u8]) -> Self {
        Self(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_from_numbers_and_from_text() {
        let read = |text: &'static str| Json(text.as_bytes()).integer();
        assert_eq!(read("900803"), Some(900_803));
        assert_eq!(read("\"900803\""), Some(900_803));
        assert_eq!(read("\" 503 \""), Some(503));
        assert_eq!(read("-1"), Some(-1));
        for length in 1..=18 {
            let digits = &"987654321012345678"[..length];
            assert_eq!(read(digits), digits.parse().ok(), "{digits}");
            for place in 0..length {
                let mut spoilt = digits.as_bytes().to_vec();
                for byte in [b'/', b':', b'\0', 0xff] {
                    spoilt[place] = byte;
                    assert_eq!(Json(&spoilt).integer(), None, "{place} of {length}: {byte}");
                }
            }
        }
        for refused in ["", "\"\"", "-", "\"", "1.5", "2e3", "true", "[1]", "9999999999999999999", "\"12a\""] {
            assert_eq!(read(refused), None, "{refused}");
        }
    }

    #[test]
    fn text_is_sliced_by_offset_and_absence() {
        let columns =
            [Column { values: Values::Text(VarValues { offsets: &[0, 2, 2, 5], bytes: "ab\u{e9}d".as_bytes() }), present: Some(&[0b101]) }];
        let batch = Batch { rows: 3, columns: &columns };
        let source = Source::new(&batch, &[Some(0)]);
        let column = <Option<&str>>::open(&source, 0).expect("a sound column");
        let row = |row| <Option<&str>>::value(&column, row);
        assert_eq!([row(0), row(1), row(2)], [Some("ab"), None, Some("\u{e9}d")]);
    }

    #[test]
    fn a_column_unlike_the_contract_is_an_error() {
        let columns = [
            Column { values: Values::Integer(&[1]), present: None },
            Column { values: Values::Text(VarValues { offsets: &[0, 1], bytes: b"a" }), present: None },
            Column { values: Values::Text(VarValues { offsets: &[0, 1, 2], bytes: &[0xff, 0xfe] }), present: None },
        ];
        let batch = Batch { rows: 2, columns: &columns };
        let places = [Some(0), Some(1), Some(2), Some(3), None];
        let source = Source::new(&batch, &places);
        let text = |place| <Option<&str>>::open(&source, place).map(|column| column.is_some());
        assert_eq!(text(0), Err("column 0 is of kind Kind::Integer, the plugin declared Kind::Text".to_owned()));
        assert_eq!(text(1), Err("column 1 holds 2 entries, expected 3".to_owned()));
        assert_eq!(text(2), Err("column 2 is not UTF-8".to_owned()));
        assert_eq!(text(3), Err("the batch has 3 columns, column 3 was declared".to_owned()));
        assert_eq!(text(4), Ok(false));
        assert!(<Option<i64>>::open(&source, 0).is_err());
    }
}
