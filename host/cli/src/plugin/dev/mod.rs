//! `tamis plugin dev`.

mod show;
mod watch;

use super::component;
use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::screen;
use anyhow::Context as _;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use tamis_authoring::cases::{self, Case, Report};
use tamis_authoring::desk::Desk;
use tamis_sandbox::Limits;
use watch::Watch;

#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// Folder of the plugin.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// One round, without watching.
    #[arg(long)]
    once: bool,
    /// Where components go.
    #[arg(long, value_name = "FOLDER", default_value = "target/plugins")]
    out: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, verb: &Dev) -> anyhow::Result<Exit> {
    if !verb.folder.is_dir() {
        screen::tell(&format!("tamis: {}: expected the folder of a plugin", screen::path(&verb.folder)));
        return Ok(Exit::BadConfiguration);
    }
    let desk = component::desk(Limits::default())?;
    if verb.once {
        return Ok(if round(arguments, verb, &desk)? { Exit::Success } else { Exit::Failure });
    }
    end_on_interrupt()?;
    // Before the first round, so that what is changed during it counts.
    let mut watch = Watch::new(&verb.folder)?;
    loop {
        round(arguments, verb, &desk)?;
        screen::tell(&format!("watching {}; Ctrl-C ends", screen::path(&verb.folder)));
        watch.changed()?;
    }
}

/// Builds, runs the cases, shows what became of each record. Whether all is as expected.
fn round(arguments: &Arguments, verb: &Dev, desk: &Desk) -> anyhow::Result<bool> {
    let (cases, findings) = cases::load(&verb.folder);
    if !findings.is_empty() {
        screen::tell(&findings.render(screen::colour_on_stderr()));
    } else if cases.is_empty() {
        screen::tell(&component::no_cases(&verb.folder));
    }
    let candidate = component::path(&verb.folder, None, &verb.out).and_then(|path| component::open(desk, &path));
    let candidate = match candidate {
        Ok(candidate) => candidate,
        Err(error) => {
            screen::complain(&error.to_string());
            return Ok(false);
        }
    };
    let none = cases.is_empty();
    let ran: Vec<(Case, Report)> = cases
        .into_iter()
        .map(|case| {
            let report = cases::run(&candidate, &case, false);
            (case, report)
        })
        .collect();
    let mut out = std::io::stdout();
    if arguments.output == Output::Json {
        writeln!(out, "{}", show::json(&ran))?;
    } else {
        out.write_all(show::text(&ran, screen::colour_on_stdout()).as_bytes())?;
    }
    out.flush()?;
    Ok(!none && !findings.has_errors() && ran.iter().all(|(_, report)| report.passed()))
}

/// Ends with the exit code of an interrupt at Ctrl-C, whatever is under way.
fn end_on_interrupt() -> anyhow::Result<()> {
    let io = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot wait for signals")?;
    let mut interrupt = {
        let _entered = io.enter();
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt()).context("cannot wait for signals")?
    };
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            io.block_on(interrupt.recv());
            std::process::exit(i32::from(Exit::Interrupted.code()));
        })
        .context("cannot start a thread")?;
    Ok(())
}
