//! Columns in a capsule.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tamis_record::{Batch, Column, DEPTH_MAX, Field, Fields, Kind, Path, Records, Values, check_json};

/// A field as the plugin was shown it, one value a record.
#[derive(Debug, Serialize, Deserialize)]
pub struct CapsuleColumn {
    /// Its path.
    pub field: String,
    /// How it was presented.
    pub kind: Kind,
    /// The values: text as a string, `json` as a string that holds the JSON as it was, the others as they are; `null` where the field
    /// was not there.
    pub values: Vec<Box<RawValue>>,
}

/// What a plugin that asks for these fields is shown of a record.
///
/// # Errors
/// What is wrong with the record.
pub fn columns(record: &[u8], reads: &[Field]) -> Result<Vec<Column>, String> {
    let mut fields = Fields::new();
    let ids: Vec<_> =
        reads.iter().map(|read| fields.read(&read.path, read.kind)).collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    let mut batch = Batch::new(Arc::new(fields));
    batch.set_depth_max(DEPTH_MAX);
    let end = u32::try_from(record.len()).map_err(|_| "the record is longer than 4 GiB".to_owned())?;
    let mut faults = Vec::new();
    batch.load(Arc::new(Records { text: record.to_vec(), rows: vec![(0, end)] }), &mut faults);
    batch.prepare(&ids, &mut faults);
    match faults.first() {
        Some(fault) => Err(fault.reason.clone()),
        None => Ok(ids.iter().map(|id| batch.column(*id).clone()).collect()),
    }
}

impl CapsuleColumn {
    /// A column of a batch.
    ///
    /// # Errors
    /// Text that is not UTF-8.
    pub fn new(field: &Path, column: &Column) -> Result<Self, serde_json::Error> {
        let value = |row: usize| RawValue::from_string(json_of(column, row, true)?);
        let values = (0..column.len()).map(value).collect::<Result<_, _>>()?;
        Ok(Self { field: field.to_string(), kind: column.values.kind(), values })
    }

    /// One value, as a dead letter tells it: JSON, with `json` as it is.
    ///
    /// # Errors
    /// When it is no JSON.
    pub fn of_value(field: &Path, kind: Kind, value: &RawValue) -> Result<Self, serde_json::Error> {
        let value = if kind == Kind::Json && value.get() != "null" {
            RawValue::from_string(serde_json::to_string(value.get())?)?
        } else {
            value.to_owned()
        };
        Ok(Self { field: field.to_string(), kind, values: vec![value] })
    }

    /// Whether it is a column of so many records.
    pub(super) fn check(&self, rows: u32) -> Result<(), String> {
        self.path()?;
        self.column(rows).map(|_| ())
    }

    /// Its path.
    pub(super) fn path(&self) -> Result<Path, String> {
        self.field.parse().map_err(|error: tamis_record::PathError| error.to_string())
    }

    /// As the plugin is given it.
    pub(super) fn column(&self, rows: u32) -> Result<Column, String> {
        if self.values.len() != rows as usize {
            return Err(format!("`{}` has {} values, and `rows` is {rows}: expected one value a row", self.field, self.values.len()));
        }
        let mut column = Column::new(self.kind);
        let mut present = vec![0u8; self.values.len().div_ceil(8)];
        for (row, value) in self.values.iter().enumerate() {
            if value.get() == "null" {
                column.values.push_absent();
                continue;
            }
            push(&mut column.values, value.get())
                .map_err(|expected| format!("value {} of `{}`: expected {expected} or null", row + 1, self.field))?;
            if let Some(bits) = present.get_mut(row / 8) {
                *bits |= 1 << (row % 8);
            }
        }
        column.present = Some(present);
        if let Values::Json(values) = &column.values {
            check_json(values, |row| column.is_present(row))
                .map_err(|(row, malformed)| format!("value {} of `{}`: its text is not JSON: {malformed}", row + 1, self.field))?;
        }
        Ok(column)
    }
}

fn push(values: &mut Values, json: &str) -> Result<(), &'static str> {
    match values {
        Values::Text(values) => values.push(serde_json::from_str::<String>(json).map_err(|_| "a string")?.as_bytes()),
        Values::Json(values) => values.push(serde_json::from_str::<String>(json).map_err(|_| "a string that holds JSON")?.as_bytes()),
        Values::Integer(values) => values.push(json.parse().map_err(|_| "a whole number of 64 bits")?),
        Values::Float(values) => {
            // The reader of numbers in JSON may be off in the last bit; this one is not.
            let value = json.parse::<f64>().ok().filter(|value| value.is_finite() && !json.starts_with('"'));
            values.push(value.ok_or("a number of 64 bits")?);
        }
        Values::Boolean(values) => values.push(match json {
            "true" => 1,
            "false" => 0,
            _ => return Err("true or false"),
        }),
    }
    Ok(())
}

/// A value as JSON; `quoted`: JSON stands in a string.
pub(super) fn json_of(column: &Column, row: usize, quoted: bool) -> Result<String, serde_json::Error> {
    if !column.is_present(row) {
        return Ok("null".to_owned());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(match &column.values {
        Values::Text(values) => serde_json::to_string(&text(values.get(row)))?,
        Values::Json(values) if quoted => serde_json::to_string(&text(values.get(row)))?,
        Values::Json(values) => text(values.get(row)),
        Values::Integer(values) => values.get(row).copied().unwrap_or_default().to_string(),
        Values::Float(values) => format!("{:?}", values.get(row).copied().unwrap_or_default()),
        Values::Boolean(values) => values.get(row).is_some_and(|value| *value != 0).to_string(),
    })
}
