//! The check of JSON that a step returns.

use crate::fields::Fields;
use crate::malformed::Malformed;
use crate::marks::Marks;
use crate::scan::{Scan, Slot};

/// Whether each value is one JSON value on one line, as a step must return them. `Err`: the first value that is not, and why.
pub fn check_json(values: &crate::VarValues, present: impl Fn(usize) -> bool) -> Result<(), (usize, Malformed)> {
    let mut marks = Marks::default();
    let fields = Fields::new();
    let mut slots = [Slot::ABSENT];
    let mut overridden = Vec::new();
    for i in (0..values.len()).filter(|i| present(*i)) {
        let (Some(&from), Some(&to)) = (values.offsets.get(i), values.offsets.get(i + 1)) else { continue };
        let text = values.bytes.get(..to as usize).unwrap_or_default();
        if let Some(at) = memchr::memchr(b'\r', text.get(from as usize..).unwrap_or_default()) {
            return Err((i, Malformed { at: at as u32, reason: "a raw carriage return" }));
        }
        marks.index(text, from as usize, to as usize);
        let scan = Scan {
            text,
            marks: marks.places(),
            passed: 0,
            nodes: &fields.nodes,
            slots: &mut slots,
            overridden: &mut overridden,
            depth_max: crate::DEPTH_MAX,
            at: from as usize,
        };
        scan.record().map_err(|malformed| (i, malformed))?;
    }
    Ok(())
}
