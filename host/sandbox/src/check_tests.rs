use super::*;
use crate::failure::Cause;
use tamis_record::Kind;

fn writes() -> Vec<Field> {
    let field = |path: &str, kind| Field { path: path.parse().unwrap(), kind };
    vec![
        field("t", Kind::Text),
        field("i", Kind::Integer),
        field("f", Kind::Float),
        field("b", Kind::Boolean),
        field("j", Kind::Json),
        field(".", Kind::Json),
    ]
}

fn var(values: &[&str]) -> VarValues {
    let mut out = VarValues::default();
    values.iter().for_each(|v| out.push(v.as_bytes()));
    out
}

fn patch(field: u32, rows: Option<&[u32]>, values: Values) -> Outcome {
    Outcome {
        patches: vec![Patch { field, rows: rows.map(<[u32]>::to_vec), column: Column { values, present: None } }],
        ..Outcome::default()
    }
}

fn check(rows: u32, outcome: Outcome) -> Result<Outcome, Failure> {
    super::outcome(outcome, rows, &Allowed { writes: &writes(), outputs: 2, drops: true })
}

#[track_caller]
fn refused(rows: u32, outcome: Outcome, expected: &str) {
    let failure = check(rows, outcome).expect_err(expected);
    assert_eq!(failure.cause, Cause::Contract);
    assert!(failure.reason.contains(expected), "{}", failure.reason);
}

#[test]
fn sound_outcomes_pass_unchanged() {
    let mut removal = patch(0, Some(&[0, 2]), Values::Text(var(&["é", ""])));
    removal.patches[0].column.present = Some(vec![1]);
    for outcome in [
        Outcome::default(),
        Outcome { verdicts: Some(vec![0, 1, 255]), ..Outcome::default() },
        removal,
        patch(1, None, Values::Integer(vec![1, 2, 3])),
        patch(2, Some(&[]), Values::Float(vec![])),
        patch(3, Some(&[2]), Values::Boolean(vec![1])),
        patch(4, None, Values::Json(var(&["null", "[1]", "{\"a\":\"é\"}"]))),
        patch(5, Some(&[1]), Values::Json(var(&[" {}"]))),
    ] {
        assert_eq!(check(3, outcome.clone()).unwrap(), outcome);
    }
}

#[test]
fn values_of_absent_rows_are_not_judged() {
    let mut json = patch(4, None, Values::Json(var(&["", "1"])));
    json.patches[0].column.present = Some(vec![0b10]);
    assert!(check(2, json).is_ok());
    let mut float = patch(2, None, Values::Float(vec![f64::NAN]));
    float.patches[0].column.present = Some(vec![0]);
    assert!(check(1, float).is_ok());
}

#[test]
fn verdicts() {
    let verdicts = |v: &[u8]| Outcome { verdicts: Some(v.to_vec()), ..Outcome::default() };
    refused(3, verdicts(&[0, 0]), "2 verdicts for 3 rows");
    refused(1, verdicts(&[3]), "verdict 3 for row 0, the signature names 2 outputs");
    refused(1, verdicts(&[254]), "verdict 254");
    let allowed = Allowed { writes: &[], outputs: 254, drops: false };
    let failure = super::outcome(verdicts(&[254, 255]), 2, &allowed).unwrap_err();
    assert!(failure.reason.contains("row 1 is dropped"), "{failure}");
}

#[test]
fn patches_and_their_rows() {
    refused(1, patch(6, None, Values::Text(var(&["x"]))), "a patch of field 6, the signature writes 6 fields");
    refused(1, patch(u32::MAX, None, Values::Text(var(&["x"]))), "field 4294967295");
    refused(1, patch(1, None, Values::Text(var(&["x"]))), "values of kind text, the signature says integer");
    refused(3, patch(0, Some(&[1, 1]), Values::Text(var(&["x", "y"]))), "rows [1, 1] are not strictly ascending");
    refused(3, patch(0, Some(&[2, 1]), Values::Text(var(&["x", "y"]))), "rows [2, 1]");
    refused(3, patch(0, Some(&[3]), Values::Text(var(&["x"]))), "row 3 of a batch of 3 rows");
    let mut twice = patch(0, None, Values::Text(var(&["x"])));
    twice.patches.push(twice.patches[0].clone());
    refused(1, twice, "two patches of field 0 (`t`)");
    let mut many = patch(0, None, Values::Text(var(&["x"])));
    many.patches = vec![many.patches[0].clone(); 7];
    refused(1, many, "7 patches for 6 written fields");
    let mut presence = patch(0, None, Values::Text(var(&["x"])));
    presence.patches[0].column.present = Some(vec![1, 0]);
    refused(1, presence, "a presence bitmap of 2 bytes for 1 values");
}

#[test]
fn lengths_and_values() {
    refused(2, patch(1, None, Values::Integer(vec![1])), "1 values for 2 rows");
    refused(2, patch(2, None, Values::Float(vec![])), "0 values for 2 rows");
    refused(1, patch(2, None, Values::Float(vec![f64::INFINITY])), "value 0 is inf");
    refused(1, patch(3, None, Values::Boolean(vec![2])), "value 0 is 2");
    refused(2, patch(4, None, Values::Json(var(&["1", "{"]))), "value 1 is not one JSON value");
    refused(1, patch(4, None, Values::Json(var(&["[1,\n2]"]))), "on one line");
    refused(1, patch(5, None, Values::Json(var(&["[1]"]))), "not a JSON object");
}

#[test]
fn offsets_and_utf8() {
    let raw = |offsets: &[u32], bytes: &[u8]| patch(0, None, Values::Text(VarValues { offsets: offsets.to_vec(), bytes: bytes.to_vec() }));
    refused(1, raw(&[], b""), "0 offsets for 1 values, 2 were expected");
    refused(1, raw(&[0, 1, 1], b"x"), "3 offsets");
    refused(1, raw(&[1, 1], b"x"), "the first offset is 1");
    refused(2, raw(&[0, 2, 1], b"x"), "offset 2 is smaller");
    refused(1, raw(&[0, u32::MAX], b"x"), "the last offset is 4294967295, there are 1 bytes");
    refused(1, raw(&[0, 1], b"xy"), "there are 2 bytes");
    refused(1, raw(&[0, 1], b"\xff"), "not UTF-8");
    refused(2, raw(&[0, 1, 2], "é".as_bytes()), "offset 1 cuts a character");
    // A surrogate in the three bytes of CESU-8 is not UTF-8.
    refused(1, raw(&[0, 3], b"\xed\xa0\x80"), "not UTF-8");
}

#[test]
fn rejects() {
    let rejects = |rows: &[u32]| {
        let rejects = rows.iter().map(|row| Reject { row: *row, reason: "bad\n".repeat(500) }).collect();
        Outcome { rejects, ..Outcome::default() }
    };
    let sound = check(3, rejects(&[2, 0])).unwrap();
    assert!(sound.rejects.iter().all(|r| r.reason.len() <= REASON_BYTES_MAX && r.reason.starts_with("bad\\nbad")));
    refused(3, rejects(&[3]), "a reject of row 3");
    refused(3, rejects(&[u32::MAX]), "a reject of row 4294967295");
    refused(3, rejects(&[1, 1]), "two rejects of row 1");
    refused(1, rejects(&[0, 0]), "2 rejects for 1 rows");
}

#[test]
fn arbitrary_outcomes_never_panic() {
    let mut random = fastrand::Rng::with_seed(11);
    let mut accepted = 0;
    for _ in 0..60_000 {
        let rows = random.u32(0..5);
        let mut small = |max: usize| (0..random.usize(0..=max)).map(|_| random.u32(0..5)).collect::<Vec<u32>>();
        let (offsets, indexes, bytes) =
            (small(6), small(5), small(5).into_iter().map(|b| [b'1', b'"', 0xc3, 0xa9, b'\n'][b as usize]).collect::<Vec<u8>>());
        let values = match random.u8(0..4) {
            0 => Values::Text(VarValues { offsets, bytes: bytes.clone() }),
            1 => Values::Json(VarValues { offsets, bytes: bytes.clone() }),
            2 => Values::Integer(vec![1; random.usize(0..5)]),
            _ => Values::Boolean(bytes.clone()),
        };
        let mut outcome = patch(random.u32(0..7), random.bool().then_some(&indexes[..]), values);
        outcome.patches[0].column.present = random.bool().then(|| bytes.clone());
        outcome.verdicts = random.bool().then(|| bytes.iter().map(|b| b % 4).collect());
        accepted += u32::from(check(rows, outcome).is_ok());
    }
    assert!(accepted > 50, "{accepted} of the arbitrary outcomes were sound: too few to mean anything");
}
