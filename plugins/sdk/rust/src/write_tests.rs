//! Tests of the column writers.

use super::*;

/// Sets `values[row]` for each row that has one; the inner `None` removes.
fn write(values: &[Option<Option<&str>>]) -> Option<Written> {
    let mut writer = Text::new();
    for (row, value) in (0..).zip(values) {
        writer.at(row);
        match value {
            Some(Some(value)) => writer.set(value),
            Some(None) => writer.remove(),
            None => {}
        }
    }
    writer.take(values.len() as u32)
}

fn text(offsets: &[u32], bytes: &str, present: Option<&[u8]>) -> Column {
    Column {
        values: Values::Text(VarValues { offsets: offsets.to_vec(), bytes: bytes.as_bytes().to_vec() }),
        present: present.map(<[u8]>::to_vec),
    }
}

#[test]
fn an_untouched_column_is_no_patch() {
    assert_eq!(write(&[None, None]), None);
}

#[test]
fn a_patch_of_all_rows_omits_them() {
    let written = write(&[Some(Some("a")), Some(Some("")), Some(Some("bc"))]);
    let column = text(&[0, 1, 1, 3], "abc", None);
    assert_eq!(written, Some(Written { rows: None, column }));
}

#[test]
fn a_patch_of_some_rows_names_them() {
    let written = write(&[Some(Some("a")), None, Some(Some("b")), None]);
    let column = text(&[0, 1, 2], "ab", None);
    assert_eq!(written, Some(Written { rows: Some(vec![0, 2]), column }));
    let first = write(&[Some(Some("a")), None]).and_then(|written| written.rows);
    assert_eq!(first, Some(vec![0]));
    let last = write(&[None, None, Some(Some("a"))]).and_then(|written| written.rows);
    assert_eq!(last, Some(vec![2]));
}

#[test]
fn a_removal_is_an_entry_that_is_not_present() {
    let mut values = vec![Some(Some("x")); 17];
    values[9] = Some(None);
    let written = write(&values).expect("a patch");
    assert_eq!(written.rows, None);
    assert_eq!(written.column.present, Some(vec![0xff, 0b1111_1101, 0b0000_0001]));
    let all = write(&[Some(None), Some(None)]).expect("a patch");
    assert_eq!(all.column, text(&[0, 0, 0], "", Some(&[0])));
}

#[test]
fn the_last_value_of_a_row_counts() {
    let mut writer = Text::new();
    writer.at(0);
    writer.set("kept");
    writer.at(1);
    writer.set("first");
    writer.remove();
    writer.set_with(|buffer| {
        buffer.push_str("sec");
        buffer.push('o');
        buffer.push_bytes(b"nd");
    });
    writer.at(2);
    writer.set("undone");
    writer.undo();
    writer.undo();
    let written = writer.take(3).expect("a patch");
    assert_eq!(written.rows, Some(vec![0, 1]));
    assert_eq!(written.column, text(&[0, 4, 10], "keptsecond", Some(&[0b11])));
}

#[test]
fn a_writer_starts_anew_after_each_batch() {
    let mut writer = Integer::new();
    writer.at(4);
    writer.set(7);
    assert_eq!(writer.take(5).and_then(|written| written.rows), Some(vec![4]));
    writer.at(4);
    assert_eq!(writer.take(5), None);
    writer.at(0);
    writer.set(1);
    let written = writer.take(1).expect("a patch");
    assert_eq!(written.rows, None);
    assert_eq!(written.column.values, Values::Integer(vec![1]));
}

#[test]
fn numbers_that_json_lacks_remove_the_field() {
    let mut writer = Float::new();
    writer.at(0);
    writer.set(1.5);
    writer.at(1);
    writer.set(f64::NAN);
    let written = writer.take(2).expect("a patch");
    assert_eq!(written.column.values, Values::Float(vec![1.5, 0.0]));
    assert_eq!(written.column.present, Some(vec![0b01]));
}

#[test]
fn json_is_serialised_into_the_column() {
    let mut writer = JsonText::new();
    writer.at(0);
    writer.set(&["a", "b"]).expect("an array of texts");
    writer.at(1);
    writer.set_text(b"null");
    writer.at(2);
    let unfit = std::collections::BTreeMap::from([(vec![1_u8], 1)]);
    assert!(writer.set(&unfit).is_err());
    let written = writer.take(3).expect("a patch");
    assert_eq!(written.rows, Some(vec![0, 1]));
    let values = Values::Json(VarValues { offsets: vec![0, 9, 13], bytes: br#"["a","b"]null"#.to_vec() });
    assert_eq!(written.column.values, values);
}
