//! The command line: one definition for parser, help and completions.

use crate::configuration::Config;
use crate::operator;
use crate::plugin::Plugin;
use crate::tap::Tap;
use crate::test::Test;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use tamis_admin::control::FOLLOW_INTERVAL;
use tamis_registry::{Origin, STORE};

/// A sieve for log records: sandboxed WebAssembly plugins filter, enrich, redact and route them, and see only the fields they were granted.
#[derive(Debug, Parser)]
#[command(name = "tamis", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// How the host writes its own log, on standard error.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, env = "TAMIS_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
    /// What the host logs: `error`, `warn`, `info`, `debug`, or a filter such as `tamis::plugin=debug`.
    #[arg(long, global = true, default_value = "info", env = "TAMIS_LOG")]
    pub(crate) log: String,
    /// How results are printed.
    #[arg(long, global = true, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
    /// Graphviz (`explain`).
    Dot,
    /// Mermaid, for Markdown (`explain`).
    Mermaid,
    /// JUnit's XML, for the reports of build servers (`test`, `plugin test`).
    Junit,
    /// The reference of all options (`schema`).
    Markdown,
}

impl Arguments {
    /// Why the verb cannot print what was asked for, if it cannot.
    pub(crate) fn unprintable(&self) -> Option<&'static str> {
        match (self.output, &self.verb) {
            (Output::Junit, Verb::Test(_)) => None,
            (Output::Junit, Verb::Plugin(plugin)) if plugin.tests() => None,
            (Output::Junit, _) => Some("`--output junit` is for `tamis test` and `tamis plugin test`; take `text` or `json` here"),
            (Output::Markdown, Verb::Schema) => None,
            (Output::Markdown, _) => Some("`--output markdown` is for `tamis schema`; take `text` or `json` here"),
            (Output::Text | Output::Json, _) | (Output::Dot | Output::Mermaid, Verb::Explain(_)) => None,
            (Output::Dot | Output::Mermaid, _) => Some("`--output dot` and `mermaid` are for `tamis explain`; take `text` or `json` here"),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run pipelines.
    Run(Run),
    /// Check a configuration without running it; all problems at once.
    Check(Check),
    /// Show the plan: steps, grants, who reads and writes a field and which sinks it reaches.
    Explain(Explain),
    /// Run the tests of pipelines: records in, expectations out, and what the tests reached.
    Test(Test),
    /// Work on plugins.
    Plugin(Plugin),
    /// Put configurations into a registry, and get them from there.
    Config(Config),
    /// Look at records that failed, and run them again.
    DeadLetters(DeadLetters),
    /// Show how the running host does: rates, steps, sinks, lag.
    Status(operator::Status),
    /// Watch the running host on a screen that keeps up.
    Top(operator::Top),
    /// Have the running host take up its configuration files as they are now.
    Reload(operator::Reload),
    /// Have the running host go back to an earlier generation.
    Rollback(operator::Rollback),
    /// Show the generations there were: who asked for what, when, why, and what became of it.
    Generations(operator::Generations),
    /// Work on the access to the admin API.
    Admin(operator::Admin),
    /// Look at live records of a running host, before and after a step.
    Tap(Tap),
    /// Print the JSON Schema of the configuration, or with `--output markdown` the reference of all its options.
    Schema,
    /// Print shell completions.
    Completions(Completions),
}

#[derive(Debug, Args)]
pub(crate) struct Configuration {
    /// Configuration file, a folder of *.yaml files that are merged, or `oci://registry/team/name@sha256:…` for one that `tamis config
    /// push` put there; may be given several times.
    #[arg(short, long = "config", value_name = "FILE", default_value = "tamis.yaml", env = "TAMIS_CONFIG")]
    pub(crate) config: Vec<PathBuf>,
    /// Public key (`RW…`, or its file) that a configuration from a registry has to be signed with; may be given several times.
    #[arg(long, value_name = "KEY", env = "TAMIS_CONFIG_KEY", value_delimiter = ',')]
    config_key: Vec<String>,
    /// Folder that keeps configurations from registries.
    #[arg(long, value_name = "FOLDER", default_value = STORE, env = "TAMIS_CONFIG_STORE")]
    config_store: PathBuf,
}

impl Configuration {
    /// Where it comes from. Nothing is written to the store.
    pub(crate) fn origin(&self) -> Origin {
        Origin::new(&self.config, &self.config_key, &self.config_store, false)
    }

    /// The same, for a host: what comes from a registry is kept.
    pub(crate) fn kept_origin(&self) -> Origin {
        Origin::new(&self.config, &self.config_key, &self.config_store, true)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// End when files and standard input are read to their end and everything is delivered.
    #[arg(long)]
    pub(crate) once: bool,
    /// Read files from their beginning, whatever was delivered before.
    #[arg(long)]
    pub(crate) again: bool,
    /// Reload when a file of the configuration, or a plugin's, changes, or a tag of a registry leads elsewhere.
    #[arg(long, conflicts_with = "once")]
    pub(crate) watch: bool,
    /// How often `--watch` asks registries: 1s to 1d.
    #[arg(long, value_name = "TIME", value_parser = interval, default_value_t = humantime::Duration::from(FOLLOW_INTERVAL), requires = "watch")]
    pub(crate) watch_interval: humantime::Duration,
    /// On SIGTERM, read files to their end before stopping, for half of `shutdown_timeout` at most: for a sidecar, whose files go with
    /// the pod.
    #[arg(long, conflicts_with = "once")]
    pub(crate) drain_files: bool,
    /// Print at the end what became of every record, and this many records before and after.
    #[arg(long, value_name = "SAMPLES", num_args = 0..=1, default_missing_value = "3")]
    pub(crate) report: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// Fail on warnings too.
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// Follow one field: who reads it, who writes it, which sinks it reaches.
    #[arg(long, value_name = "FIELD")]
    pub(crate) field: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DeadLetters {
    #[command(subcommand)]
    pub(crate) verb: DeadLettersVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLettersVerb {
    /// Show dead letters, oldest first in each file. Exit code 1 when there are none.
    List(LettersList),
    /// Take dead letters out of their files and send their records through their pipelines again.
    Replay(LettersReplay),
    /// Write a file with which the author of a plugin sees a failure again: the plugin's digest, its configuration, and of the record
    /// the fields that it was shown.
    Capsule(LettersCapsule),
}

#[derive(Debug, Args)]
pub(crate) struct LettersList {
    #[command(flatten)]
    pub(crate) choice: Choice,
    /// Show the records too: they may hold personal data.
    #[arg(long)]
    pub(crate) records: bool,
    /// Count by pipeline, step and cause instead.
    #[arg(long, conflicts_with = "records")]
    pub(crate) summary: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LettersReplay {
    #[command(flatten)]
    pub(crate) choice: Choice,
}

#[derive(Debug, Args)]
pub(crate) struct LettersCapsule {
    /// The letter: what `list` shows under `id`, or the beginning of it.
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// Look into this data folder alone, without the configuration's files: for letters without a sink of their own.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The file to write, which must not be there yet; else `capsule-<id>.json`.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Which dead letters; everything given has to hold.
#[derive(Debug, Args)]
pub(crate) struct Choice {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// Those of this pipeline; may be given several times.
    #[arg(long, value_name = "PIPELINE")]
    pub(crate) pipeline: Vec<String>,
    /// Those with this cause: reject, trap, deadline, memory, decode, contract, sink; may be given several times.
    #[arg(long, value_name = "CAUSE", value_parser = ["reject", "trap", "deadline", "memory", "decode", "contract", "sink"])]
    pub(crate) cause: Vec<String>,
    /// Those of this step; may be given several times.
    #[arg(long, value_name = "STEP")]
    pub(crate) step: Vec<String>,
    /// Those of this plugin; may be given several times.
    #[arg(long, value_name = "PLUGIN")]
    pub(crate) plugin: Vec<String>,
    /// Those from this time on: `2026-05-01T12:00:00Z`, or how long ago, such as `2h`.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) since: Option<SystemTime>,
    /// Those before this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<SystemTime>,
    /// At most so many.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
}

fn time(text: &str) -> Result<SystemTime, String> {
    if let Ok(time) = humantime::parse_rfc3339_weak(text) {
        return Ok(time);
    }
    let ago = humantime::parse_duration(text)
        .map_err(|_| "expected a time such as `2026-05-01T12:00:00Z` (UTC) or how long ago, such as `2h` or `1day 6h`".to_string())?;
    SystemTime::now().checked_sub(ago).ok_or_else(|| "that is before time began".to_string())
}

fn interval(text: &str) -> Result<humantime::Duration, String> {
    let wrong = || "expected a time from `1s` to `1d`".to_string();
    let time = humantime::parse_duration(text).map_err(|_| wrong())?;
    let bounds = Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);
    if bounds.contains(&time) { Ok(time.into()) } else { Err(wrong()) }
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}
