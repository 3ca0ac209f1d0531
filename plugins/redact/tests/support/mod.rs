//! Runs the plugin natively over one column, as the host does, and applies its patches.
#![allow(dead_code, reason = "each test file uses a part")]

use tamis_plugin::contract::types::Values as Returned;
use tamis_plugin::{Batch, BatchPlugin, Column, Values, VarValues};
use tamis_plugin_redact::Redact;

/// What became of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Became {
    /// It stayed as it was.
    Untouched,
    /// It is now this.
    Text(String),
    /// The field is gone.
    Removed,
    /// The record was rejected for this reason.
    Rejected(String),
}

impl Became {
    /// The text after the plugin, given what it was before.
    pub(crate) fn text<'a>(&'a self, before: &'a str) -> &'a str {
        match self {
            Became::Untouched => before,
            Became::Text(text) => text,
            Became::Removed | Became::Rejected(_) => "",
        }
    }
}

/// The plugin under `config`.
pub(crate) fn plugin(config: &str) -> Redact {
    Redact::init(config).expect(config).0
}

/// Runs a column of `values`; `json` says how it is shown.
pub(crate) fn run<S: AsRef<str>>(plugin: &mut Redact, json: bool, values: &[S]) -> Vec<Became> {
    let mut offsets = vec![0];
    let mut bytes = Vec::new();
    for value in values {
        bytes.extend_from_slice(value.as_ref().as_bytes());
        offsets.push(bytes.len() as u32);
    }
    let var = VarValues { offsets: &offsets, bytes: &bytes };
    let columns = [Column { values: if json { Values::Json(var) } else { Values::Text(var) }, present: None }];
    let batch = Batch { rows: values.len() as u32, columns: &columns };
    let outcome = plugin.process(&batch).expect("a batch");
    let mut became = vec![Became::Untouched; values.len()];
    for patch in &outcome.patches {
        let (Returned::Text(new) | Returned::Json(new)) = &patch.column.values else {
            panic!("a patch of the wrong kind");
        };
        let rows = patch.rows.clone().expect("rows");
        assert_eq!(new.offsets.len(), rows.len() + 1);
        assert_eq!(*new.offsets.last().expect("an end") as usize, new.bytes.len());
        for (index, row) in rows.iter().enumerate() {
            let present = patch.column.present.as_ref().is_none_or(|bits| bits[index / 8] >> (index % 8) & 1 == 1);
            let text = &new.bytes[new.offsets[index] as usize..new.offsets[index + 1] as usize];
            became[*row as usize] = match present {
                true => Became::Text(String::from_utf8(text.to_vec()).expect("UTF-8")),
                false => Became::Removed,
            };
        }
    }
    for reject in outcome.rejects {
        became[reject.row as usize] = Became::Rejected(reject.reason);
    }
    became
}

/// Runs one text value.
pub(crate) fn text(plugin: &mut Redact, value: &str) -> Became {
    run(plugin, false, &[value]).remove(0)
}

/// Runs one JSON value.
pub(crate) fn json(plugin: &mut Redact, value: &str) -> Became {
    run(plugin, true, &[value]).remove(0)
}
