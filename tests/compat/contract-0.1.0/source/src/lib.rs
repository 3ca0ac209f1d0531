//! Uses all of the contract 0.1.0: every kind read and written, patches of all and of some rows, a field removed, both verdicts,
//! a reject, a log line, a counter. No SDK: the contract's own types, from the copy of it beside this crate.

wit_bindgen::generate!({ world: "plugin", path: "wit" });

use exports::tamis::plugin::transform::Guest;
use std::cell::RefCell;
use tamis::plugin::types::{Batch, Column, Field, Kind, Outcome, Patch, Reject, Signature, Values, VarValues};
use tamis::plugin::{log, metrics};

thread_local! {
    static PREFIX: RefCell<String> = RefCell::default();
}

struct Plugin;

impl Guest for Plugin {
    fn init(config: String) -> Result<Signature, String> {
        let Some(prefix) = config.trim().strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
            return Err("configuration: expected a text, the prefix".to_owned());
        };
        PREFIX.set(prefix.to_owned());
        log::write(log::Level::Info, &format!("the prefix has {} bytes", prefix.len()));
        let field = |path: &str, kind| Field { path: path.to_owned(), kind };
        Ok(Signature {
            reads: vec![
                field("name", Kind::Text),
                field("status", Kind::Integer),
                field("load", Kind::Float),
                field("health", Kind::Boolean),
                field("extra", Kind::Json),
            ],
            writes: vec![
                field("out.name", Kind::Text),
                field("out.class", Kind::Integer),
                field("out.half", Kind::Float),
                field("out.sick", Kind::Boolean),
                field("out.copy", Kind::Json),
                field("secret", Kind::Text),
            ],
            outputs: vec!["errors".to_owned()],
            drops: true,
        })
    }

    fn process(input: Batch) -> Result<Outcome, String> {
        let rows = input.rows as usize;
        let [name, status, load, health, extra] = input.columns.as_slice() else { return Err("expected five columns".to_owned()) };
        let (mut verdicts, mut rejects) = (vec![0_u8; rows], Vec::new());
        let (mut classes, mut halves, mut sick) = (vec![0_i64; rows], vec![0.0_f64; rows], vec![0_u8; rows]);
        let (mut named, mut copies) = (texts(), texts());
        let mut with_name = Vec::new();
        for row in 0..rows {
            if let (true, Values::Integer(values)) = (present(status, row), &status.values) {
                classes[row] = values[row] / 100;
                if values[row] < 0 {
                    rejects.push(Reject { row: row as u32, reason: "status: expected a number from 0, found a negative one".to_owned() });
                } else if values[row] >= 500 {
                    verdicts[row] = 1;
                }
            }
            if let Values::Float(values) = &load.values {
                halves[row] = values[row] / 2.0;
            }
            if let (true, Values::Boolean(values)) = (present(health, row), &health.values) {
                sick[row] = 1 - values[row];
            }
            if let (true, Values::Text(values)) = (present(name, row), &name.values) {
                if bytes(values, row) == b"drop me" {
                    verdicts[row] = 255;
                }
                with_name.push(row as u32);
                PREFIX.with_borrow(|prefix| named.bytes.extend_from_slice(prefix.as_bytes()));
                named.bytes.extend_from_slice(bytes(values, row));
                named.offsets.push(named.bytes.len() as u32);
            }
            if let (true, Values::Json(values)) = (present(extra, row), &extra.values) {
                copies.bytes.extend_from_slice(bytes(values, row));
            }
            copies.offsets.push(copies.bytes.len() as u32);
        }
        metrics::add("records", u64::from(input.rows));
        let secrets = VarValues { offsets: vec![0; rows + 1], bytes: Vec::new() };
        let patch = |field, rows, values, present| Patch { field, rows, column: Column { values, present } };
        let patches = vec![
            patch(0, Some(with_name), Values::Text(named), None),
            patch(1, None, Values::Integer(classes), status.present.clone()),
            patch(2, None, Values::Float(halves), load.present.clone()),
            patch(3, None, Values::Boolean(sick), health.present.clone()),
            patch(4, None, Values::Json(copies), extra.present.clone()),
            patch(5, None, Values::Text(secrets), Some(vec![0; rows.div_ceil(8)])),
        ];
        Ok(Outcome { verdicts: Some(verdicts), patches, rejects })
    }
}

fn texts() -> VarValues {
    VarValues { offsets: vec![0], bytes: Vec::new() }
}

fn present(column: &Column, row: usize) -> bool {
    column.present.as_ref().is_none_or(|bits| bits[row / 8] >> (row % 8) & 1 == 1)
}

fn bytes(values: &VarValues, row: usize) -> &[u8] {
    &values.bytes[values.offsets[row] as usize..values.offsets[row + 1] as usize]
}

export!(Plugin);
