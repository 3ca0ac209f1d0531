//! What `process` answers.

use crate::resources;
use crate::tamis::plugin::types::{Batch, Column, Outcome, Patch, Reject, Values, VarValues};

/// The texts of the first column.
pub(crate) struct Texts<'a>(Option<&'a VarValues>);

impl<'a> Texts<'a> {
    pub(crate) fn of(batch: &'a Batch) -> Self {
        Self(batch.columns.first().and_then(|c| match &c.values {
            Values::Text(v) => Some(v),
            _ => None,
        }))
    }

    pub(crate) fn get(&self, row: usize) -> &'a [u8] {
        self.0.and_then(|v| v.bytes.get(*v.offsets.get(row)? as usize..*v.offsets.get(row + 1)? as usize)).unwrap_or_default()
    }
}

/// Places of the written fields in the signature.
const A: u32 = 0;
const I: u32 = 1;
const F: u32 = 2;
const B: u32 = 3;
const J: u32 = 4;
const ROOT: u32 = 5;

fn var<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> VarValues {
    let mut out = VarValues { offsets: vec![0], bytes: Vec::new() };
    for value in values {
        out.bytes.extend_from_slice(value);
        out.offsets.push(out.bytes.len() as u32);
    }
    out
}

fn same(value: &[u8], count: usize) -> VarValues {
    var(std::iter::repeat_n(value, count))
}

fn patch(field: u32, rows: Option<Vec<u32>>, values: Values) -> Patch {
    Patch { field, rows, column: Column { values, present: None } }
}

fn sound(rows: u32, texts: &Texts<'_>) -> Patch {
    let values: Vec<Vec<u8>> = (0..rows as usize).map(|i| [texts.get(i), b"!"].concat()).collect();
    patch(A, None, Values::Text(var(values.iter().map(Vec::as_slice))))
}

pub(crate) fn answer(what: &str, input: &Batch, texts: &Texts<'_>) -> Result<Outcome, String> {
    let rows = input.rows;
    let count = rows as usize;
    let mut outcome = Outcome { verdicts: None, patches: vec![sound(rows, texts)], rejects: vec![] };
    let text = |v: VarValues| vec![patch(A, None, Values::Text(v))];
    let json = |v: VarValues| vec![patch(J, None, Values::Json(v))];
    match what {
        "loop" => resources::endless(),
        "memory" => resources::memory_bomb(),
        "recursion" => {
            resources::recurse(0);
        }
        "trap" => panic!("told to"),
        "error" => return Err("no \u{1b}[31mred\u{1b}[0m\nrecords".to_owned()),
        "log-flood" => resources::log_flood(),
        "metric-flood" => resources::metric_flood(),

        "verdicts-short" => outcome.verdicts = Some(vec![0; count.saturating_sub(1)]),
        "verdicts-long" => outcome.verdicts = Some(vec![0; count + 1]),
        "verdict-range" => outcome.verdicts = Some(vec![2; count]),
        "drop-undeclared" => outcome.verdicts = Some(vec![255; count]),

        "values-short" => outcome.patches = text(same(b"x", count.saturating_sub(1))),
        "values-long" => outcome.patches = text(same(b"x", count + 1)),
        "integers-short" => outcome.patches = vec![patch(I, None, Values::Integer(vec![]))],
        "offsets-empty" => outcome.patches = text(VarValues { offsets: vec![], bytes: vec![] }),
        "offsets-start" => {
            let mut v = same(b"xx", count);
            v.offsets[0] = 1;
            outcome.patches = text(v);
        }
        "offsets-descending" => {
            let mut v = same(b"xx", count);
            v.offsets[count] = 0;
            v.offsets[count - 1] = v.bytes.len() as u32;
            outcome.patches = text(v);
        }
        "offsets-overlap" => {
            let mut v = same(b"xx", count + 1);
            v.offsets.pop();
            v.offsets.rotate_left(1);
            outcome.patches = text(v);
        }
        "offsets-beyond" => {
            let mut v = same(b"xx", count);
            v.offsets[count] = u32::MAX;
            outcome.patches = text(v);
        }
        "offsets-unused-bytes" => {
            let mut v = same(b"xx", count);
            v.bytes.push(b'x');
            outcome.patches = text(v);
        }
        "presence-short" => outcome.patches[0].column.present = Some(vec![]),
        "utf8" => outcome.patches = text(same(b"\xff\xfe", count)),
        "utf8-cut" => outcome.patches = text(cut("é".as_bytes(), count)),
        "json" => outcome.patches = json(same(b"{\"a\":", count)),
        "json-two" => outcome.patches = json(same(b"1 2", count)),
        "json-newline" => outcome.patches = json(same(b"{\n\"forged\":\"line\"}", count)),
        "json-root" => outcome.patches = vec![patch(ROOT, None, Values::Json(same(b"[1]", count)))],
        "boolean" => outcome.patches = vec![patch(B, None, Values::Boolean(vec![2; count]))],
        "float" => outcome.patches = vec![patch(F, None, Values::Float(vec![f64::NAN; count]))],
        "kind" => outcome.patches = vec![patch(A, None, Values::Integer(vec![1; count]))],

        "patch-field" => outcome.patches[0].field = 6,
        "patch-field-huge" => outcome.patches[0].field = u32::MAX,
        "patch-twice" => outcome.patches.push(sound(rows, texts)),
        "patch-rows-descending" => outcome.patches = vec![patch(A, Some(vec![1, 0]), Values::Text(same(b"x", 2)))],
        "patch-rows-duplicate" => outcome.patches = vec![patch(A, Some(vec![0, 0]), Values::Text(same(b"x", 2)))],
        "patch-rows-range" => outcome.patches = vec![patch(A, Some(vec![rows]), Values::Text(same(b"x", 1)))],

        "reject-range" => outcome.rejects.push(Reject { row: rows, reason: String::new() }),
        "reject-twice" => outcome.rejects = vec![Reject { row: 0, reason: "1".to_owned() }, Reject { row: 0, reason: "2".to_owned() }],
        "reject-poison" => {
            let poison = (0..rows).filter(|i| texts.get(*i as usize) == b"poison");
            outcome.rejects = poison.map(|row| Reject { row, reason: format!("it is poison\n{}", "z".repeat(5000)) }).collect();
        }

        "huge" => outcome.patches = text(var([vec![b'x'; 9 << 20].as_slice()])),
        _ => {}
    }
    Ok(outcome)
}

/// `count` values whose first boundary lies inside a character; with one value the text is cut at its end.
fn cut(character: &[u8], count: usize) -> VarValues {
    let mut v = same(character, count.max(2));
    v.offsets[1] -= 1;
    if count == 1 {
        v.offsets = vec![0, 1];
        v.bytes.truncate(1);
    }
    v
}
