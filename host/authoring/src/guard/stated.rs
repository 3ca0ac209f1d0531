//! What can be said without running the plugin: what it is, asks for and says of itself.

use tamis_sandbox::SandboxError;

use super::rule::{self, Rule};
use super::{Report, Setting, Subject};
use crate::desk::{Candidate, Desk, DeskError};
use crate::metadata::{Metadata, schema};
use crate::template;

/// The plugin, when the host can load it.
pub(super) fn check(desk: &Desk, subject: &Subject<'_>, report: &mut Report) -> Option<Candidate> {
    let bytes = subject.component.len() as u64;
    let bytes_max = desk.limits().component_bytes_max;
    if bytes <= bytes_max && bytes > bytes_max / 2 {
        report.add(&rule::SIZE_NEAR, format!("it has {bytes} bytes, the limit is {bytes_max}"));
    }
    match desk.load(subject.name, subject.component) {
        Ok(candidate) => {
            metadata(&Metadata::read(subject.component), report);
            Some(candidate)
        }
        Err(DeskError::Sandbox(error)) => {
            report.add(rule_of(&error), error.to_string());
            None
        }
        Err(error) => {
            report.add(&rule::INVALID, error.to_string());
            None
        }
    }
}

fn rule_of(error: &SandboxError) -> &'static Rule {
    match error {
        SandboxError::Version { .. } => &rule::CONTRACT,
        SandboxError::ForbiddenImport { .. } => &rule::IMPORTS,
        SandboxError::TooLarge { .. } => &rule::SIZE,
        _ => &rule::INVALID,
    }
}

fn metadata(metadata: &Metadata, report: &mut Report) {
    if metadata.name.is_empty() || metadata.about.is_none() {
        let reason = match &metadata.about_error {
            Some(error) => format!("its section `tamis:plugin` cannot be read: {error}"),
            None if metadata.name.is_empty() => "it has no name".to_owned(),
            None => "it has no section `tamis:plugin`: it was not built by `tamis plugin build`".to_owned(),
        };
        report.add(&rule::METADATA, reason);
    }
    if !is_semantic(&metadata.version) {
        let found = if metadata.version.is_empty() { "no version".to_owned() } else { format!("`{}`", metadata.version) };
        report.add(&rule::VERSION, format!("a version such as 1.0.0 was expected, it has {found}"));
    }
    for (text, rule, what) in [
        (&metadata.description, &rule::DESCRIPTION, "description"),
        (&metadata.authors, &rule::AUTHORS, "authors"),
        (&metadata.licenses, &rule::LICENCE, "licence"),
    ] {
        if text.trim().is_empty() {
            report.add(rule, format!("it has no {what}"));
        }
    }
    if template::DESCRIPTION == metadata.description.trim() {
        report.add(&rule::TEMPLATE, format!("its description is that of the template: {}", template::DESCRIPTION));
    }
}

/// Holds what the metadata says against what the plugin answers.
pub(super) fn check_example(settings: &[Setting<'_>], subject: &Subject<'_>, report: &mut Report) {
    let Some(about) = Metadata::read(subject.component).about else { return };
    let exported = crate::component::contract_of(subject.name, subject.component).unwrap_or_default();
    if about.contract != exported {
        report.add(&rule::FORGED, format!("its metadata says contract {}, it exports {exported}", about.contract));
    }
    let (Some(said), Some(setting)) = (about.example.signature, settings.first()) else { return };
    match setting.candidate.configure(&about.example.config.to_string()) {
        Ok(configured) if schema(configured.signature()) == said => {}
        Ok(_) => report.add(&rule::FORGED, "its metadata says another signature than it answers for the same configuration"),
        Err(failure) => report.add(&rule::FORGED, format!("its metadata says a signature, it refuses that configuration: {failure}")),
    }
}

/// Whether a version is one of <https://semver.org>.
fn is_semantic(version: &str) -> bool {
    let (rest, build) = version.split_once('+').map_or((version, None), |(rest, build)| (rest, Some(build)));
    let (numbers, pre) = rest.split_once('-').map_or((rest, None), |(numbers, pre)| (numbers, Some(pre)));
    let is_number =
        |text: &str| text.parse::<u64>().is_ok() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let is_word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_pre = |text: &str| is_word(text) && (!text.bytes().all(|b| b.is_ascii_digit()) || is_number(text));
    numbers.split('.').count() == 3
        && numbers.split('.').all(is_number)
        && pre.is_none_or(|pre| pre.split('.').all(is_pre))
        && build.is_none_or(|build| build.split('.').all(is_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_semantic_or_not() {
        for version in ["0.1.0", "1.22.333", "1.0.0-rc.1", "1.0.0+build-5.2", "1.0.0-a.b+c"] {
            assert!(is_semantic(version), "{version}");
        }
        for version in
            ["", "1", "1.0", "1.0.0.0", "v1.0.0", "1.0.x", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0+", "+1.0.0", "1.-1.0", "1.0.0-ü"]
        {
            assert!(!is_semantic(version), "{version}");
        }
    }
}
