//! The command line: one definition for parser, help and completions.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

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
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run pipelines.
    Run(Run),
    /// Check a configuration without running it; all problems at once.
    Check(Check),
    /// Show the plan: steps, grants, who reads and writes a field and which sinks it reaches.
    Explain(Explain),
    /// Work on plugins.
    Plugin(Plugin),
    /// Print the JSON Schema of the configuration.
    Schema,
    /// Print shell completions.
    Completions(Completions),
}

#[derive(Debug, Args)]
pub(crate) struct Configuration {
    /// Configuration file, or a folder of *.yaml files that are merged; may be given several times.
    #[arg(short, long = "config", value_name = "FILE", default_value = "tamis.yaml", env = "TAMIS_CONFIG")]
    pub(crate) config: Vec<PathBuf>,
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
pub(crate) struct Plugin {
    #[command(subcommand)]
    pub(crate) verb: PluginVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginVerb {
    /// Build plugins written in Rust into components.
    Build(PluginBuild),
}

#[derive(Debug, Args)]
pub(crate) struct PluginBuild {
    /// Folders of the plugins' crates.
    #[arg(default_value = ".")]
    pub(crate) folders: Vec<PathBuf>,
    /// Where the components go.
    #[arg(long, value_name = "FOLDER", default_value = "target/plugins")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}
