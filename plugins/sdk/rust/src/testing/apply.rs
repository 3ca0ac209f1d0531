//! From a plugin's patches back to JSON records, with the checks a host makes.

use serde_json::Value;

use super::Fate;
use super::path::Path;
use crate::batch::is_present;
use crate::contract::types::{Column, Field, Kind, Outcome, Patch, Values, VarValues};

/// The records with the patches of those that go on.
pub(super) fn patches(writes: &[Field], outcome: &Outcome, fates: &[Fate], mut records: Vec<Value>) -> Result<Vec<Value>, String> {
    for patch in &outcome.patches {
        let field = writes.get(patch.field as usize).ok_or_else(|| format!("a patch of field {}, which was not declared", patch.field))?;
        let path = Path::parse(&field.path)?;
        let rows = rows(patch, records.len()).map_err(|error| format!("{}: {error}", field.path))?;
        let values = values(&patch.column, field.kind, rows.len()).map_err(|error| format!("{}: {error}", field.path))?;
        for (row, value) in rows.into_iter().zip(values) {
            let goes_on = matches!(fates.get(row), Some(Fate::Kept | Fate::Sent(_)));
            if let Some(record) = records.get_mut(row).filter(|_| goes_on) {
                match value {
                    Some(value) => {
                        if !path.set(record, value) {
                            return Err(format!("{}: row {row} has a value of another form on the way", field.path));
                        }
                    }
                    None => path.remove(record),
                }
            }
        }
    }
    Ok(records)
}

fn rows(patch: &Patch, records: usize) -> Result<Vec<usize>, String> {
    let Some(rows) = &patch.rows else {
        return Ok((0..records).collect());
    };
    if !rows.is_sorted_by(|a, b| a < b) {
        return Err("the patched rows do not ascend".to_owned());
    }
    match rows.last() {
        Some(&last) if last as usize >= records => Err(format!("row {last} of {records} records is patched")),
        _ => Ok(rows.iter().map(|&row| row as usize).collect()),
    }
}

fn values(column: &Column, kind: Kind, rows: usize) -> Result<Vec<Option<Value>>, String> {
    let mut values: Vec<Option<Value>> = match (&column.values, kind) {
        (Values::Text(values), Kind::Text) => var(values, |bytes| std::str::from_utf8(bytes).map(Value::from).ok())?,
        (Values::Json(values), Kind::Json) => var(values, |bytes| serde_json::from_slice(bytes).ok())?,
        (Values::Integer(values), Kind::Integer) => values.iter().map(|&value| Some(value.into())).collect(),
        (Values::Float(values), Kind::Float) => values.iter().map(|&value| Some(value.into())).collect(),
        (Values::Boolean(values), Kind::Boolean) => values.iter().map(|&value| Some((value != 0).into())).collect(),
        (found, _) => return Err(format!("declared {kind:?}, written {found:?}")),
    };
    if values.len() != rows {
        return Err(format!("{} values for {rows} rows", values.len()));
    }
    for (index, value) in values.iter_mut().enumerate() {
        if !is_present(column.present.as_deref(), index) {
            *value = None;
        } else if value.is_none() {
            return Err(format!("value {index} is not valid for {kind:?}"));
        }
    }
    Ok(values)
}

fn var(values: &VarValues, read: impl Fn(&[u8]) -> Option<Value>) -> Result<Vec<Option<Value>>, String> {
    values
        .offsets
        .windows(2)
        .map(|ends| match ends {
            [start, end] => {
                values.bytes.get(*start as usize..*end as usize).map(&read).ok_or_else(|| format!("no value at {start}..{end}"))
            }
            _ => Ok(None),
        })
        .collect()
}
