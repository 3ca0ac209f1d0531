//! From a configuration to a plan: names, outputs, order; the other modules check what the steps do.

use crate::model::{
    Mode, OUTPUTS_MAX, Origin, OutputPlan, PipelinePlan, Plan, PluginPlan, STEPS_MAX, SinkUse, SourcePlan, StepPlan, Target, Way,
};
use crate::{addresses, codes, ends, grants, order, trials, types};
use std::collections::{BTreeMap, BTreeSet};
use tamis_config::{Config, Diagnostic, Diagnostics, Located, OnFailure, Pipeline, Plugin, Step, StepKind, nearest};
use tamis_record::Signature;

/// What a plugin or program is asked through. The host's own loads components and compiles VRL; tests answer from tables.
pub trait Toolbox {
    /// Loads a plugin and has it read its configuration.
    fn plugin(&mut self, name: &str, plugin: &Plugin) -> Result<PluginPlan, Problem>;

    /// Compiles a native step (never [`StepKind::Plugin`]). The handle stays with the toolbox under pipeline and step number.
    fn program(&mut self, pipeline: &str, step: usize, kind: &StepKind) -> (Option<Signature>, Vec<ProgramProblem>);
}

/// Why a plugin cannot be used.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Whether the component was sound and its configuration (or its `init`) was not.
    pub in_configuration: bool,
    /// The code, where it is not the one for a component that cannot be loaded, or for a configuration that is refused.
    pub code: Option<&'static str>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// What the compiler says of a program.
#[derive(Debug, Clone)]
pub struct ProgramProblem {
    /// Which of a route's conditions, from 0; 0 elsewhere.
    pub case: usize,
    /// Whether it is only a warning.
    pub warning: bool,
    /// What is wrong.
    pub message: String,
    /// Line in the program, from 1.
    pub line: u32,
    /// Column in the program, from 1.
    pub column: u32,
    /// What to do.
    pub help: Option<String>,
}

/// Resolves a configuration. Gives all findings at once; `None` with at least one error among them.
pub fn plan(config: &Config, toolbox: &mut dyn Toolbox, findings: &mut Diagnostics) -> Option<Plan> {
    let mut resolver = Resolver { config, findings, plan: Plan::default() };
    resolver.ends();
    let order = order::order(config, resolver.findings);
    resolver.plugins(toolbox);
    for name in order {
        let Some(pipeline) = config.pipelines.get(&name) else { continue };
        resolver.pipeline(&name, pipeline, toolbox);
    }
    resolver.unused();
    types::check(config, &resolver.plan, resolver.findings);
    ends::check_answers(config, &resolver.plan, resolver.findings);
    let plan = resolver.plan;
    for test in &config.tests {
        trials::resolve_test(config, &plan, test, findings);
    }
    (!findings.has_errors()).then_some(plan)
}

struct Resolver<'a> {
    config: &'a Config,
    findings: &'a mut Diagnostics,
    plan: Plan,
}

impl Resolver<'_> {
    /// Sources and sinks as the plan shows them.
    fn ends(&mut self) {
        if self.config.pipelines.is_empty() {
            self.findings.push(
                Diagnostic::error(codes::NOTHING_TO_RUN, "there is no pipeline")
                    .help("add one under `pipelines:`, with `from`, `steps` and `to`"),
            );
        }
        for (name, source) in &self.config.sources {
            let fields = source.value.fields().map(|fields| fields.iter().map(|f| f.value.to_string()).collect());
            self.plan.sources.insert(name.clone(), SourcePlan { kind: source.value.type_name().into(), fields });
        }
        for (name, sink) in &self.config.sinks {
            self.plan.sinks.insert(name.clone(), sink.value.type_name().into());
            let uses: Vec<SinkUse> =
                sink.value.uses().into_iter().map(|(option, path)| SinkUse { option, path: path.to_string() }).collect();
            if !uses.is_empty() {
                self.plan.sink_uses.insert(name.clone(), uses);
            }
        }
        ends::check(self.config, self.findings);
        addresses::check(self.config, self.findings);
    }

    fn plugins(&mut self, toolbox: &mut dyn Toolbox) {
        let used: BTreeSet<&str> = self
            .config
            .pipelines
            .values()
            .flat_map(|p| &p.value.steps)
            .filter_map(|s| if let StepKind::Plugin(name) = &s.value.kind { Some(name.value.as_str()) } else { None })
            .collect();
        for (name, plugin) in &self.config.plugins {
            if !used.contains(name.as_str()) {
                self.findings.push(Diagnostic::warning(codes::UNUSED, format!("plugin `{name}` is used by no pipeline")).at(&plugin.place));
                continue;
            }
            match toolbox.plugin(name, &plugin.value) {
                Ok(resolved) => {
                    grants::check(name, plugin, &resolved, self.findings);
                    self.plan.plugins.insert(name.clone(), resolved);
                }
                Err(problem) => {
                    let usual = if problem.in_configuration { codes::INIT_FAILED } else { codes::NO_COMPONENT };
                    let code = problem.code.unwrap_or(usual);
                    let place = if problem.in_configuration { &plugin.place } else { &plugin.value.component.place };
                    self.findings
                        .push(Diagnostic::error(code, format!("plugin `{name}`: {}", problem.message)).at(place).help_maybe(problem.help));
                }
            }
        }
    }

    fn pipeline(&mut self, name: &str, located: &Located<Pipeline>, toolbox: &mut dyn Toolbox) {
        let pipeline = &located.value;
        // Named twice is meant once: `[main, main.default]` must not double the records.
        let mut from: Vec<Origin> = Vec::new();
        for reference in &pipeline.from {
            if let Some(origin) = self.origin(reference)
                && !from.contains(&origin)
            {
                from.push(origin);
            }
        }
        let mut outputs: Vec<String> = vec!["default".into()];
        outputs.extend(pipeline.to.keys().filter(|key| *key != "default").cloned());
        let mut steps: Vec<StepPlan> = Vec::new();
        let mut sent: BTreeMap<String, (String, tamis_config::Place)> = BTreeMap::new();
        if pipeline.steps.len() > STEPS_MAX {
            self.findings.push(
                Diagnostic::error(
                    codes::TOO_LARGE,
                    format!("pipeline `{name}` has {} steps, at most {STEPS_MAX} are allowed", pipeline.steps.len()),
                )
                .at(&located.place)
                .help("split it: a pipeline may read another one's output"),
            );
            return;
        }
        for (number, step) in pipeline.steps.iter().enumerate() {
            let Some((mode, signature, on_failure)) = self.step(name, number, step, toolbox) else { continue };
            if on_failure == OnFailure::Blank && signature.writes.iter().any(|f| f.path.is_root()) {
                self.findings.push(
                    Diagnostic::error(
                        codes::NOT_BLANKABLE,
                        "`on_failure: blank` removes the fields that the step may write, and this one may write the whole record (`.`)",
                    )
                    .at(&step.place)
                    .help("use `drop`, which leaves nothing behind, or `dead_letter`, which keeps the original aside"),
                );
            }
            let step_name = unique(step.value.name.as_ref().map(|n| n.value.clone()).unwrap_or_else(|| own_name(&mode)), &steps);
            let mut ways = Vec::new();
            for output in &signature.outputs {
                sent.entry(output.clone()).or_insert_with(|| (step_name.clone(), step.place.clone()));
                let at = outputs.iter().position(|o| o == output).unwrap_or_else(|| {
                    outputs.push(output.clone());
                    outputs.len() - 1
                });
                ways.push(at.min(255) as u8);
            }
            steps.push(StepPlan { name: step_name, mode, signature, ways, on_failure, place: step.place.clone() });
        }
        if outputs.len() > OUTPUTS_MAX {
            self.findings.push(
                Diagnostic::error(
                    codes::TOO_LARGE,
                    format!("pipeline `{name}` has {} outputs, at most {OUTPUTS_MAX} are allowed", outputs.len()),
                )
                .at(&located.place),
            );
            return;
        }
        let outputs =
            outputs.into_iter().map(|output| self.output(name, located, output, &sent, steps.len() == pipeline.steps.len())).collect();
        let mut dead_letters: Vec<String> = Vec::new();
        for sink in &pipeline.dead_letters {
            if self.sink(sink) && !dead_letters.contains(&sink.value) {
                dead_letters.push(sink.value.clone());
            }
        }
        self.plan.pipelines.push(PipelinePlan { name: name.into(), from, steps, outputs, dead_letters, undecodable: pipeline.undecodable });
    }

    fn origin(&mut self, reference: &Located<String>) -> Option<Origin> {
        let config = self.config;
        if config.sources.contains_key(&reference.value) {
            return Some(Origin::Source(reference.value.clone()));
        }
        let (name, output) = reference.value.split_once('.').unwrap_or((&reference.value, "default"));
        if let Some(feeder) = config.pipelines.get(name) {
            let declared = feeder.value.to.contains_key(output)
                || output == "default"
                // Of a step that could not be planned nobody knows what it sends; its own error is enough.
                || self.plan.pipeline(name).is_none_or(|p| {
                    p.steps.len() < feeder.value.steps.len() || p.outputs.iter().any(|o| o.name == output)
                });
            if !declared {
                let known =
                    self.plan.pipeline(name).map(|p| p.outputs.iter().map(|o| o.name.clone()).collect::<Vec<_>>()).unwrap_or_default();
                self.findings.push(
                    Diagnostic::error(codes::UNKNOWN_NAME, format!("pipeline `{name}` has no output `{output}`"))
                        .at(&reference.place)
                        .help(match nearest(output, known.iter().map(String::as_str)) {
                            Some(near) => format!("did you mean `{name}.{near}`?"),
                            None => format!("its outputs are: {}", known.join(", ")),
                        }),
                );
                return None;
            }
            return Some(Origin::Pipeline { name: name.into(), output: output.into() });
        }
        let known: Vec<&str> = config.sources.keys().chain(config.pipelines.keys()).map(String::as_str).collect();
        let mut finding = unknown("source or pipeline", &reference.value, reference, &known);
        // Of `pipeline.output` the part that is wrong is the pipeline.
        if reference.value.contains('.')
            && let Some(near) = nearest(name, config.pipelines.keys().map(String::as_str))
        {
            finding = finding.help(format!("did you mean `{near}.{output}`?"));
        }
        self.findings.push(finding);
        None
    }

    fn step(
        &mut self,
        pipeline: &str,
        number: usize,
        step: &Located<Step>,
        toolbox: &mut dyn Toolbox,
    ) -> Option<(Mode, Signature, OnFailure)> {
        match &step.value.kind {
            StepKind::Plugin(name) => {
                let Some(plugin) = self.config.plugins.get(&name.value) else {
                    let known: Vec<&str> = self.config.plugins.keys().map(String::as_str).collect();
                    self.findings.push(unknown("plugin", &name.value, name, &known));
                    return None;
                };
                let resolved = self.plan.plugins.get(&name.value)?;
                Some((
                    Mode::Plugin(name.value.clone()),
                    resolved.signature.clone(),
                    step.value.on_failure.unwrap_or(plugin.value.on_failure),
                ))
            }
            kind => {
                let (signature, problems) = toolbox.program(pipeline, number, kind);
                for problem in problems {
                    self.program_problem(kind, step, problem);
                }
                let mode = match kind {
                    StepKind::Vrl(_) => Mode::Vrl,
                    StepKind::Filter(_) => Mode::Filter,
                    _ => Mode::Route,
                };
                Some((mode, signature?, step.value.on_failure.unwrap_or_default()))
            }
        }
    }

    fn program_problem(&mut self, kind: &StepKind, step: &Located<Step>, problem: ProgramProblem) {
        let source = match kind {
            StepKind::Vrl(source) | StepKind::Filter(source) => Some(source),
            StepKind::Route(cases) => cases.get(problem.case).map(|(_, condition)| condition),
            StepKind::Plugin(_) => None,
        };
        let place = source.map_or(&step.place, |s| &s.place);
        let mut message = problem.message;
        if let Some(line) = source.and_then(|s| s.value.lines().nth(problem.line.saturating_sub(1) as usize)) {
            message.push_str(&format!(", at line {}, column {} of the program: {}", problem.line, problem.column, line.trim()));
        }
        let finding = if problem.warning {
            Diagnostic::warning(codes::PROGRAM_WARNING, message)
        } else {
            Diagnostic::error(codes::BAD_PROGRAM, message)
        };
        self.findings.push(finding.at(place).help_maybe(problem.help));
    }

    fn sink(&mut self, reference: &Located<String>) -> bool {
        let known = self.config.sinks.contains_key(&reference.value);
        if !known {
            let names: Vec<&str> = self.config.sinks.keys().map(String::as_str).collect();
            self.findings.push(unknown("sink", &reference.value, reference, &names));
        }
        known
    }

    fn output(
        &mut self,
        pipeline: &str,
        located: &Located<Pipeline>,
        name: String,
        sent: &BTreeMap<String, (String, tamis_config::Place)>,
        complete: bool,
    ) -> OutputPlan {
        let mut targets: Vec<Target> = self
            .config
            .pipelines
            .iter()
            .filter(|(_, p)| {
                p.value.from.iter().any(|f| {
                    !self.config.sources.contains_key(&f.value)
                        && (f.value == format!("{pipeline}.{name}") || (name == "default" && f.value == pipeline))
                })
            })
            .map(|(reader, _)| Target::Pipeline(reader.clone()))
            .collect();
        let Some(sinks) = located.value.to.get(&name) else {
            let way = if !targets.is_empty() {
                Way::To(targets)
            } else if name == "default" {
                self.findings.push(
                    Diagnostic::error(codes::NO_WAY_OUT, format!("the default output of pipeline `{pipeline}` leads nowhere"))
                        .at(&located.place)
                        .help("add `default: [a sink]` under `to`; `default: []` drops its records on purpose"),
                );
                Way::Dropped
            } else {
                if let Some((step, place)) = sent.get(&name) {
                    // `to: [sink]` means the output `default` and has no place for another: the help shows the long form.
                    let default = located.value.to.get("default").map(|sinks| listed(&sinks.value)).unwrap_or_default();
                    self.findings.push(
                        Diagnostic::warning(codes::OUTPUT_NOT_MAPPED, format!("step `{step}` sends records to the output `{name}`, which `to` does not name: they go to the default output"))
                            .at(place)
                            .help(format!("write `to: {{ default: [{default}], {name}: [a sink] }}`, with what else `to` names; `{name}: []` drops its records on purpose")),
                    );
                }
                Way::Default
            };
            return OutputPlan { name, way };
        };
        for sink in &sinks.value {
            if self.sink(sink) && !targets.contains(&Target::Sink(sink.value.clone())) {
                targets.push(Target::Sink(sink.value.clone()));
            }
        }
        if name != "default" && complete && !sent.contains_key(&name) {
            let known: Vec<&str> = sent.keys().map(String::as_str).collect();
            self.findings.push(
                Diagnostic::warning(
                    codes::OUTPUT_NEVER_USED,
                    format!("no step of pipeline `{pipeline}` sends records to the output `{name}`"),
                )
                .at(&sinks.place)
                .help_maybe(nearest(&name, known.iter().copied()).map(|near| format!("did you mean `{near}`?"))),
            );
        }
        OutputPlan { name, way: if targets.is_empty() { Way::Dropped } else { Way::To(targets) } }
    }

    fn unused(&mut self) {
        let from: BTreeSet<&str> = self.config.pipelines.values().flat_map(|p| &p.value.from).map(|f| f.value.as_str()).collect();
        for (name, source) in &self.config.sources {
            if !from.contains(name.as_str()) {
                self.findings.push(Diagnostic::warning(codes::UNUSED, format!("source `{name}` is read by no pipeline")).at(&source.place));
            }
        }
        let to: BTreeSet<&str> = self
            .config
            .pipelines
            .values()
            .flat_map(|p| p.value.to.values().flat_map(|sinks| &sinks.value).chain(&p.value.dead_letters))
            .map(|s| s.value.as_str())
            .collect();
        for (name, sink) in &self.config.sinks {
            if !to.contains(name.as_str()) {
                self.findings.push(Diagnostic::warning(codes::UNUSED, format!("no output leads to sink `{name}`")).at(&sink.place));
            }
        }
    }
}

pub(crate) fn unknown(what: &str, name: &str, reference: &Located<String>, known: &[&str]) -> Diagnostic {
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => format!("no {what} is defined"),
        None => format!("known are: {}", known.iter().take(20).copied().collect::<Vec<_>>().join(", ")),
    };
    Diagnostic::error(codes::UNKNOWN_NAME, format!("no {what} is called `{name}`")).at(&reference.place).help(help)
}

/// Names as they stand in a list of the configuration.
fn listed(names: &[Located<String>]) -> String {
    names.iter().map(|name| name.value.as_str()).collect::<Vec<_>>().join(", ")
}

fn own_name(mode: &Mode) -> String {
    match mode {
        Mode::Plugin(name) => name.clone(),
        other => other.word().into(),
    }
}

fn unique(name: String, steps: &[StepPlan]) -> String {
    let taken = |candidate: &str| steps.iter().any(|s| s.name == candidate);
    if !taken(&name) {
        return name;
    }
    (2..).map(|n| format!("{name}-{n}")).find(|candidate| !taken(candidate)).unwrap_or(name)
}
