//! `tamis reload` and `tamis rollback`.

use super::{Failure, Reload, Rollback, Target, read, trial, wait};
use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::screen;
use serde_json::Value;
use std::io::Write;
use tamis_admin::client::Client;
use tamis_config::{Diagnostics, escaped};

/// Status codes of answers that tell what became of the request.
const TOLD: [u16; 4] = [200, 202, 409, 422];
/// Results that are no failure.
const GOOD: [&str; 4] = ["applied", "unchanged", "sound", "trying"];

pub(super) fn reload(arguments: &Arguments, verb: &Reload, client: &Client) -> anyhow::Result<Exit> {
    if verb.trial.trial {
        return trial::report(arguments, client);
    }
    if verb.trial.end_trial {
        let exit = ask(arguments, &verb.target, client, "/v1/trial/end", Vec::new(), None)?;
        return Ok(if exit == Exit::Failure { Exit::Success } else { exit });
    }
    let mut parameters = verb.trial.parameters();
    if verb.dry_run {
        parameters.push(("dry_run", "true".to_string()));
    }
    ask(arguments, &verb.target, client, "/v1/reload", parameters, verb.why.as_ref())
}

pub(super) fn rollback(arguments: &Arguments, verb: &Rollback, client: &Client) -> anyhow::Result<Exit> {
    let parameters = verb.to.map(|to| ("to", to.to_string())).into_iter().collect();
    ask(arguments, &verb.target, client, "/v1/rollback", parameters, verb.why.as_ref())
}

fn ask(
    arguments: &Arguments,
    target: &Target,
    client: &Client,
    path: &str,
    mut parameters: Vec<(&str, String)>,
    why: Option<&String>,
) -> anyhow::Result<Exit> {
    parameters.extend(why.map(|why| ("why", why.clone())));
    let answer = wait(client.post(path, &parameters))?;
    let told = answer.json();
    let result = told.get("result").and_then(Value::as_str).filter(|_| TOLD.contains(&answer.status));
    let Some(result) = result else {
        read(client, &answer)?;
        return Err(Failure::from(client.strange("it does not say what became of the request")).into());
    };
    let mut out = std::io::stdout();
    if arguments.output == Output::Json {
        writeln!(out, "{told}")?;
    } else {
        let findings = findings(target, &told);
        if !findings.is_empty() {
            screen::tell(&findings.render(screen::colour_on_stderr()));
        }
        write!(out, "{}", text(result, &told, screen::colour_on_stdout()))?;
    }
    Ok(if GOOD.contains(&result) { Exit::Success } else { Exit::Failure })
}

/// What the host found, with the lines it is about where this command was given the same files.
fn findings(target: &Target, told: &Value) -> Diagnostics {
    let codes = || tamis_config::codes::CODES.iter().chain(tamis_plan::codes::CODES).map(|(code, _)| *code);
    let mut findings = Diagnostics::from_json(told.get("findings").unwrap_or(&Value::Null), |code| codes().find(|known| *known == code));
    if !findings.is_empty() {
        for file in target.configuration.origin().read(&mut Diagnostics::new()) {
            findings.add_source(file.name, file.text);
        }
    }
    findings
}

fn text(result: &str, told: &Value, colour: bool) -> String {
    let word = |of: &Value, key: &str| escaped(of.get(key).and_then(Value::as_str).unwrap_or_default());
    let paint = |code: &str, text: String| if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text };
    let good = GOOD.contains(&result);
    let took = told.get("took_ms").and_then(Value::as_u64).unwrap_or(0);
    let head = paint(if good { "1;32" } else { "1;31" }, escaped(result));
    let mut text = format!("{head}: {} ({took} ms)\n", word(told, "message"));
    for change in told.get("changes").and_then(Value::as_array).into_iter().flatten() {
        let (sign, code) = match change.get("change").and_then(Value::as_str) {
            Some("added") => ('+', "32"),
            Some("removed") => ('-', "31"),
            _ => ('~', "33"),
        };
        let mut line = format!("  {sign} {} {}", word(change, "part"), word(change, "name"));
        if change.get("detail").is_some_and(Value::is_string) {
            line.push_str(&format!(": {}", word(change, "detail")));
        }
        text.push_str(&paint(code, line));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn changes_are_told_in_words_that_drive_no_terminal() {
        let told = serde_json::json!({ "message": "generation 2 runs", "took_ms": 7, "changes": [
            { "part": "sink", "name": "out", "change": "added" },
            { "part": "step", "name": "main/\u{1b}[2J", "change": "removed" },
            { "part": "plugin", "name": "tenant", "change": "changed", "detail": "asks to read AppliOwner: not granted" },
        ] });
        let expected = "applied: generation 2 runs (7 ms)\n  + sink out\n  - step main/\\u{1b}[2J\n  ~ plugin tenant: asks to read AppliOwner: not granted\n";
        assert_eq!(text("applied", &told, false), expected);
        assert!(text("refused", &told, true).starts_with("\u{1b}[1;31mrefused\u{1b}[0m: "));
    }
}
