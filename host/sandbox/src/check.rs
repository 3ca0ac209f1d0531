//! Checks what a plugin answers. Whatever passes here obeys the contract; nothing is repaired.
//!
//! Runs once over every list and allocates one bit a row, and that only for rejects.

use crate::failure::{Failure, REASON_BYTES_MAX, printable};
use tamis_record::{Column, DROP, Field, OUTPUTS_MAX, Outcome, Patch, Reject, Values, VarValues};

/// What the signature allows.
pub(crate) struct Allowed<'a> {
    pub(crate) writes: &'a [Field],
    pub(crate) outputs: usize,
    pub(crate) drops: bool,
}

/// Passes a sound outcome on; reasons of rejects come out clipped and printable.
pub(crate) fn outcome(mut outcome: Outcome, rows: u32, allowed: &Allowed<'_>) -> Result<Outcome, Failure> {
    if let Some(verdicts) = &outcome.verdicts {
        check_verdicts(verdicts, rows, allowed)?;
    }
    if outcome.patches.len() > allowed.writes.len() {
        return Err(lie(format!("{} patches for {} written fields", outcome.patches.len(), allowed.writes.len())));
    }
    let mut patched = vec![false; allowed.writes.len()];
    for patch in &outcome.patches {
        let field = usize::try_from(patch.field).ok().and_then(|i| Some((allowed.writes.get(i)?, patched.get_mut(i)?)));
        let Some((field, patched)) = field else {
            return Err(lie(format!("a patch of field {}, the signature writes {} fields", patch.field, allowed.writes.len())));
        };
        if std::mem::replace(patched, true) {
            return Err(lie(format!("two patches of field {} (`{}`)", patch.field, field.path)));
        }
        check_patch(patch, field, rows).map_err(|what| lie(format!("the patch of field {} (`{}`): {what}", patch.field, field.path)))?;
    }
    check_rejects(&mut outcome.rejects, rows)?;
    Ok(outcome)
}

fn lie(what: String) -> Failure {
    Failure::contract(format!("the outcome is not valid: {what}"))
}

fn check_verdicts(verdicts: &[u8], rows: u32, allowed: &Allowed<'_>) -> Result<(), Failure> {
    if verdicts.len() != rows as usize {
        return Err(lie(format!("{} verdicts for {rows} rows", verdicts.len())));
    }
    let outputs = allowed.outputs.min(OUTPUTS_MAX) as u8;
    let valid = |v: u8| (v <= outputs) | ((v == DROP) & allowed.drops);
    // `KEEP` is 0 and with at most OUTPUTS_MAX outputs `DROP` never counts as one.
    // Without a way out of the loop it runs in vectors.
    if verdicts.iter().fold(true, |sound, &v| sound & valid(v)) {
        return Ok(());
    }
    let (row, verdict) = verdicts.iter().enumerate().find(|(_, v)| !valid(**v)).map_or((0, 0), |(i, v)| (i, *v));
    Err(if verdict == DROP {
        lie(format!("row {row} is dropped, and the signature says that the plugin drops nothing"))
    } else {
        lie(format!("verdict {verdict} for row {row}, the signature names {} outputs", allowed.outputs))
    })
}

fn check_patch(patch: &Patch, field: &Field, rows: u32) -> Result<(), String> {
    if let Some(indexes) = &patch.rows {
        let following = indexes.get(1..).unwrap_or_default();
        if any(indexes, following, |a, b| a >= b)
            && let Some(pair) = indexes.windows(2).find(|w| matches!(w, [a, b] if a >= b))
        {
            return Err(format!("rows {pair:?} are not strictly ascending"));
        }
        if let Some(last) = indexes.last().filter(|last| **last >= rows) {
            return Err(format!("row {last} of a batch of {rows} rows"));
        }
    }
    let count = patch.rows.as_ref().map_or(rows as usize, Vec::len);
    let Column { values, present } = &patch.column;
    if values.kind() != field.kind {
        return Err(format!("values of kind {}, the signature says {}", values.kind(), field.kind));
    }
    if let Some(bits) = present
        && bits.len() != count.div_ceil(8)
    {
        return Err(format!("a presence bitmap of {} bytes for {count} values, {} were expected", bits.len(), count.div_ceil(8)));
    }
    let length = |found: usize| if found == count { Ok(()) } else { Err(format!("{found} values for {count} rows")) };
    match values {
        Values::Text(v) => check_var(v, count),
        Values::Json(v) => {
            check_var(v, count)?;
            check_json(v, &patch.column, count, field.path.is_root())
        }
        Values::Integer(v) => length(v.len()),
        Values::Float(v) => {
            length(v.len())?;
            match v.iter().enumerate().find(|(i, f)| !f.is_finite() && patch.column.is_present(*i)) {
                Some((i, f)) => Err(format!("value {i} is {f}, a finite number was expected")),
                None => Ok(()),
            }
        }
        Values::Boolean(v) => {
            length(v.len())?;
            match v.iter().enumerate().find(|(_, b)| **b > 1) {
                Some((i, b)) => Err(format!("value {i} is {b}, 0 or 1 was expected")),
                None => Ok(()),
            }
        }
    }
}

/// Whether a pair of entries in the same place satisfies `test`. Looks at all of them, which a vector does faster than a loop
/// that may end early; where the pair stands is asked only when there is one.
fn any(these: &[u32], those: &[u32], test: impl Fn(u32, u32) -> bool) -> bool {
    these.iter().zip(those).fold(false, |found, (a, b)| found | test(*a, *b))
}

/// Offsets from 0, ascending, to the end of the bytes; every value UTF-8 by itself.
fn check_var(values: &VarValues, count: usize) -> Result<(), String> {
    let VarValues { offsets, bytes } = values;
    if offsets.len() != count + 1 {
        return Err(format!("{} offsets for {count} values, {} were expected", offsets.len(), count + 1));
    }
    if offsets.first() != Some(&0) {
        return Err(format!("the first offset is {}, 0 was expected", offsets.first().unwrap_or(&0)));
    }
    let following = offsets.get(1..).unwrap_or_default();
    if any(offsets, following, |a, b| a > b)
        && let Some(at) = offsets.windows(2).position(|w| matches!(w, [a, b] if a > b))
    {
        return Err(format!("offset {} is smaller than the one before it", at + 1));
    }
    let end = offsets.last().map_or(0, |o| *o as usize);
    if end != bytes.len() {
        return Err(format!("the last offset is {end}, there are {} bytes", bytes.len()));
    }
    if bytes.is_ascii() {
        return Ok(());
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err("the values are not UTF-8".to_owned());
    };
    match offsets.iter().position(|o| !text.is_char_boundary(*o as usize)) {
        Some(at) => Err(format!("offset {at} cuts a character: the values next to it are not UTF-8")),
        None => Ok(()),
    }
}

fn check_json(values: &VarValues, column: &Column, count: usize, whole_record: bool) -> Result<(), String> {
    tamis_record::check_json(values, |i| column.is_present(i))
        .map_err(|(i, malformed)| format!("value {i} is not one JSON value on one line: {malformed}"))?;
    if !whole_record {
        return Ok(());
    }
    match (0..count).find(|i| column.is_present(*i) && values.get(*i).trim_ascii_start().first() != Some(&b'{')) {
        Some(i) => Err(format!("value {i} is not a JSON object, and a record must be one")),
        None => Ok(()),
    }
}

/// Rejects come in any order, each row once.
fn check_rejects(rejects: &mut [Reject], rows: u32) -> Result<(), Failure> {
    if rejects.is_empty() {
        return Ok(());
    }
    if rejects.len() > rows as usize {
        return Err(lie(format!("{} rejects for {rows} rows", rejects.len())));
    }
    let mut seen = vec![false; rows as usize];
    for reject in rejects {
        match seen.get_mut(reject.row as usize) {
            None => return Err(lie(format!("a reject of row {}, the batch has {rows} rows", reject.row))),
            Some(true) => return Err(lie(format!("two rejects of row {}", reject.row))),
            Some(seen) => *seen = true,
        }
        reject.reason = printable(&reject.reason, REASON_BYTES_MAX);
    }
    Ok(())
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
