//! The operator's commands: they ask the host that runs, through its admin API.

mod generations;
mod reload;
mod status;
mod target;
mod token;
mod top;
mod trial;
mod view;

pub(crate) use target::Target;

use crate::arguments::Arguments;
use crate::exit::Exit;
use crate::screen;
use clap::{Args, Subcommand, ValueEnum};
use std::future::Future;
use tamis_admin::client::{Answer, Client, ClientError};
use tamis_config::Role;

#[derive(Debug, Args)]
pub(crate) struct Reload {
    #[command(flatten)]
    target: Target,
    /// Only tell what would change.
    #[arg(long, conflicts_with_all = ["shadow", "canary"])]
    dry_run: bool,
    #[command(flatten)]
    trial: Trial,
    /// Why, for the history; 500 characters at most.
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
}

/// Trying a configuration beside the one that runs.
#[derive(Debug, Args)]
struct Trial {
    /// Try it on copies of this share of the frames, without effect: `5%`.
    #[arg(long, value_name = "SHARE", value_parser = trial::share, group = "kind_of_trial")]
    shadow: Option<f64>,
    /// Let it have this share of the frames: `5%`.
    #[arg(long, value_name = "SHARE", value_parser = trial::share, group = "kind_of_trial")]
    canary: Option<f64>,
    /// Let it take over by itself after so long, where it was good enough: `10m`.
    #[arg(long, value_name = "TIME", value_parser = trial::seconds, requires = "kind_of_trial")]
    promote_after: Option<f64>,
    /// Share of records that may differ (of a shadow): `0.1%`. Default: none.
    #[arg(long, value_name = "SHARE", value_parser = trial::share_or_none, requires = "promote_after", conflicts_with = "canary")]
    max_diff: Option<f64>,
    /// Dead letters that it may have beyond those of what runs. Default: none.
    #[arg(long, value_name = "N", requires = "promote_after")]
    max_errors: Option<u64>,
    /// Tell what the trial that runs has found.
    #[arg(long, conflicts_with_all = ["shadow", "canary", "promote_after", "dry_run", "end_trial"])]
    trial: bool,
    /// End the trial that runs.
    #[arg(long, conflicts_with_all = ["shadow", "canary", "promote_after", "dry_run"])]
    end_trial: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    #[command(flatten)]
    target: Target,
    /// The generation to return to; without it, the newest before the running one that is not the same.
    #[arg(long, value_name = "N")]
    to: Option<u64>,
    /// Why, for the history; 500 characters at most.
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Generations {
    #[command(flatten)]
    target: Target,
    /// The newest so many, at least 1.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
pub(crate) struct Top {
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
pub(crate) struct Admin {
    #[command(subcommand)]
    verb: AdminVerb,
}

#[derive(Debug, Subcommand)]
enum AdminVerb {
    /// Make a token for the admin API. It is printed once; the configuration holds its hash.
    Token(NewToken),
}

#[derive(Debug, Args)]
struct NewToken {
    /// Whose it is, as the history tells it.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// What it is good for.
    #[arg(long, value_enum)]
    role: RoleWord,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleWord {
    /// To read health, metrics, status, plan and history.
    View,
    /// To see live records as well.
    Tap,
    /// To change what runs as well.
    Operate,
}

impl From<RoleWord> for Role {
    fn from(word: RoleWord) -> Self {
        match word {
            RoleWord::View => Self::View,
            RoleWord::Tap => Self::Tap,
            RoleWord::Operate => Self::Operate,
        }
    }
}

pub(crate) fn reload(arguments: &Arguments, verb: &Reload) -> anyhow::Result<Exit> {
    with(&verb.target, |client| reload::reload(arguments, verb, client))
}

pub(crate) fn rollback(arguments: &Arguments, verb: &Rollback) -> anyhow::Result<Exit> {
    with(&verb.target, |client| reload::rollback(arguments, verb, client))
}

pub(crate) fn generations(arguments: &Arguments, verb: &Generations) -> anyhow::Result<Exit> {
    with(&verb.target, |client| generations::run(arguments, verb, client))
}

pub(crate) fn status(arguments: &Arguments, verb: &Status) -> anyhow::Result<Exit> {
    with(&verb.target, |client| status::run(arguments, client))
}

pub(crate) fn top(_: &Arguments, verb: &Top) -> anyhow::Result<Exit> {
    with(&verb.target, top::run)
}

pub(crate) fn admin(arguments: &Arguments, verb: &Admin) -> anyhow::Result<Exit> {
    match &verb.verb {
        AdminVerb::Token(token) => token::run(arguments, &token.name, token.role.into()),
    }
}

/// How a command failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// There is no answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The answer is no.
    #[error("{0}")]
    No(String),
}

/// Does something with the host's client, and tells in the same words whatever goes wrong with it.
fn with(target: &Target, act: impl FnOnce(&Client) -> anyhow::Result<Exit>) -> anyhow::Result<Exit> {
    let client = match target.client() {
        Ok(client) => client,
        Err(why) => {
            screen::complain(&why);
            return Ok(Exit::BadConfiguration);
        }
    };
    let failed = match act(&client) {
        Err(error) => error.downcast::<Failure>()?,
        Ok(exit) => return Ok(exit),
    };
    screen::tell(&format!("tamis: {}", tamis_config::escaped(&failed.to_string())));
    Ok(match failed {
        Failure::No(_) => Exit::Failure,
        Failure::Client(ClientError::Unreachable { .. }) => {
            screen::tell(
                "is `tamis run` running? Choose another host with `--admin ADDRESS` or TAMIS_ADMIN, or its configuration with `-c`",
            );
            Exit::NotStarted
        }
        Failure::Client(_) => Exit::NotStarted,
    })
}

/// Waits for an answer.
fn wait<T>(asked: impl Future<Output = Result<T, ClientError>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(asked).map_err(Failure::from)?)
}

/// The JSON of an answer that is one; one that says why not becomes a failure.
fn read(client: &Client, answer: &Answer) -> Result<serde_json::Value, Failure> {
    let json = answer.json();
    let error = json.get("error").and_then(serde_json::Value::as_str);
    Err(match (answer.status, error) {
        (200, None) if json.is_object() => return Ok(json),
        (200, _) => client.strange("no JSON, or not that of this route").into(),
        (401, Some(_)) if client.has_token() => Failure::No("the host does not know this token".into()),
        (401, Some(_)) => Failure::No("the host asks for a token: give it with `--token-file FILE` or TAMIS_ADMIN_TOKEN".into()),
        (status, Some(error)) => Failure::No(format!("the host says no ({status}): {error}")),
        (status, None) => client.strange(format!("status {status}, and no reason in JSON")).into(),
    })
}
