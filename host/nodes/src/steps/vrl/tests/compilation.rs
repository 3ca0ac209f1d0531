//! What the compiler refuses or questions, and where it says that is.

use super::vrl;
use crate::steps::compile_filter;
use crate::steps::vrl::{SOURCE_BYTES_MAX, compile_vrl};

#[test]
fn errors_have_a_place() {
    for (source, line, column, code, text) in [
        (".a = 1\n.b = upcase(.c)", 2, 6, Some(103), "unhandled"),
        ("\n  .a = parse_json(", 2, 19, Some(204), "unexpected end"),
        ("x = \"é\"; .b = nothing", 1, 15, Some(701), "undefined variable"),
        (".a = frobnicate(.b)", 1, 6, Some(105), "undefined function"),
        ("log(.)", 1, 1, Some(105), "left out here: it would print record values"),
        (".a = get_env_var!(\"HOME\")", 1, 6, Some(105), "undefined function"),
        (".x = 1\n%x = 1", 2, 1, None, "metadata"),
        (".a = %b.c", 1, 6, None, "metadata"),
        (".a[5000] = 1", 1, 3, None, "1023"),
        ("parse_json(.a)", 1, 12, Some(110), "invalid argument type"),
        (".a + 1", 1, 1, Some(100), "unhandled error"),
        (".a = 1 +", 1, 9, Some(204), "end of program"),
    ] {
        let errors = compile_vrl(source).unwrap_err();
        let error = &errors[0];
        assert_eq!((error.line, error.column, error.code), (line, column, code), "{source}: {error}");
        assert!(error.to_string().contains(text), "{source}: {error}");
        assert!(error.length > 0);
    }
    let errors = compile_vrl(".a = upcase(.b)\n.c = downcase(.d)").unwrap_err();
    assert_eq!(errors.iter().map(|error| error.line).collect::<Vec<_>>(), [1, 2], "all at once");
}

#[test]
fn conditions_only_look() {
    for (source, text) in [
        (".a = 1", "read-only"),
        ("del(.a)\ntrue", "read-only"),
        (".a", "true or false"),
        ("", "true or false"),
        ("abort", "`abort` belongs into a `vrl` step"),
        (".a == ", "unexpected"),
        ("if upcase(.a) == \"A\" { true } else { false }", "fallible"),
    ] {
        let errors = compile_filter(source).unwrap_err();
        assert!(errors.iter().any(|error| error.to_string().contains(text)), "{source}: {errors:?}");
    }
}

#[test]
fn warns_of_code_without_effect() {
    let program = vrl(".a = 1\nupcase!(.b)\n.c = 2");
    let warning = program.warnings().next().unwrap();
    assert_eq!((warning.line, warning.column), (2, 1), "{warning}");
    assert!(warning.message.contains("unused"), "{warning}");
}

#[test]
fn sources_have_limits() {
    let many = |start: &str, part: &str, times: usize| format!("{start}{}", part.repeat(times));
    for source in [
        many(".a = ", "(", 20_000),
        many(".a = ", "[", 20_000),
        many(".a = true", " || true", 7_000),
        many(".a = true", "\n|| true", 7_000),
        many(".a = ", "!", 60_000),
        many("if .a == 1 { .b = 1 }", "\nelse if .a == 1 { .b = 1 }", 2_000),
        many(".a = 1", " + 1", 1_000),
        "#".repeat(SOURCE_BYTES_MAX + 1),
    ] {
        let errors = compile_vrl(&source).unwrap_err();
        assert!(errors[0].message.contains("256") || errors[0].message.contains("65536"), "{}", errors[0]);
    }
    for source in [
        many("", ".a = 1 + 2\n", 2_000),
        many("x = \"", "((((", 2_000) + "\"",
        many("", "# ((((\n", 2_000),
        many(".a = [1", ", -1", 1_000) + "]",
    ] {
        assert!(compile_vrl(&source).is_ok(), "{:?}", compile_vrl(&source).map(drop));
    }
}
