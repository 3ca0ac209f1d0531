//! From JSON records to the columns that a plugin declared.

use serde_json::Value;

use super::path::Path;
use crate::contract::types::{Batch, Column, Field, Kind, Values, VarValues};

/// The batch a host would show.
pub(super) fn of(reads: &[Field], records: &[Value]) -> Result<Batch, String> {
    let rows = u32::try_from(records.len()).map_err(|_| "too many records".to_owned())?;
    let columns = reads
        .iter()
        .map(|field| {
            let path = Path::parse(&field.path)?;
            Ok(column(field.kind, records.iter().map(|record| path.get(record))))
        })
        .collect::<Result<_, String>>()?;
    Ok(Batch { rows, columns })
}

fn column<'v>(kind: Kind, found: impl Iterator<Item = Option<&'v Value>>) -> Column {
    let found = found.map(|value| value.filter(|value| !value.is_null()));
    match kind {
        Kind::Text => {
            let (values, present) = var(found.map(|value| value?.as_str().map(str::to_owned)));
            Column { values: Values::Text(values), present }
        }
        Kind::Json => {
            let (values, present) = var(found.map(|value| Some(value?.to_string())));
            Column { values: Values::Json(values), present }
        }
        Kind::Integer => {
            let (values, present) = fixed(found.map(|value| value?.as_i64()));
            Column { values: Values::Integer(values), present }
        }
        Kind::Float => {
            let (values, present) = fixed(found.map(|value| value?.as_f64()));
            Column { values: Values::Float(values), present }
        }
        Kind::Boolean => {
            let (values, present) = fixed(found.map(|value| value?.as_bool().map(u8::from)));
            Column { values: Values::Boolean(values), present }
        }
    }
}

fn var(values: impl Iterator<Item = Option<String>>) -> (VarValues, Option<Vec<u8>>) {
    let mut column = VarValues { offsets: vec![0], bytes: Vec::new() };
    let mut present = Vec::new();
    for value in values {
        present.push(value.is_some());
        column.bytes.extend_from_slice(value.unwrap_or_default().as_bytes());
        column.offsets.push(column.bytes.len() as u32);
    }
    (column, bitmap(&present))
}

fn fixed<T: Default>(values: impl Iterator<Item = Option<T>>) -> (Vec<T>, Option<Vec<u8>>) {
    let mut present = Vec::new();
    let values = values
        .map(|value| {
            present.push(value.is_some());
            value.unwrap_or_default()
        })
        .collect();
    (values, bitmap(&present))
}

fn bitmap(present: &[bool]) -> Option<Vec<u8>> {
    if present.iter().all(|&present| present) {
        return None;
    }
    let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit));
    Some(present.chunks(8).map(byte).collect())
}
