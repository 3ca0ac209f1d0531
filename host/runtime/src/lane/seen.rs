//! What a step was shown of a record that it failed on, for the dead letter.

use crate::graph::{StepGraph, Work};
use tamis_delivery::letters::{SeenWriter, Shown};
use tamis_record::{Batch, Column, Values};

/// What the plugin saw in a row: values only where an earlier step may have changed what the record says. Of native steps, nothing.
pub(super) fn by(step: &StepGraph, batch: &Batch, row: u32) -> Vec<u8> {
    if !matches!(step.work, Work::Plugin(_)) {
        return Vec::new();
    }
    let mut writer = SeenWriter::default();
    for (field, column) in step.shown.iter().zip(step.columns.iter().map(|id| batch.column(*id))) {
        let number = value(column, row as usize);
        let shown = match (field.may_differ, &column.values) {
            (false, _) => Shown::InRecord,
            (true, _) if !column.is_present(row as usize) => Shown::Absent,
            (true, Values::Text(values)) => std::str::from_utf8(values.get(row as usize)).map_or(Shown::Absent, Shown::Text),
            (true, Values::Json(values)) => Shown::Json(values.get(row as usize)),
            (true, _) => Shown::Json(number.as_bytes()),
        };
        writer.push(&field.path, field.kind.name(), shown);
    }
    writer.finish()
}

/// A number or truth value as JSON.
fn value(column: &Column, row: usize) -> String {
    let text = match &column.values {
        Values::Integer(values) => values.get(row).map(ToString::to_string),
        // `{:?}` gives the shortest text that reads back as the same number.
        Values::Float(values) => values.get(row).map(|value| format!("{value:?}")),
        Values::Boolean(values) => values.get(row).map(|value| (*value != 0).to_string()),
        Values::Text(_) | Values::Json(_) => None,
    };
    text.unwrap_or_else(|| "null".into())
}
