//! What flows between steps: fields that nothing provides, kinds that do not meet, two writers of one field.

use crate::codes;
use crate::model::{Origin, PipelinePlan, Plan, StepPlan};
use std::collections::{BTreeMap, BTreeSet};
use tamis_config::{Config, Diagnostic, Diagnostics};
use tamis_record::{Kind, Path, Relation};

pub(crate) fn check(config: &Config, plan: &Plan, findings: &mut Diagnostics) {
    // Pipelines stand behind those that feed them.
    let mut leaving: BTreeMap<&str, Known> = BTreeMap::new();
    for pipeline in &plan.pipelines {
        let mut known = arriving(config, pipeline, &leaving);
        // A step that could not be planned may write anything; its own error is enough.
        let complete = config.pipelines.get(&pipeline.name).is_some_and(|p| p.value.steps.len() == pipeline.steps.len());
        for (i, step) in pipeline.steps.iter().enumerate() {
            let (before, after) = (&pipeline.steps[..i], &pipeline.steps[i + 1..]);
            if complete {
                reads(pipeline, step, before, after, &known, findings);
            }
            writers(pipeline, step, before, findings);
        }
        known.written.extend(pipeline.steps.iter().flat_map(|s| &s.signature.writes).map(|w| w.path.clone()));
        if !complete {
            known.fields = None;
        }
        leaving.insert(&pipeline.name, known);
    }
}

/// What is known of the records at some point. Sets: with each fork and join of pipelines a list would double.
struct Known {
    /// The fields that the sources say their records hold; `None` when one of them does not say.
    fields: Option<BTreeSet<Path>>,
    /// The fields that pipelines on the way write.
    written: BTreeSet<Path>,
}

fn arriving(config: &Config, pipeline: &PipelinePlan, leaving: &BTreeMap<&str, Known>) -> Known {
    // A name that refers to nothing leaves open what would have come from there.
    let refers = |name: &str| config.sources.contains_key(name) || config.pipelines.contains_key(name.split('.').next().unwrap_or(name));
    let all_known = config.pipelines.get(&pipeline.name).is_some_and(|p| p.value.from.iter().all(|f| refers(&f.value)));
    let mut fields = all_known.then(BTreeSet::new);
    let mut written = BTreeSet::new();
    for origin in &pipeline.from {
        let more = match origin {
            Origin::Source(name) => {
                let declared = config.sources.get(name).and_then(|s| s.value.fields());
                declared.map(|declared| declared.iter().map(|f| f.value.clone()).collect())
            }
            Origin::Pipeline { name, .. } => leaving.get(name.as_str()).and_then(|known| {
                written.extend(known.written.iter().cloned());
                known.fields.clone()
            }),
        };
        fields = fields.zip(more).map(|(mut all, more): (BTreeSet<Path>, BTreeSet<Path>)| {
            all.extend(more);
            all
        });
    }
    Known { fields, written }
}

fn reads(pipeline: &PipelinePlan, step: &StepPlan, before: &[StepPlan], after: &[StepPlan], arriving: &Known, findings: &mut Diagnostics) {
    for field in &step.signature.reads {
        let written_as: Vec<(&str, Kind)> = before
            .iter()
            .flat_map(|s| s.signature.writes.iter().filter(|w| w.path == field.path).map(|w| (s.name.as_str(), w.kind)))
            .collect();
        if let Some((writer, kind)) = written_as.last()
            && !meets(*kind, field.kind)
        {
            findings.push(
                Diagnostic::error(codes::KIND_MISMATCH, format!("step `{}` reads `{}` as {}, but step `{writer}` before it writes {kind}", step.name, field.path, field.kind))
                    .at(&step.place)
                    .help("a value of another kind counts as absent: change one of the two plugins, or convert the field between them with a `vrl` step"),
            );
        }
        let related = |path: &Path| path.relation(&field.path) != Relation::Apart;
        let mut written = before.iter().flat_map(|s| &s.signature.writes).map(|w| &w.path).chain(&arriving.written);
        if field.path.is_root() || written.any(related) {
            continue;
        }
        let writes = |s: &StepPlan| s.signature.writes.iter().any(|w| w.path == field.path);
        // Who looks at a field before writing it changes what is there already: that one does not bring it.
        let later = after.iter().find(|s| writes(s) && !s.signature.reads.iter().any(|r| r.path.covers(&field.path)));
        let missing = match &arriving.fields {
            Some(fields) => !fields.iter().any(related),
            None => later.is_some() && !writes(step),
        };
        if !missing {
            continue;
        }
        let help = match later {
            Some(writer) => format!("step `{}` writes it later: move that step before this one", writer.name),
            None => "check the name; or add it to the source's `fields` if the records hold it".into(),
        };
        findings.push(
            Diagnostic::warning(
                codes::NOT_PROVIDED,
                format!("step `{}` of pipeline `{}` reads `{}`, which nothing before it provides", step.name, pipeline.name, field.path),
            )
            .at(&step.place)
            .help(help),
        );
    }
}

/// Whether a value written as one kind can be there for a reader of another.
fn meets(written: Kind, read: Kind) -> bool {
    written == read || written == Kind::Json || read == Kind::Json || (written == Kind::Integer && read == Kind::Float)
}

fn writers(pipeline: &PipelinePlan, step: &StepPlan, before: &[StepPlan], findings: &mut Diagnostics) {
    for field in &step.signature.writes {
        // Who reads a field before changing it works on what the other left: a redactor behind an enricher is no conflict.
        let looks = step.signature.reads.iter().any(|r| r.path.covers(&field.path));
        // A write of the parent takes the child with it; a write of the child leaves the rest of the parent.
        let other = before.iter().find_map(|s| s.signature.writes.iter().find(|w| field.path.covers(&w.path)).map(|w| (s, &w.path)));
        if let (Some((other, path)), false) = (other, looks) {
            findings.push(
                Diagnostic::warning(
                    codes::TWO_WRITERS,
                    format!(
                        "steps `{}` and `{}` of pipeline `{}` both write `{path}`: the later one wins",
                        other.name, step.name, pipeline.name
                    ),
                )
                .at(&step.place)
                .related(&other.place, "the other one is here"),
            );
        }
    }
}
