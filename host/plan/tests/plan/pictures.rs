//! Pictures of plans whose names try to be more than names: a plugin chooses the paths and outputs that it declares.

use std::collections::BTreeSet;

use tamis_plan::{Mode, Origin, OutputPlan, PipelinePlan, Plan, SourcePlan, StepPlan, Target, Way, to_dot, to_mermaid};
use tamis_record::{Field, Kind, Path, Segment, Signature};

/// Texts that mean something to Graphviz, to Mermaid, to a browser or to a terminal.
const HOSTILE: [&str; 12] = [
    "\"]; x [label=\"y",
    "a\\",
    "\\N\\G\\l",
    "line\nbreak\r\n}",
    "\u{1b}[31mred\u{9b}0m\0",
    "\u{202e}txt",
    "<script>alert(1)</script>",
    "#lt;script#gt;#quot;",
    "`**bold**`",
    "]] --> evil[[x",
    "%%{init: {}}%%",
    "click x \"javascript:alert(1)\"",
];

fn hostile() -> Plan {
    let mut plan = Plan::default();
    for (number, text) in HOSTILE.into_iter().enumerate() {
        let path = Path::from_segments(vec![Segment::Key(text.into())]);
        let field = Field { path, kind: Kind::Text };
        let step = |name: &str| StepPlan {
            name: name.to_owned(),
            mode: if number % 2 == 0 { Mode::Plugin(text.to_owned()) } else { Mode::Route },
            signature: Signature { reads: vec![field.clone()], writes: vec![field.clone()], outputs: vec![text.to_owned()], drops: true },
            ways: vec![1],
            on_failure: tamis_config::OnFailure::DeadLetter,
            place: tamis_config::Place::none(),
        };
        plan.sources.insert(text.to_owned(), SourcePlan { kind: text.to_owned(), fields: None });
        plan.sinks.insert(text.to_owned(), text.to_owned());
        plan.pipelines.push(PipelinePlan {
            name: text.to_owned(),
            from: vec![Origin::Source(text.to_owned())],
            steps: vec![step(text), step("second")],
            outputs: vec![OutputPlan { name: text.to_owned(), way: Way::To(vec![Target::Sink(text.to_owned())]) }],
            dead_letters: vec![text.to_owned()],
            undecodable: tamis_config::Undecodable::Keep,
        });
    }
    plan
}

/// What is left of a line of Graphviz when its quoted texts are taken out; fails when a quote is not closed.
fn outside_quotes(line: &str) -> String {
    let (mut out, mut quoted, mut characters) = (String::new(), false, line.chars());
    while let Some(c) = characters.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' if quoted => assert!(characters.next().is_some(), "nothing behind the backslash: {line}"),
            _ if !quoted => out.push(c),
            _ => {}
        }
    }
    assert!(!quoted, "a quote is not closed: {line}");
    out
}

#[test]
fn graphviz_is_not_fooled() {
    let picture = to_dot(&hostile());
    assert!(picture.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}')), "{picture}");
    let lines: Vec<&str> = picture.lines().collect();
    assert_eq!((lines.first(), lines.last()), (Some(&"digraph tamis {"), Some(&"}")));
    // Four nodes and four edges a text, and not one more.
    let left: Vec<String> = lines.iter().map(|line| outside_quotes(line)).collect();
    assert_eq!(left.iter().filter(|line| line.contains(" -> ")).count(), HOSTILE.len() * 4, "{picture}");
    assert_eq!(left.iter().filter(|line| line.contains("shape=")).count(), HOSTILE.len() * 4, "{picture}");
    assert_eq!(lines.len(), 4 + HOSTILE.len() * 8);
}

#[test]
fn mermaid_is_not_fooled() {
    let picture = to_mermaid(&hostile());
    assert!(picture.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}')), "{picture}");
    assert_eq!(picture.lines().count(), 1 + HOSTILE.len() * 8);
    for line in picture.lines().skip(1) {
        // A label stands between the only two quotes of its line, and is plain text but for entities and our line breaks.
        let parts: Vec<&str> = line.split('"').collect();
        match parts.as_slice() {
            [plain] => assert!(plain.contains(" --> "), "{line}"),
            [_, label, _] => {
                let label = label.replace("<br/>", "");
                assert!(!label.contains(['<', '>', '&', '`', '\\']), "{line}");
                for entity in label.split('#').skip(1) {
                    let number = entity.split_once(';').map(|(number, _)| number);
                    assert!(number.is_some_and(|number| number.parse::<u32>().is_ok()), "{line}");
                }
            }
            _ => panic!("too many quotes: {line}"),
        }
    }
}

#[test]
fn names_that_look_alike_are_nodes_of_their_own() {
    let mut plan = Plan::default();
    let step = |name: &str| StepPlan {
        name: name.to_owned(),
        mode: Mode::Vrl,
        signature: Signature::default(),
        ways: Vec::new(),
        on_failure: tamis_config::OnFailure::DeadLetter,
        place: tamis_config::Place::none(),
    };
    let names = ["a", "b", "a_b", "a-b", "a_", "_b", "_", "__", "a_ub", "a_db", "a__b", "ab", "A"];
    for name in names {
        plan.sinks.insert(name.to_owned(), "null".to_owned());
        plan.sources.insert(name.to_owned(), SourcePlan { kind: "stdin".to_owned(), fields: None });
        let steps = names.iter().map(|name| step(name)).collect();
        let outputs = Vec::new();
        plan.pipelines.push(PipelinePlan {
            name: name.to_owned(),
            from: Vec::new(),
            steps,
            outputs,
            dead_letters: Vec::new(),
            undecodable: tamis_config::Undecodable::Keep,
        });
    }
    let picture = to_dot(&plan);
    let nodes: Vec<&str> = picture.lines().filter(|l| l.contains("shape=")).filter_map(|l| l.trim().split(' ').next()).collect();
    let distinct: BTreeSet<&&str> = nodes.iter().collect();
    assert_eq!((nodes.len(), distinct.len()), (names.len() * (names.len() + 2), nodes.len()));
}
