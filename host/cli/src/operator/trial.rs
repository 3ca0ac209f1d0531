//! `tamis reload --shadow` and `--canary`: what is asked for, and what was found.

use super::{Failure, Trial, read, wait};
use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use serde_json::Value;
use std::io::Write;
use tamis_admin::client::Client;
use tamis_config::escaped;

/// A share such as `5%` or `0.05`, above 0.
pub(super) fn share(text: &str) -> Result<f64, String> {
    share_or_none(text).ok().filter(|share| *share > 0.0).ok_or_else(|| "expected a share above 0, such as `5%` or `0.05`".into())
}

/// A share such as `0.1%` or `0.001`, or 0.
pub(super) fn share_or_none(text: &str) -> Result<f64, String> {
    let (number, unit) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    let share = number.trim().parse::<f64>().ok().map(|number| number / unit);
    share.filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| "expected a share from 0 to 1, such as `0.1%` or `0.001`".into())
}

/// A time such as `10m`, in seconds.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    humantime::parse_duration(text).map(|time| time.as_secs_f64()).map_err(|error| format!("expected a time such as `10m`: {error}"))
}

impl Trial {
    /// As the admin API calls them.
    pub(super) fn parameters(&self) -> Vec<(&'static str, String)> {
        let number = |name, value: Option<f64>| value.map(|value| (name, value.to_string()));
        let shares = [number("shadow", self.shadow), number("canary", self.canary), number("promote_after", self.promote_after)];
        let limits = [number("max_diff", self.max_diff), self.max_errors.map(|errors| ("max_errors", errors.to_string()))];
        shares.into_iter().chain(limits).flatten().collect()
    }
}

/// `tamis reload --trial`.
pub(super) fn report(arguments: &Arguments, client: &Client) -> anyhow::Result<Exit> {
    let answer = wait(client.get("/v1/trial"))?;
    let report = read(client, &answer)?;
    let kind = report.get("kind").and_then(Value::as_str);
    if !kind.is_some_and(|kind| report.get(kind).is_some_and(Value::is_object)) {
        return Err(Failure::from(client.strange("it tells no trial")).into());
    }
    let mut out = std::io::stdout();
    if arguments.output == Output::Json {
        writeln!(out, "{report}")?;
    } else {
        out.write_all(text(&report).as_bytes())?;
    }
    Ok(Exit::Success)
}

fn text(report: &Value) -> String {
    let number = |of: &Value, key: &str| of.get(key).and_then(Value::as_u64).unwrap_or(0);
    let percent = |of: &Value| of.get("share").and_then(Value::as_f64).unwrap_or(0.0) * 100.0;
    let seconds = |of: &Value| of.get("seconds").and_then(Value::as_f64).unwrap_or(0.0);
    if let Some(canary) = report.get("canary") {
        return format!(
            "canary on {} % of the frames for {:.0} s: {} records, {} dead letters; the others: {} records, {} dead letters\n",
            percent(canary),
            seconds(canary),
            number(canary, "records"),
            number(canary, "errors"),
            number(canary, "records_active"),
            number(canary, "errors_active"),
        );
    }
    let shadow = report.get("shadow").unwrap_or(&Value::Null);
    let mut text = format!(
        "shadow on {} % of the frames for {:.0} s: {} records, {} differ; dead letters {}, now {}; {} frames passed over\n",
        percent(shadow),
        seconds(shadow),
        number(shadow, "records"),
        number(shadow, "records_differ"),
        number(shadow, "errors_candidate"),
        number(shadow, "errors_active"),
        number(shadow, "frames_missed"),
    );
    for (name, pipeline) in shadow.get("pipelines").and_then(Value::as_object).into_iter().flatten() {
        text.push_str(&format!(
            "  {}: {} records, {} differ ({} dropped or not, {} to another output), {} ns a record, now {}; {} bytes of memory, now {}\n",
            escaped(name),
            number(pipeline, "records"),
            number(pipeline, "records_differ"),
            number(pipeline, "drops_differ"),
            number(pipeline, "outputs_differ"),
            number(pipeline, "ns_candidate"),
            number(pipeline, "ns_active"),
            number(pipeline, "memory_bytes_candidate"),
            number(pipeline, "memory_bytes_active"),
        ));
        for (step, count) in pipeline.get("steps").and_then(Value::as_object).into_iter().flatten() {
            text.push_str(&format!("    first after {}: {count}\n", escaped(step)));
        }
        for (field, count) in pipeline.get("fields").and_then(Value::as_object).into_iter().flatten() {
            text.push_str(&format!("    ~ {}: {count}\n", escaped(field)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_times_are_read_or_explained() {
        assert_eq!((share("5%"), share("0.05"), share_or_none("0")), (Ok(0.05), Ok(0.05), Ok(0.0)));
        assert_eq!(seconds("10m"), Ok(600.0));
        assert!(share("0").is_err() && share("101%").is_err() && share("x").is_err() && seconds("5").is_err());
    }

    #[test]
    fn a_report_is_told_in_words() {
        let report = serde_json::json!({ "shadow": { "share": 0.05, "seconds": 3.2, "records": 10, "records_differ": 2, "pipelines": {
            "main": { "records": 10, "records_differ": 2, "fields": { "tenant": 2 }, "steps": { "owner": 2 }, "ns_candidate": 5 } } } });
        let text = text(&report);
        assert!(
            text.starts_with("shadow on 5 % of the frames for 3 s: 10 records, 2 differ")
                && text.ends_with("    first after owner: 2\n    ~ tenant: 2\n"),
            "{text}"
        );
    }
}
