//! `tamis generations`.

use super::{Failure, Generations, read, wait};
use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::screen;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use serde_json::Value;
use std::io::Write;
use tamis_admin::client::Client;
use tamis_config::escaped;

pub(super) fn run(arguments: &Arguments, verb: &Generations, client: &Client) -> anyhow::Result<Exit> {
    let mut told = read(client, &wait(client.get("/v1/generations"))?)?;
    let running = told.get("running").is_some_and(Value::is_u64);
    let Some(history) = told.get_mut("history").and_then(Value::as_array_mut).filter(|_| running) else {
        return Err(Failure::from(client.strange("it tells no generations")).into());
    };
    let surplus = history.len().saturating_sub(usize::try_from(verb.limit).unwrap_or(usize::MAX));
    history.drain(..surplus);
    let mut out = std::io::stdout();
    if arguments.output == Output::Json {
        writeln!(out, "{told}")?;
    } else {
        write!(out, "{}", text(&told))?;
    }
    Ok(Exit::Success)
}

fn text(told: &Value) -> String {
    let running = told.get("running").and_then(Value::as_u64).unwrap_or(0);
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["generation", "when", "who", "asked", "result", "why", "what changed"]);
    if screen::stdout_is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    let mut rows = 0;
    for entry in told.get("history").and_then(Value::as_array).into_iter().flatten() {
        let word = |key: &str| escaped(entry.get(key).and_then(Value::as_str).unwrap_or_default());
        let good = ["applied", "unchanged"].contains(&word("result").as_str());
        let changes: Vec<_> =
            entry.get("changes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(escaped).collect();
        // What was refused has changed nothing; its message says why.
        let what = if good && !changes.is_empty() { changes.join("\n") } else { word("message") };
        let number = entry.get("generation").and_then(Value::as_u64).unwrap_or(0);
        table.add_row([number.to_string(), word("time"), word("who"), word("asked"), word("result"), word("why"), what]);
        rows += 1;
    }
    match rows {
        0 => format!("generation {running} runs; this host keeps no history\n"),
        _ => format!("{table}\ngeneration {running} runs\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn a_row_for_each() {
        let told = serde_json::json!({ "running": 2, "history": [
            { "generation": 1, "time": "t1", "asked": "start", "who": "tamis run", "result": "applied", "message": "generation 1 runs", "changes": [] },
            { "generation": 2, "time": "t2", "asked": "reload", "who": "ci", "why": "because", "result": "applied", "changes": ["+ sink out", "- sink old"] },
            { "generation": 2, "time": "t3", "asked": "reload", "who": "\u{1b}[31m", "result": "refused", "message": "not sound", "changes": ["+ sink x"] },
        ] });
        let text = text(&told);
        for part in ["generation 1 runs", "because", "+ sink out", "- sink old", "not sound", "\\u{1b}[31m", "generation 2 runs"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("+ sink x") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn none() {
        assert_eq!(text(&serde_json::json!({ "running": 0, "history": [] })), "generation 0 runs; this host keeps no history\n");
    }
}
