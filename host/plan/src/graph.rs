//! The plan as a picture: Graphviz and Mermaid.

use crate::model::{Mode, Origin, Plan, StepPlan, Target, Way};

struct Edge {
    from: String,
    to: String,
    label: String,
}

/// Nodes as (id, label, shape) and edges.
fn picture(plan: &Plan) -> (Vec<(String, String, Shape)>, Vec<Edge>) {
    let mut nodes = Vec::new();
    let mut edges = Vec::new();
    for (name, source) in &plan.sources {
        nodes.push((id("source", name), format!("{name}\n{}", source.kind), Shape::End));
    }
    for pipeline in &plan.pipelines {
        let steps: Vec<String> = if pipeline.steps.is_empty() {
            vec![id("pipeline", &pipeline.name)]
        } else {
            pipeline.steps.iter().map(|s| step_id(&pipeline.name, &s.name)).collect()
        };
        if pipeline.steps.is_empty() {
            nodes.push((steps[0].clone(), pipeline.name.clone(), Shape::Step));
        }
        for (step, id) in pipeline.steps.iter().zip(&steps) {
            nodes.push((
                id.clone(),
                format!("{}/{}\n{}", pipeline.name, step.name, does(step)),
                if matches!(step.mode, Mode::Plugin(_)) { Shape::Plugin } else { Shape::Step },
            ));
        }
        for pair in steps.windows(2) {
            edges.push(Edge { from: pair[0].clone(), to: pair[1].clone(), label: String::new() });
        }
        let (first, last) = (steps[0].clone(), steps[steps.len() - 1].clone());
        for origin in &pipeline.from {
            if let Origin::Source(name) = origin {
                edges.push(Edge { from: id("source", name), to: first.clone(), label: String::new() });
            }
        }
        for output in &pipeline.outputs {
            let Way::To(targets) = &output.way else { continue };
            for target in targets {
                let to = match target {
                    Target::Sink(name) => id("sink", name),
                    Target::Pipeline(name) => plan.pipeline(name).map_or_else(String::new, |p| match p.steps.first() {
                        Some(step) => step_id(&p.name, &step.name),
                        None => id("pipeline", &p.name),
                    }),
                };
                edges.push(Edge { from: last.clone(), to, label: output.name.clone() });
            }
        }
        for sink in &pipeline.dead_letters {
            edges.push(Edge { from: last.clone(), to: id("sink", sink), label: "dead letters".into() });
        }
    }
    for (name, kind) in &plan.sinks {
        nodes.push((id("sink", name), format!("{name}\n{kind}"), Shape::End));
    }
    (nodes, edges)
}

#[derive(Clone, Copy)]
enum Shape {
    End,
    Step,
    Plugin,
}

/// A name both languages take for a node. No two names give the same one: `a-b` and `a_b` are two nodes.
fn id(kind: &str, name: &str) -> String {
    let mut id = format!("{kind}_");
    for c in name.chars() {
        match c {
            _ if c.is_ascii_alphanumeric() => id.push(c),
            '_' => id.push_str("_u"),
            '-' => id.push_str("_d"),
            _ => id.push_str(&format!("_x{:x}_", u32::from(c))),
        }
    }
    id
}

fn step_id(pipeline: &str, step: &str) -> String {
    format!("{}_{}", id("step", pipeline), id("", step))
}

fn does(step: &StepPlan) -> String {
    let list = |fields: &[tamis_record::Field]| fields.iter().map(|f| f.path.to_string()).collect::<Vec<_>>().join(", ");
    let mut parts = Vec::new();
    if !step.signature.reads.is_empty() {
        parts.push(format!("reads {}", list(&step.signature.reads)));
    }
    if !step.signature.writes.is_empty() {
        parts.push(format!("writes {}", list(&step.signature.writes)));
    }
    if step.signature.drops {
        parts.push("drops".into());
    }
    parts.join("\n")
}

/// A label, line by line, with what drives a terminal made visible and the language's own signs escaped.
fn lines(label: &str, line_break: &str, escape: impl Fn(char) -> String) -> String {
    let line = |line: &str| tamis_config::escaped(line).chars().map(&escape).collect::<String>();
    label.split('\n').map(line).collect::<Vec<_>>().join(line_break)
}

/// Graphviz.
pub fn to_dot(plan: &Plan) -> String {
    let (nodes, edges) = picture(plan);
    let text = |s: &str| lines(s, "\\n", |c| if matches!(c, '"' | '\\') { format!("\\{c}") } else { c.into() });
    let mut out = String::from("digraph tamis {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n");
    for (id, label, shape) in nodes {
        let style = match shape {
            Shape::End => "shape=cylinder",
            Shape::Step => "shape=box",
            Shape::Plugin => "shape=box, style=rounded, peripheries=2",
        };
        out.push_str(&format!("  {id} [label=\"{}\", {style}];\n", text(&label)));
    }
    for edge in edges {
        out.push_str(&format!("  {} -> {} [label=\"{}\"];\n", edge.from, edge.to, text(&edge.label)));
    }
    out.push_str("}\n");
    out
}

/// Mermaid, as Markdown viewers draw it.
pub fn to_mermaid(plan: &Plan) -> String {
    let (nodes, edges) = picture(plan);
    // Between quotes Mermaid reads entities, HTML and, behind a backtick, Markdown; a plugin chooses the names of its fields.
    let text = |s: &str| {
        let entity = |c: char| match c {
            '"' | '#' | '<' | '>' | '&' | '`' | '\\' | ';' => format!("#{};", u32::from(c)),
            _ => c.into(),
        };
        lines(s, "<br/>", entity)
    };
    let mut out = String::from("flowchart LR\n");
    for (id, label, shape) in nodes {
        let (open, close) = match shape {
            Shape::End => ("[(", ")]"),
            Shape::Step => ("[", "]"),
            Shape::Plugin => ("[[", "]]"),
        };
        out.push_str(&format!("  {id}{open}\"{}\"{close}\n", text(&label)));
    }
    for edge in edges {
        if edge.label.is_empty() {
            out.push_str(&format!("  {} --> {}\n", edge.from, edge.to));
        } else {
            out.push_str(&format!("  {} -- \"{}\" --> {}\n", edge.from, text(&edge.label), edge.to));
        }
    }
    out
}
