//! Records as columns: those of a schema, or those that the records of a file have.

use super::Row;
use crate::document::Document;
use crate::fields;
use crate::timestamp::microseconds;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use tamis_config::{COLUMNS_MAX, ColumnType};
use tamis_record::{Path, Segment};

/// Bytes of a column's name that is made of a field's; a field with a longer one goes with the rest.
const NAME_BYTES_MAX: usize = 256;
/// The column of fields that have none of their own, where no schema says another.
const REST: &str = "_rest";
/// Whole numbers up to this one are the same as a number with a fraction.
const EXACT: u64 = 1 << 53;

/// The columns of some records.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    /// How many records there are.
    pub(super) rows: u32,
}

/// What one field holds.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: ColumnType,
    /// The records that have it, by their number.
    pub(super) rows: Vec<u32>,
    /// What those hold.
    pub(super) values: Values,
}

/// Values of one type.
#[derive(Debug, PartialEq)]
pub(super) enum Values {
    Int(Vec<i64>),
    Float(Vec<f64>),
    Bool(Vec<bool>),
    Bytes(Vec<Vec<u8>>),
}

#[derive(Debug, PartialEq)]
enum Cell {
    Int(i64),
    Float(f64),
    Bool(bool),
    Bytes(Vec<u8>),
}

impl Column {
    fn new(name: &str, kind: ColumnType) -> Self {
        let values = match kind {
            ColumnType::Int | ColumnType::Timestamp => Values::Int(Vec::new()),
            ColumnType::Float => Values::Float(Vec::new()),
            ColumnType::Bool => Values::Bool(Vec::new()),
            ColumnType::String | ColumnType::Json => Values::Bytes(Vec::new()),
        };
        Self { name: name.to_owned(), kind, rows: Vec::new(), values }
    }

    fn push(&mut self, row: u32, cell: Option<Cell>) {
        match (&mut self.values, cell) {
            (Values::Int(all), Some(Cell::Int(value))) => all.push(value),
            (Values::Float(all), Some(Cell::Float(value))) => all.push(value),
            (Values::Bool(all), Some(Cell::Bool(value))) => all.push(value),
            (Values::Bytes(all), Some(Cell::Bytes(value))) => all.push(value),
            _ => return,
        }
        self.rows.push(row);
    }
}

/// The columns that a configuration names.
#[derive(Debug)]
pub(super) struct Schema {
    columns: Vec<(String, Path, ColumnType)>,
    /// Fields at the top of a record that have a column of their own.
    fields: HashSet<String>,
    /// The column of other fields.
    rest: Option<String>,
}

impl Schema {
    /// `None`: there is none. Columns are in the order of their names, the rest is last.
    pub(super) fn new(columns: &BTreeMap<String, ColumnType>, rest: &str) -> Option<Self> {
        let column = |(name, kind): (&String, &ColumnType)| Some((name.clone(), name.parse().ok()?, *kind));
        let columns: Vec<_> = columns.iter().filter_map(column).collect();
        let top = |(_, path, _): &(String, Path, ColumnType)| match path.segments() {
            [Segment::Key(key)] => Some(key.to_string()),
            _ => None,
        };
        let fields = columns.iter().filter_map(top).collect();
        (!columns.is_empty()).then(|| Self { columns, fields, rest: (rest != "off").then(|| rest.to_owned()) })
    }

    /// The records as columns; those that do not fit are told with the reason.
    pub(super) fn table(&self, rows: &[Row<'_>], refused: &mut Vec<(usize, String)>) -> Table {
        let mut table = Table { columns: self.columns.iter().map(|(name, _, kind)| Column::new(name, *kind)).collect(), rows: 0 };
        let mut rest = self.rest.as_ref().map(|name| Column::new(name, ColumnType::Json));
        let mut cells = Vec::with_capacity(self.columns.len());
        for (place, line, _) in rows {
            let Some(document) = Document::parse(line) else {
                refused.push((*place, "the record is not an object".to_owned()));
                continue;
            };
            cells.clear();
            let cell = |(name, path, kind): &(String, Path, ColumnType)| match document.find(path) {
                None => Ok(None),
                Some(value) => cell(value, *kind).map_err(|found| format!("`{name}` is to be {}, and is {found}", told(*kind))),
            };
            match self.columns.iter().map(cell).try_for_each(|cell| cell.map(|cell| cells.push(cell))) {
                Ok(()) => {}
                Err(reason) => {
                    refused.push((*place, reason));
                    continue;
                }
            }
            table.columns.iter_mut().zip(cells.drain(..)).for_each(|(column, cell)| column.push(table.rows, cell));
            if let Some(rest) = &mut rest {
                rest.push(table.rows, others(&document, |field| self.fields.contains(field)));
            }
            table.rows += 1;
        }
        table.columns.extend(rest);
        table
    }
}

/// The columns that records have: one for each field at their top, in the order of names, of a type that fits all of them. Fields that are
/// known have one in any case, of the known type unless a record has something else.
pub(super) fn derived(rows: &[Row<'_>], known: &BTreeMap<String, ColumnType>, refused: &mut Vec<(usize, String)>) -> Table {
    let known = known.iter().filter(|(name, _)| is_column(name)).take(COLUMNS_MAX);
    let mut kinds: BTreeMap<String, Derived> = known.map(|(name, kind)| (name.clone(), (*kind).into())).collect();
    let mut has_rest = false;
    for (_, line, _) in rows {
        for (name, value) in Document::parse(line).iter().flat_map(|document| &document.members) {
            if let Some(kind) = kinds.get_mut(&**name) {
                *kind = kind.with(Derived::of(value));
            } else if is_column(name) && kinds.len() < COLUMNS_MAX {
                kinds.insert(name.clone().into_owned(), Derived::of(value));
            } else {
                has_rest = true;
            }
        }
    }
    let mut table = Table { columns: kinds.iter().map(|(name, kind)| Column::new(name, kind.column())).collect(), rows: 0 };
    // The record that each column was filled from last.
    let mut filled = vec![None; table.columns.len()];
    // A file has one column at least.
    let mut rest = (has_rest || kinds.is_empty()).then(|| Column::new(REST, ColumnType::Json));
    for (place, line, _) in rows {
        let Some(document) = Document::parse(line) else {
            refused.push((*place, "the record is not an object".to_owned()));
            continue;
        };
        // Of several fields of one name the last one counts.
        for (name, value) in document.members.iter().rev() {
            if let Ok(at) = table.columns.binary_search_by(|column| column.name.as_str().cmp(name))
                && let (Some(column), Some(filled)) = (table.columns.get_mut(at), filled.get_mut(at))
                && filled.replace(table.rows) != Some(table.rows)
            {
                // Its type fits.
                column.push(table.rows, cell(value, column.kind).unwrap_or_default());
            }
        }
        if let Some(rest) = &mut rest {
            rest.push(table.rows, others(&document, |field| kinds.contains_key(field)));
        }
        table.rows += 1;
    }
    table.columns.extend(rest);
    table
}

/// Whether a field may have a column of its own.
fn is_column(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name != REST
}

/// What the values of a field have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Derived {
    Null,
    Int,
    /// A whole number that one with a fraction cannot stand for.
    Long,
    Float,
    Bool,
    String,
    Json,
}

impl From<ColumnType> for Derived {
    fn from(kind: ColumnType) -> Self {
        match kind {
            ColumnType::String => Self::String,
            ColumnType::Int | ColumnType::Timestamp => Self::Int,
            ColumnType::Float => Self::Float,
            ColumnType::Bool => Self::Bool,
            ColumnType::Json => Self::Json,
        }
    }
}

impl Derived {
    fn of(value: &RawValue) -> Self {
        let text = value.get();
        match text.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't' | b'f') => Self::Bool,
            Some(b'"') if !text.contains('\\') || string(value).is_some() => Self::String,
            Some(b'-' | b'0'..=b'9') => match text.parse::<i64>() {
                Ok(number) if number.unsigned_abs() <= EXACT => Self::Int,
                Ok(_) => Self::Long,
                Err(_) if text.contains(['.', 'e', 'E']) && float(value).is_some() => Self::Float,
                Err(_) => Self::Json,
            },
            _ => Self::Json,
        }
    }

    /// What fits both.
    fn with(self, other: Self) -> Self {
        match (self, other) {
            (one, two) if one == two => one,
            (Self::Null, one) | (one, Self::Null) => one,
            (Self::Int, Self::Long) | (Self::Long, Self::Int) => Self::Long,
            (Self::Int, Self::Float) | (Self::Float, Self::Int) => Self::Float,
            _ => Self::Json,
        }
    }

    fn column(self) -> ColumnType {
        match self {
            Self::Null | Self::String => ColumnType::String,
            Self::Int | Self::Long => ColumnType::Int,
            Self::Float => ColumnType::Float,
            Self::Bool => ColumnType::Bool,
            Self::Json => ColumnType::Json,
        }
    }
}

/// A value as one of a column. `Ok(None)`: it is null.
///
/// # Errors
/// What it is instead.
fn cell(value: &RawValue, kind: ColumnType) -> Result<Option<Cell>, &'static str> {
    let text = value.get();
    if text == "null" {
        return Ok(None);
    }
    let cell = match kind {
        ColumnType::Json => Some(Cell::Bytes(text.as_bytes().to_vec())),
        ColumnType::String => string(value).map(|text| Cell::Bytes(text.into_owned().into_bytes())),
        ColumnType::Int => text.parse().ok().map(Cell::Int),
        ColumnType::Float => float(value).map(Cell::Float),
        ColumnType::Bool => text.parse().ok().map(Cell::Bool),
        ColumnType::Timestamp => {
            let time = match string(value) {
                Some(text) => microseconds(&text),
                None if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => microseconds(text),
                None => None,
            };
            time.map(Cell::Int)
        }
    };
    cell.map(Some).ok_or_else(|| found(text))
}

fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    let text = value.get();
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(plain) if !plain.contains('\\') => Some(Cow::Borrowed(plain)),
        Some(_) => serde_json::from_str::<String>(text).ok().map(Cow::Owned),
        None => None,
    }
}

fn float(value: &RawValue) -> Option<f64> {
    let text = value.get();
    let is_number = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    text.parse().ok().filter(|number: &f64| is_number && number.is_finite())
}

/// A type in words.
fn told(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::String => "a text",
        ColumnType::Int => "a whole number of 64 bits",
        ColumnType::Float => "a number",
        ColumnType::Bool => "a truth value",
        ColumnType::Timestamp => "a time of the years 0 to 9999",
        ColumnType::Json => "JSON",
    }
}

/// What stands where another type was expected, without quoting it.
fn found(text: &str) -> &'static str {
    match text.as_bytes().first() {
        Some(b'"') => "a text that is none",
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b't' | b'f') => "a truth value",
        _ if text.contains(['.', 'e', 'E']) => "a number with a fraction or an exponent",
        _ => "a whole number",
    }
}

/// The fields of a record without a column of their own, as an object; `None`: there are none.
fn others(document: &Document<'_>, has: impl Fn(&str) -> bool) -> Option<Cell> {
    let mut out = Vec::new();
    for (name, value) in document.members.iter().filter(|(name, _)| !has(name)) {
        out.push(if out.is_empty() { b'{' } else { b',' });
        fields::string(&mut out, name);
        out.push(b':');
        out.extend_from_slice(value.get().as_bytes());
    }
    if out.is_empty() {
        return None;
    }
    out.push(b'}');
    Some(Cell::Bytes(out))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tamis_nodes::sinks::Origin;

    const ORIGIN: Origin<'static> = Origin { pipeline: "p", source: "s", stream: "f", offset: Some(0) };

    fn rows<'l>(lines: &[&'l str]) -> Vec<Row<'l>> {
        lines.iter().enumerate().map(|(place, line)| (place, line.as_bytes(), ORIGIN)).collect()
    }

    /// Name, type, and what each record has.
    fn shown(table: &Table) -> Vec<String> {
        let one = |column: &Column| {
            let values: Vec<String> = match &column.values {
                Values::Int(all) => all.iter().map(ToString::to_string).collect(),
                Values::Float(all) => all.iter().map(|value| format!("{value:?}")).collect(),
                Values::Bool(all) => all.iter().map(ToString::to_string).collect(),
                Values::Bytes(all) => all.iter().map(|value| String::from_utf8(value.clone()).unwrap()).collect(),
            };
            let cells: Vec<String> = column.rows.iter().zip(values).map(|(row, value)| format!("{row}={value}")).collect();
            format!("{} {:?} {}", column.name, column.kind, cells.join(" "))
        };
        table.columns.iter().map(one).collect()
    }

    #[test]
    fn types_that_records_have() {
        let mut refused = Vec::new();
        let table = derived(
            &rows(&[
                r#"{"i":1,"f":1,"b":true,"s":"a\"b","m":1,"n":null,"o":{"x":1},"l":9007199254740993,"g":9007199254740993,"u":18446744073709551615}"#,
                r#"{"i":-7,"f":2.5,"b":false,"s":"é","m":"x","n":null,"o":null,"l":2,"g":0.5}"#,
                r#"[1]"#,
                r#"{"i":null,"s":"a","s":"last","b":true,"b":null,"z":1e999,"bad":"\ud800"}"#,
            ]),
            &BTreeMap::new(),
            &mut refused,
        );
        assert_eq!(
            shown(&table),
            [
                "b Bool 0=true 1=false",
                "bad Json 2=\"\\ud800\"",
                "f Float 0=1.0 1=2.5",
                "g Json 0=9007199254740993 1=0.5",
                "i Int 0=1 1=-7",
                "l Int 0=9007199254740993 1=2",
                "m Json 0=1 1=\"x\"",
                "n String ",
                "o Json 0={\"x\":1}",
                "s String 0=a\"b 1=é 2=last",
                "u Json 0=18446744073709551615",
                "z Json 2=1e999",
            ]
        );
        assert_eq!((table.rows, refused.len(), refused[0].0), (3, 1, 2));
    }

    #[test]
    fn types_that_are_known_before() {
        use ColumnType::*;
        let known = [("at", Int), ("b", Bool), ("f", Float), ("s", String), ("wrong", Int), ("_rest", Int)];
        let known = known.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect();
        let table = derived(&rows(&[r#"{"f":1,"wrong":"x","other":2}"#, r#"{"s":null,"f":2}"#]), &known, &mut Vec::new());
        let expected = ["at Int ", "b Bool ", "f Float 0=1.0 1=2.0", "other Int 0=2", "s String ", "wrong Json 0=\"x\""];
        assert_eq!(shown(&table), expected);
    }

    #[test]
    fn too_many_fields_and_none() {
        let many: Vec<String> = (0..1_500).map(|n| format!("\"f{n:04}\":{n}")).collect();
        let line = format!("{{{},\"_rest\":1,\"\":2}}", many.join(","));
        let table = derived(&rows(&[&line, "{\"f0000\":5,\"f1400\":6}"]), &BTreeMap::new(), &mut Vec::new());
        assert_eq!(table.columns.len(), COLUMNS_MAX + 1);
        let shown = shown(&table);
        assert_eq!(shown[0], "f0000 Int 0=0 1=5");
        let rest = shown.last().unwrap();
        assert!(rest.starts_with("_rest Json 0={\"f1000\":1000,") && rest.ends_with(",\"_rest\":1,\"\":2} 1={\"f1400\":6}"), "{rest}");
        assert_eq!(super::tests::shown(&derived(&rows(&["{}"]), &BTreeMap::new(), &mut Vec::new())), ["_rest Json "]);
    }

    #[test]
    fn a_schema_and_what_does_not_fit_it() {
        use ColumnType::*;
        let columns = [("at", Timestamp), ("h.code", Int), ("j", Json), ("ok", Bool), ("s", String), ("x", Float)];
        let columns = columns.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect();
        let schema = Schema::new(&columns, "other").unwrap();
        let lines = [
            r#"{"at":"2024-03-01T00:05:05.000001Z","h":{"code":200},"j":[1, 2],"ok":true,"s":"x","x":1,"more":{"a":1}}"#,
            r#"{"at":1709251505,"h":{},"s":null}"#,
            r#"{"s":7}"#,
            r#"{"h":{"code":"200"}}"#,
            r#"{"h":{"code":2.5}}"#,
            r#"{"at":"soon"}"#,
            r#"{"ok":"true"}"#,
            r#"{"x":"1"}"#,
            "7",
        ];
        let mut refused = Vec::new();
        let table = schema.table(&rows(&lines), &mut refused);
        assert_eq!(
            shown(&table),
            [
                "at Timestamp 0=1709251505000001 1=1709251505000000",
                "h.code Int 0=200",
                "j Json 0=[1, 2]",
                "ok Bool 0=true",
                "s String 0=x",
                "x Float 0=1.0",
                "other Json 0={\"h\":{\"code\":200},\"more\":{\"a\":1}} 1={\"h\":{}}",
            ]
        );
        let reasons: Vec<&str> = refused.iter().map(|(_, reason)| reason.as_str()).collect();
        assert_eq!(reasons[0], "`s` is to be a text, and is a whole number");
        assert_eq!(reasons[2], "`h.code` is to be a whole number of 64 bits, and is a number with a fraction or an exponent");
        assert!(reasons[3].starts_with("`at` is to be a time") && !reasons[3].contains("soon"), "{reasons:?}");
        assert_eq!((refused.len(), refused[0].0, table.rows), (7, 2, 2));
        assert!(shown(&Schema::new(&columns, "off").unwrap().table(&rows(&lines), &mut Vec::new())).len() == 6);
        assert!(Schema::new(&BTreeMap::new(), "_rest").is_none());
    }
}
