//! A toolbox that believes the configuration: a plugin's `config` is its signature, a program's text declares what it does.
//!
//! A plugin's `config`: `reads` and `writes` (lists of `PATH KIND`, the kind `json` when it is left out), `outputs`, `drops`;
//! `fails: MESSAGE` makes its `init` fail. The component `missing.wasm` cannot be loaded.
//!
//! A program is a list of statements between `;` or line ends: `read PATH KIND`, `write PATH KIND`, `send OUTPUT`, `drop`,
//! `warn MESSAGE`, `fail MESSAGE`. A route also sends to the outputs it names, a filter drops.

use std::path::Path as FilePath;

use tamis_config::{Config, Diagnostics, Environment, Plugin, StepKind};
use tamis_plan::codes::CODES;
use tamis_plan::{Plan, PluginPlan, Problem, ProgramProblem, Toolbox};
use tamis_record::{Field, Kind, Path, Signature};

/// No variables and no files, so that every machine gives the same.
pub(crate) struct Nothing;

impl Environment for Nothing {
    fn var(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, _: &FilePath) -> std::io::Result<String> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

/// The toolbox; it notes what it was asked for.
#[derive(Default)]
pub(crate) struct Declared {
    /// Plugins that were loaded, in order.
    pub(crate) loaded: Vec<String>,
}

/// Reads and plans a text.
pub(crate) fn planned(name: &str, text: &str) -> (Option<Plan>, Diagnostics) {
    let (config, mut findings) = Config::parse(name, text, FilePath::new(""), &Nothing);
    let config = config.unwrap_or_else(|| panic!("{name} is not read: {}", findings.render(false)));
    let plan = tamis_plan::plan(&config, &mut Declared::default(), &mut findings);
    findings.sort();
    (plan, findings)
}

fn field(text: &str) -> Field {
    let kinds = [Kind::Text, Kind::Integer, Kind::Float, Kind::Boolean, Kind::Json];
    let (path, kind) = match text.rsplit_once(' ') {
        Some((path, word)) => (path, kinds.into_iter().find(|k| k.name() == word).unwrap_or_else(|| panic!("{word} is no kind"))),
        None => (text, Kind::Json),
    };
    Field { path: path.trim().parse::<Path>().expect("a case holds field paths"), kind }
}

impl Toolbox for Declared {
    fn plugin(&mut self, name: &str, plugin: &Plugin) -> Result<PluginPlan, Problem> {
        self.loaded.push(name.to_owned());
        let component = plugin.component.value.shown().to_owned();
        if component == "missing.wasm" {
            let message = format!("cannot read the component `{component}`");
            return Err(Problem { in_configuration: false, code: None, message, help: Some("build it".to_owned()) });
        }
        if let Some(number) = component.strip_prefix("refused-").and_then(|rest| rest.strip_suffix(".wasm")) {
            let code = CODES.iter().map(|(code, _)| *code).find(|code| *code == number);
            return Err(Problem { in_configuration: false, code, message: "it is refused".to_owned(), help: None });
        }
        if let Some(message) = plugin.config["fails"].as_str() {
            return Err(Problem { in_configuration: true, code: None, message: message.to_owned(), help: None });
        }
        let list = |key: &str| -> Vec<String> {
            let values = plugin.config[key].as_array().map(Vec::as_slice).unwrap_or_default();
            values.iter().map(|v| v.as_str().expect("a text").to_owned()).collect()
        };
        let signature = Signature {
            reads: list("reads").iter().map(|f| field(f)).collect(),
            writes: list("writes").iter().map(|f| field(f)).collect(),
            outputs: list("outputs"),
            drops: plugin.config["drops"].as_bool().unwrap_or_default(),
        };
        Ok(PluginPlan {
            digest: format!("sha256:{name}"),
            version: None,
            upgrade: None,
            signed_by: plugin.config["signed_by"].as_str().map(str::to_owned),
            bytes: 21_000,
            signature,
            granted_read: plugin.grant.read.iter().map(|p| p.value.to_string()).collect(),
            granted_write: plugin.grant.write.iter().map(|p| p.value.to_string()).collect(),
            component,
        })
    }

    fn program(&mut self, _: &str, _: usize, kind: &StepKind) -> (Option<Signature>, Vec<ProgramProblem>) {
        let mut signature = Signature { drops: matches!(kind, StepKind::Filter(_)), ..Signature::default() };
        let programs: Vec<&str> = match kind {
            StepKind::Vrl(program) | StepKind::Filter(program) => vec![&program.value],
            StepKind::Route(cases) => {
                signature.outputs = cases.iter().map(|(output, _)| output.value.clone()).collect();
                cases.iter().map(|(_, condition)| condition.value.as_str()).collect()
            }
            StepKind::Plugin(name) => panic!("asked to compile the plugin {}", name.value),
        };
        let mut problems = Vec::new();
        for (case, program) in programs.into_iter().enumerate() {
            for (line, text) in (1..).zip(program.lines()) {
                let mut column = 1;
                for statement in text.split(';') {
                    let (verb, rest) = statement.trim().split_once(' ').unwrap_or((statement.trim(), ""));
                    let problem = |warning: bool| ProgramProblem { case, warning, message: rest.into(), line, column, help: None };
                    match verb {
                        "read" => signature.reads.push(field(rest)),
                        "write" => signature.writes.push(field(rest)),
                        "send" => signature.outputs.push(rest.into()),
                        "drop" => signature.drops = true,
                        "warn" => problems.push(problem(true)),
                        "fail" => problems.push(problem(false)),
                        _ => {}
                    }
                    column += u32::try_from(statement.chars().count() + 1).expect("a short line");
                }
            }
        }
        let sound = problems.iter().all(|p| p.warning);
        (sound.then_some(signature), problems)
    }
}
