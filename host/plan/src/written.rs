//! What the plan knows of the records that a sink gets.

use crate::model::Plan;
use std::collections::BTreeMap;
use tamis_record::{Kind, Segment};

/// The fields at the top of records that steps write on the way to a sink, where all of them write one type. What programs of VRL
/// write has none.
pub fn written(plan: &Plan, sink: &str) -> BTreeMap<String, Kind> {
    let mut found: BTreeMap<String, Option<Kind>> = BTreeMap::new();
    for pipeline in plan.leading_to(sink) {
        for field in pipeline.steps.iter().flat_map(|step| &step.signature.writes) {
            if let [Segment::Key(key)] = field.path.segments() {
                let kind = found.entry(key.to_string()).or_insert(Some(field.kind));
                *kind = kind.filter(|kind| *kind == field.kind && *kind != Kind::Json);
            }
        }
    }
    found.into_iter().filter_map(|(name, kind)| Some((name, kind?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mode, Origin, OutputPlan, PipelinePlan, StepPlan, Target, Way};
    use tamis_config::{OnFailure, Place, Undecodable};
    use tamis_record::{Field, Signature};

    fn pipeline(name: &str, from: Origin, writes: &[(&str, Kind)], to: Target) -> PipelinePlan {
        let writes = writes.iter().filter_map(|(path, kind)| Some(Field { path: path.parse().ok()?, kind: *kind })).collect();
        let step = StepPlan {
            name: "step".into(),
            mode: Mode::Plugin("p".into()),
            signature: Signature { writes, ..Signature::default() },
            ways: Vec::new(),
            on_failure: OnFailure::DeadLetter,
            place: Place::none(),
        };
        PipelinePlan {
            name: name.into(),
            from: vec![from],
            steps: vec![step],
            outputs: vec![OutputPlan { name: "default".into(), way: Way::To(vec![to]) }],
            dead_letters: Vec::new(),
            undecodable: Undecodable::default(),
        }
    }

    #[test]
    fn fields_of_one_type_on_the_way() {
        let first = [("tenant", Kind::Text), ("calls", Kind::Integer), ("a.b", Kind::Text), ("mixed", Kind::Text)];
        let second = [("took", Kind::Float), ("mixed", Kind::Integer), ("any", Kind::Json)];
        let plan = Plan {
            pipelines: vec![
                pipeline("first", Origin::Source("in".into()), &first, Target::Pipeline("second".into())),
                pipeline("other", Origin::Source("in".into()), &[("else", Kind::Boolean)], Target::Sink("elsewhere".into())),
                pipeline(
                    "second",
                    Origin::Pipeline { name: "first".into(), output: "default".into() },
                    &second,
                    Target::Sink("lake".into()),
                ),
            ],
            ..Plan::default()
        };
        let found: Vec<_> = written(&plan, "lake").into_iter().collect();
        assert_eq!(found, [("calls".into(), Kind::Integer), ("tenant".into(), Kind::Text), ("took".into(), Kind::Float)]);
        assert_eq!(written(&plan, "elsewhere").len(), 1);
    }
}
