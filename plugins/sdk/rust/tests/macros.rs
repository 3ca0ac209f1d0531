//! What the macros say of a plugin that is wrong. Each `macros/*.rs` must fail with the message beside it, which
//! `TRYBUILD=overwrite cargo test -p tamis-plugin --test macros` writes anew.

#[test]
fn what_is_wrong_is_told_where_it_stands() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/macros/*.rs");
}
