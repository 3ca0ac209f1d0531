//! How large a pipeline may be, and names that the plan makes up.

use crate::declared::planned;

fn with_steps(steps: usize) -> String {
    let list = "      - vrl: read a\n".repeat(steps);
    format!(
        "version: 1\nsources: {{ in: {{ type: stdin }} }}\npipelines:\n  main:\n    from: [in]\n    steps:\n{list}    to: [out]\nsinks: {{ out: {{ type: stdout }} }}\n"
    )
}

#[test]
fn sixty_four_steps_and_no_more() {
    let (plan, findings) = planned("steps.yaml", &with_steps(64));
    assert!(findings.is_empty(), "{}", findings.render(false));
    let names: Vec<String> = plan.expect("a plan").pipelines.remove(0).steps.into_iter().map(|s| s.name).collect();
    let expected: Vec<String> = (1..=64).map(|n| if n == 1 { "vrl".to_owned() } else { format!("vrl-{n}") }).collect();
    assert_eq!(names, expected);

    let (plan, findings) = planned("steps.yaml", &with_steps(65));
    let text = findings.render(false);
    assert!(plan.is_none() && text.starts_with("error[E215]: pipeline `main` has 65 steps, at most 64 are allowed\n"), "{text}");
    assert!(text.contains("--> steps.yaml:4:3") && text.contains("split it"), "{text}");
    assert_eq!(findings.summary(), "1 error");
}

/// A pipeline with so many outputs beside the default one, as `to` or as a step names them.
fn with_outputs(mapped: usize, sent: usize) -> String {
    let outputs: String = (0..mapped).map(|n| format!("      o{n}: []\n")).collect();
    let sends: String = (0..sent).map(|n| format!("send o{n}; ")).collect();
    format!(
        "version: 1\nsources: {{ in: {{ type: stdin }} }}\npipelines:\n  main:\n    from: [in]\n    steps: [ {{ vrl: {sends:?} }} ]\n    to:\n      default: [out]\n{outputs}sinks: {{ out: {{ type: stdout }} }}\n"
    )
}

#[test]
fn two_hundred_and_fifty_outputs_and_no_more() {
    let (plan, findings) = planned("outputs.yaml", &with_outputs(249, 249));
    assert!(findings.is_empty(), "{}", findings.render(false));
    let pipeline = plan.expect("a plan").pipelines.remove(0);
    assert_eq!(pipeline.outputs.len(), 250);
    // Way `n` is the number of the output that the step's own output `n` leads to.
    for (output, way) in pipeline.steps[0].signature.outputs.iter().zip(&pipeline.steps[0].ways) {
        assert_eq!(&pipeline.outputs[usize::from(*way)].name, output);
    }

    for (mapped, sent) in [(250, 250), (0, 250), (250, 0), (1, 500)] {
        let (plan, findings) = planned("outputs.yaml", &with_outputs(mapped, sent));
        let text = findings.render(false);
        let says = format!("error[E215]: pipeline `main` has {} outputs, at most 250 are allowed\n", mapped.max(sent) + 1);
        assert!(plan.is_none() && text.starts_with(&says), "{text}");
    }
}

#[test]
fn a_step_that_is_too_many_does_not_hide_what_else_is_wrong() {
    let text = with_steps(65) + "  spare: { type: stdout }\n";
    let text = text.replace("sinks: { out: { type: stdout } }\n", "sinks:\n  out: { type: stdout }\n");
    let (_, findings) = planned("steps.yaml", &text);
    assert_eq!(findings.summary(), "1 error, 1 warning", "{}", findings.render(false));
}

#[test]
fn a_long_circle_is_found() {
    let mut text = String::from("version: 1\npipelines:\n");
    for n in 0..300 {
        text.push_str(&format!("  p{n}: {{ from: [p{}], to: [] }}\n", (n + 1) % 300));
    }
    let (plan, findings) = planned("circle.yaml", &text);
    assert!(plan.is_none());
    assert_eq!(findings.error_count(), 300);
    assert!(findings.iter().all(|f| f.code == "E202"));
}

#[test]
fn lineage_of_many_forks_ends() {
    // Thirty forks that join again: a billion ways.
    let mut text = String::from(
        "version: 1\nsources: { in: { type: stdin } }\nsinks: { out: { type: stdout } }\npipelines:\n  p0: { from: [in], to: [out] }\n",
    );
    for n in 1..=30 {
        for side in ["l", "r"] {
            text.push_str(&format!("  {side}{n}: {{ from: [p{}], steps: [ {{ vrl: write a text }} ] }}\n", n - 1));
        }
        text.push_str(&format!("  p{n}: {{ from: [l{n}, r{n}], to: [out] }}\n"));
    }
    let (plan, findings) = planned("forks.yaml", &text);
    let plan = plan.unwrap_or_else(|| panic!("{}", findings.render(false)));
    let lineage = tamis_plan::lineage(&plan, &"a".parse().expect("a field path"));
    assert_eq!(lineage.writers.len(), 60);
    let to_out: Vec<usize> = lineage.sinks.iter().filter(|(sink, _)| sink == "out").map(|(_, writers)| writers.len()).collect();
    assert_eq!((to_out.iter().min(), to_out.iter().max()), (Some(&0), Some(&30)));
    assert!(to_out.len() <= 31 * 64, "{}", to_out.len());
}
