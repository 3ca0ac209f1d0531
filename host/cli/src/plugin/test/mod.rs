//! `tamis plugin test`.

mod json;
mod text;

use super::component;
use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::junit;
use crate::screen;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use tamis_authoring::cases::{self, Case, Report};
use tamis_config::Diagnostics;
use tamis_sandbox::Limits;

pub(super) use json::difference;
pub(super) use text::{differences, mismatches};

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Folders of the plugins.
    #[arg(default_value = ".")]
    folders: Vec<PathBuf>,
    /// Test this component instead of building the plugin; with one folder, whose cases are run.
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Run the case with this name alone; may be given several times.
    #[arg(long, value_name = "NAME")]
    case: Vec<String>,
    /// Write what comes into the golden files of cases without `expect`.
    #[arg(long)]
    bless: bool,
    /// Where components go that are built.
    #[arg(long, value_name = "FOLDER", default_value = "target/plugins")]
    out: PathBuf,
}

/// What became of a plugin's cases.
struct Tested {
    plugin: String,
    component: PathBuf,
    cases: Vec<(Case, Report)>,
}

impl Tested {
    fn failed(&self) -> usize {
        self.cases.iter().filter(|(_, report)| !report.passed()).count()
    }
}

/// A plugin to test.
struct Subject {
    folder: PathBuf,
    cases: Vec<Case>,
}

pub(crate) fn run(arguments: &Arguments, verb: &Test) -> anyhow::Result<Exit> {
    if verb.component.is_some() && verb.folders.len() > 1 {
        screen::tell("tamis: `--component` is one plugin's: give one folder with it");
        return Ok(Exit::BadConfiguration);
    }
    let (subjects, findings, missing) = subjects(verb);
    if !findings.is_empty() {
        screen::tell(&findings.render(screen::colour_on_stderr()));
    }
    if findings.has_errors() {
        return Ok(Exit::BadConfiguration);
    }
    let desk = component::desk(Limits::default())?;
    let mut all = Vec::new();
    let mut sound = !missing;
    for Subject { folder, cases } in subjects {
        let path = component::path(&folder, verb.component.as_ref(), &verb.out);
        let candidate = path.and_then(|path| component::open(&desk, &path).map(|candidate| (path, candidate)));
        match candidate {
            Ok((component, candidate)) => {
                let reports = cases.into_iter().map(|case| {
                    let report = cases::run(&candidate, &case, verb.bless);
                    (case, report)
                });
                all.push(Tested { plugin: component::name(&folder), component, cases: reports.collect() });
            }
            Err(error) => {
                screen::complain(&error.to_string());
                sound = false;
            }
        }
    }
    let mut out = std::io::stdout();
    match arguments.output {
        Output::Json => writeln!(out, "{}", json::all(&all))?,
        Output::Junit => out.write_all(junit::xml(&all.iter().map(suite).collect::<Vec<_>>()).as_bytes())?,
        _ => out.write_all(text::all(&all, screen::colour_on_stdout()).as_bytes())?,
    }
    sound &= all.iter().all(|tested| tested.failed() == 0);
    Ok(if sound { Exit::Success } else { Exit::Failure })
}

/// The plugins with their chosen cases, what is wrong with these, and whether a plugin has none.
fn subjects(verb: &Test) -> (Vec<Subject>, Diagnostics, bool) {
    let (mut subjects, mut findings, mut missing) = (Vec::new(), Diagnostics::new(), false);
    for folder in &verb.folders {
        let (mut cases, wrong) = cases::load(folder);
        let none = cases.is_empty() && wrong.is_empty();
        findings.append(wrong);
        let names: Vec<String> = cases.iter().map(|case| case.name.clone()).collect();
        cases.retain(|case| verb.case.is_empty() || verb.case.contains(&case.name));
        if none {
            screen::tell(&component::no_cases(folder));
            missing = true;
        } else if cases.is_empty() && !findings.has_errors() {
            screen::tell(&tamis_config::escaped(&format!(
                "tamis: {}: no case of that name; there are: {}",
                folder.display(),
                names.join(", ")
            )));
            missing = true;
        } else {
            subjects.push(Subject { folder: folder.clone(), cases });
        }
    }
    (subjects, findings, missing)
}

/// A plugin's cases as the build server reads them.
fn suite(tested: &Tested) -> junit::Suite {
    let cases = tested.cases.iter().map(|(case, report)| junit::Case {
        name: case.name.clone(),
        class: tested.plugin.clone(),
        file: Some(case.file.display().to_string()),
        time: report.took,
        failure: report.mismatches.first().map(|first| {
            let mut details = String::new();
            // Writing to a text does not fail.
            let _ = mismatches(&mut details, case, report, false);
            (format!("expected {}, found {}", first.expected, first.found), details)
        }),
    });
    junit::Suite { name: tested.plugin.clone(), cases: cases.collect() }
}
