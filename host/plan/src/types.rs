//! What flows between steps: fields that nothing provides, kinds that do not meet, two writers of one field.

use crate::codes;
use crate::model::{Origin, PipelinePlan, Plan, StepPlan};
use tamis_config::{Config, Diagnostic, Diagnostics};
use tamis_record::{Kind, Path, Relation};

pub(crate) fn check(config: &Config, plan: &Plan, findings: &mut Diagnostics) {
    for pipeline in &plan.pipelines {
        let provided = provided(config, pipeline);
        for (i, step) in pipeline.steps.iter().enumerate() {
            let (before, after) = (&pipeline.steps[..i], &pipeline.steps[i + 1..]);
            reads(pipeline, step, before, after, provided.as_deref(), findings);
            writers(pipeline, step, before, findings);
        }
    }
}

/// The fields that the pipeline's sources say their records hold; `None` when one of them does not say.
fn provided(config: &Config, pipeline: &PipelinePlan) -> Option<Vec<Path>> {
    let mut all = Vec::new();
    for origin in &pipeline.from {
        let Origin::Source(name) = origin else { return None };
        all.extend(config.sources.get(name)?.value.fields()?.iter().map(|f| f.value.clone()));
    }
    Some(all)
}

fn reads(
    pipeline: &PipelinePlan,
    step: &StepPlan,
    before: &[StepPlan],
    after: &[StepPlan],
    provided: Option<&[Path]>,
    findings: &mut Diagnostics,
) {
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
        // A step that writes what it reads looks whether something is there; the source may well not provide it.
        let related = |path: &Path| path.relation(&field.path) != Relation::Apart;
        if field.path.is_root() || before.iter().any(|s| s.signature.writes.iter().any(|w| related(&w.path))) {
            continue;
        }
        let later = after.iter().find(|s| s.signature.writes.iter().any(|w| w.path == field.path));
        let unknown = provided.is_some_and(|provided| !provided.iter().any(related));
        if !unknown && (later.is_none() || provided.is_some() || step.signature.writes.iter().any(|w| w.path == field.path)) {
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
        let other = before.iter().find(|s| s.signature.writes.iter().any(|w| w.path == field.path));
        if let (Some(other), false) = (other, looks) {
            findings.push(
                Diagnostic::warning(
                    codes::TWO_WRITERS,
                    format!(
                        "steps `{}` and `{}` of pipeline `{}` both write `{}`: the later one wins",
                        other.name, step.name, pipeline.name, field.path
                    ),
                )
                .at(&step.place)
                .related(&other.place, "the other one is here"),
            );
        }
    }
}
