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
            pipeline.steps.iter().map(|s| id("step", &format!("{}_{}", pipeline.name, s.name))).collect()
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
                        Some(step) => id("step", &format!("{}_{}", p.name, step.name)),
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

fn id(kind: &str, name: &str) -> String {
    let safe: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("{kind}_{safe}")
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

/// Graphviz.
pub fn to_dot(plan: &Plan) -> String {
    let (nodes, edges) = picture(plan);
    let text = |s: &str| s.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
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
    let text = |s: &str| s.replace('"', "#quot;").replace('\n', "<br/>");
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
