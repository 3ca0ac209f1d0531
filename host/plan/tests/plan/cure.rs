//! The cure that E212 names: pasted into the file, the plugin loads.

use crate::declared::planned;

fn configuration(grant: &str, asks: &str) -> String {
    format!(
        "version: 1\nsources: {{ in: {{ type: stdin }} }}\nplugins:\n  p:\n    component: p.wasm\n    {grant}\n    config: {asks}\npipelines: {{ main: {{ from: [in], steps: [ {{ plugin: p }} ], to: {{ default: [out] }} }} }}\nsinks: {{ out: {{ type: stdout }} }}\n"
    )
}

/// What the help says to write.
fn cure(grant: &str, asks: &str) -> String {
    let (plan, findings) = planned("cure.yaml", &configuration(grant, asks));
    assert!(plan.is_none(), "{grant} is enough for {asks}");
    let refused = findings.iter().find(|f| f.code == "E212").unwrap_or_else(|| panic!("no E212: {}", findings.render(false)));
    let help = refused.help.as_deref().expect("a cure");
    let (_, yaml) = help.split_once("write under plugins.p: ").unwrap_or_else(|| panic!("no cure: {help}"));
    // What is printed is what is pasted.
    assert!(findings.render(false).contains(yaml), "{}", findings.render(false));
    yaml.to_owned()
}

#[test]
fn what_the_help_says_can_be_pasted() {
    let asks = [
        "{ reads: [ApiOwner text] }",
        "{ reads: [. json], writes: [. json] }",
        r##"{ writes: ['tags[0] text', 'a."b c" text', '"it''s" text', '"" text', '"x: y" text', '"#no" text'] }"##,
        r##"{ reads: ['null', 'true', 'No', '123', '1.5', '-', '-a', '@timestamp', '~', 'é', '*a', '&a', '!a', 'a:b', '{a}', 'a,b'] }"##,
        r##"{ reads: ['"a\"b"', '"a\\b"', '"a\nb"', '"\u{1b}[31m"'] }"##,
        "{ reads: [a text, a json, b, a integer], writes: [a text] }",
        "{ drops: true }",
        "{ reads: [a], drops: true, outputs: [errors, no, default] }",
    ];
    let grants = [
        "grant: {}",
        "grant: { drop: false }",
        "grant: { outputs: [] }",
        "grant: { read: [kept.a, 'kept[1]'], write: [kept], drop: false, outputs: [kept] }",
    ];
    for asks in asks {
        for grant in grants {
            let enough = configuration(grant, asks);
            if planned("cure.yaml", &enough).0.is_some() {
                continue;
            }
            let cured = configuration(&cure(grant, asks), asks);
            let (plan, findings) = planned("cured.yaml", &cured);
            assert!(plan.is_some(), "{cured}\n{}", findings.render(false));
        }
    }
}

#[test]
fn the_cure_keeps_what_was_granted_and_refused() {
    let asks = "{ reads: [a, b.c], writes: [d], outputs: [errors] }";
    assert_eq!(
        cure("grant: { read: [a], drop: false, outputs: [slow] }", asks),
        "grant: { read: [a, b.c], write: [d], drop: false, outputs: [slow, errors] }"
    );
    assert_eq!(cure("grant: { read: [a, b] }", asks), "grant: { read: [a, b], write: [d] }");
    assert_eq!(cure("grant: { drop: false }", "{ reads: ['.'], drops: true }"), "grant: { read: ['.'] }");
}

#[test]
fn nothing_is_granted_by_default() {
    assert_eq!(cure("on_failure: drop", "{ reads: [a] }"), "grant: { read: [a] }");
    let (plan, findings) = planned("none.yaml", &configuration("grant: {}", "{}"));
    assert!(plan.is_some() && findings.is_empty(), "{}", findings.render(false));
}

#[test]
fn a_grant_covers_what_lies_below_it_and_nothing_above_or_beside() {
    for (granted, asked, enough) in [
        ("a", "a", true),
        ("a", "a.b.c", true),
        ("a", "'a[0]'", true),
        ("'.'", "a", true),
        ("'.'", "'.'", true),
        ("a.b", "a", false),
        ("a.b", "a.c", false),
        ("a", "ab", false),
        ("a", "A", false),
        ("'a[0]'", "'a[1]'", false),
        ("'a[1]'", "'a[10]'", false),
        ("a", "'.'", false),
        ("'\"a.b\"'", "a.b", false),
    ] {
        for (grant, asks) in [("read", "reads"), ("write", "writes")] {
            let text = configuration(&format!("grant: {{ {grant}: [{granted}] }}"), &format!("{{ {asks}: [{asked}] }}"));
            let (plan, findings) = planned("grant.yaml", &text);
            assert_eq!(plan.is_some(), enough, "{grant} {granted}, {asked}: {}", findings.render(false));
        }
    }
    // A grant to read is none to write, and the other way round.
    assert_eq!(cure("grant: { read: [a] }", "{ writes: [a] }"), "grant: { read: [a], write: [a] }");
    assert_eq!(cure("grant: { write: [a] }", "{ reads: [a] }"), "grant: { read: [a], write: [a] }");
}
