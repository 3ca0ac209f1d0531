//! What a sender cannot do to the host's memory through a program.

use super::*;
use std::time::{Duration, Instant};

fn quickly(source: &str, record: &str) -> String {
    let program = compile_vrl(source).unwrap_or_else(|errors| panic!("{source}: {errors:?}"));
    let started = Instant::now();
    let told = told(&program, record);
    assert!(started.elapsed() < Duration::from_secs(5), "{source} took {:?}", started.elapsed());
    told
}

#[test]
fn a_text_is_not_multiplied() {
    let text = r#"{"x":"abcdefghijklmnopqrst","n":1000000000}"#;
    for source in [
        ".x = .x * 1000000000 ?? 0",
        ".x = 1000000000 * .x ?? 0",
        ".x = .x * .n ?? 0",
        ".x = (.x) * .n ?? 0",
        ".x = (.x || .y) * .n ?? 0",
        ".x = (.x + .y) * .n ?? 0",
        ".x = (to_int(.x) ?? .x) * .n ?? 0",
        "y = .x\n.x = y * .n ?? 0",
        ".x = .n * (y = .x) ?? 0",
        "for_each([.x]) -> |_i, v| { .x = v * .n ?? 0 }",
    ] {
        assert_eq!(quickly(source, text), "x=0", "{source}");
    }
    assert!(quickly(".x = string!(.x) * int!(.n)", text).starts_with("reject"), "a failure no program can handle");
    for source in [".x = \"-\" * 20", ".x = 3 * s'-'", "y = \"a\"\n.x = \"{{ y }}-\" * 3"] {
        let errors = compile_vrl(source).unwrap_err();
        assert!(errors.iter().any(|error| error.message.contains("repeating a text")), "{source}: {errors:?}");
    }
}

#[test]
fn numbers_are() {
    let numbers = r#"{"a":6,"b":7.5}"#;
    for (source, expected) in [
        (".x = .a * 7 ?? 0", "x=42"),
        (".x = 2 * .b ?? 0", "x=15.0"),
        (".x = int!(.a) * 2 * 3", "x=36"),
        (".x = (to_float(.a) ?? 0.0) * 2", "x=12.0"),
        (".x = (.a / 2) * 3 ?? 0", "x=9.0"),
        (".x = length(\"abc\") * 2", "x=6"),
        ("y = 4\n.x = y * y", "x=16"),
        (".x = (.a + 1) * 2 ?? 0", "x=14"),
        (".x = -3 * 2", "x=-6"),
    ] {
        assert_eq!(quickly(source, numbers), expected, "{source}");
    }
}

#[test]
fn what_grows_in_a_loop_ends() {
    let items = format!("{{\"x\":\"abcdefghij\",\"items\":[{}1]}}", "1,".repeat(200));
    for body in ["y = y + y", "y = \"{{ y }}{{ y }}\"", "y = join!([y, y])", ".z = [y, .z]\n .z = [.z, .z]"] {
        let source = format!("y = \"abcdefghij\"\nfor_each(array!(.items)) -> |_i, _v| {{ {body} }}\n.y = y");
        let told = quickly(&source, &items);
        assert!(told.starts_with("reject"), "{body}: {}", told.get(..80).unwrap_or(&told));
    }
}

#[test]
fn what_a_function_repeats_is_short() {
    let long = format!("{{\"x\":\"{}\",\"w\":\"{}\",\"n\":1000000000}}", "a".repeat(100_000), "b".repeat(100_000));
    for source in [
        ".x = replace!(.x, \"a\", string!(.w))",
        ".x = replace!(.x, with: string!(.w), pattern: \"a\")",
        ".x = join!([\"a\", \"b\"], string!(.w))",
        ".x = format_number!(1.5, int!(.n))",
        ".x = sieve(string!(.x), r'[b]', replace_single: string!(.w))",
    ] {
        assert!(quickly(source, &long).starts_with("reject"), "{source}");
    }
    assert_eq!(quickly(".x = replace(\"abc\", \"b\", string!(.w))", r#"{"w":"-"}"#), "x=\"a-c\"");
}

#[test]
fn paths_are_still_paths() {
    assert_eq!(quickly(".had = exists(.x)\nif exists(.x) { del(.x) }", r#"{"x":1}"#), "had=true x-");
    assert_eq!(quickly("y = {\"a\": 1}\n.x = del(y.a)\n.z = exists(y.a)", "{}"), "x=1 z=false");
}
