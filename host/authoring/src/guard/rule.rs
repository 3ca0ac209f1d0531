//! The guard-rails: their codes, which never change, and what each is about.

/// How bad a broken guard-rail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The plugin can run; its author should know.
    Warning,
    /// The plugin should not be shipped.
    Error,
}

impl Severity {
    /// The word: `warning` or `error`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A guard-rail.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its code.
    pub code: &'static str,
    /// What it asks of a plugin, in a few words.
    pub title: &'static str,
    /// How bad it is when it is broken.
    pub severity: Severity,
    /// What to do.
    pub cure: &'static str,
}

macro_rules! rules {
    ($($name:ident $code:literal $severity:ident $title:literal $cure:literal)*) => {
        $(
            #[doc = $title]
            pub(super) const $name: Rule = Rule { code: $code, title: $title, severity: Severity::$severity, cure: $cure };
        )*
        /// Every guard-rail, by code.
        pub const RULES: &[&Rule] = &[$(&$name),*];
    };
}

rules! {
    INVALID "P001" Error "a component that the host can load"
        "build it with `tamis plugin build`"
    CONTRACT "P002" Error "a contract that the host speaks"
        "rebuild the plugin with an SDK for the host's contract, or update the host"
    IMPORTS "P003" Error "no imports beyond the contract"
        "a plugin has no clock, network, files or environment: remove the dependency that asks for it, and take what is needed from the record or from the step's configuration"
    SIZE "P004" Error "a component within the size limit"
        "build for size (`opt-level = \"s\"`, `strip = true`, fewer dependencies) or raise `limits.component`"
    SIZE_NEAR "P005" Warning "a component below half of the size limit"
        "build for size (`opt-level = \"s\"`, `strip = true`, fewer dependencies) before it grows over the limit"
    START "P006" Error "an `init` that accepts the configuration of every case and answers in time"
        "give a configuration that it accepts, in a case or with `--config`; if it is sound, mend `init`"

    METADATA "P010" Error "metadata with a name"
        "build it with `tamis plugin build`, which takes the metadata from Cargo.toml, package.json or pyproject.toml"
    VERSION "P011" Error "a version that is a semantic one"
        "set `version` in the manifest to three numbers such as 1.0.0 (and `-rc.1` behind it where needed)"
    DESCRIPTION "P012" Error "a description"
        "set `description` in the manifest: one sentence of what the plugin does"
    AUTHORS "P013" Error "authors"
        "set `authors` in the manifest: who is asked when it fails"
    LICENCE "P014" Warning "a licence"
        "set `license` in the manifest to an SPDX expression such as Apache-2.0, or LicenseRef-Proprietary"
    FORGED "P015" Error "metadata that says what the component does"
        "build it again with `tamis plugin build`; metadata is never edited by hand"
    TEMPLATE "P016" Warning "a description of its own"
        "say in `description` of the manifest what this plugin does: catalogues and registries show it"

    CASES "P020" Warning "cases with records"
        "write `cases/*.yaml` with records as the gateway sends them: without them the checks below see made-up records only"
    READ_UNUSED "P021" Warning "fields that are read make a difference"
        "no longer declare the field, or add a case in which it matters: every declared field needs a grant and costs time"
    READ_ABSENT "P022" Warning "cases hold the fields that are read"
        "add the field to a case's records, or correct its path or kind: a value of another kind counts as absent"
    WRITE_UNUSED "P023" Warning "fields that are written are written in some case"
        "no longer declare the field, or add a case that makes the plugin write it"
    WAY_UNUSED "P024" Warning "outputs and dropping are used in some case"
        "no longer declare the output (or `drops`), or add a case that takes it"

    REPEATABLE "P030" Error "the same records give the same outcome"
        "keep no state between calls, iterate over ordered maps, use neither addresses nor random numbers"
    SPLIT "P031" Error "the outcome of a record does not depend on its batch"
        "decide on each record by itself: the host parts batches as it likes"

    EMPTY "P040" Error "the empty batch is answered"
        "answer a batch of no rows with an empty outcome"
    ABSENT "P041" Error "absent and null fields are survived"
        "treat every field as absent until it is there; do not unwrap"
    HUGE "P042" Error "huge values are survived"
        "bound what one value may cost: clip it, reject the record or leave it alone"
    HOSTILE "P043" Error "hostile values are survived"
        "treat every value as written by an attacker; reject the record instead of trapping"
    OWN_CASES "P044" Error "no case makes it trap or break the contract"
        "mend the fault; reject a record that cannot be handled"

    DEADLINE "P050" Error "a full batch within the deadline"
        "make it faster (`tamis plugin bench`), or raise `limits.deadline`"
    DEADLINE_NEAR "P051" Warning "a full batch within half of the deadline"
        "make it faster (`tamis plugin bench`): a busy machine takes twice as long"
    MEMORY "P052" Error "memory within the limit"
        "hold less between calls, or raise `limits.memory`"
    MEMORY_NEAR "P053" Warning "memory within half of the limit"
        "hold less between calls: larger batches need more"
    INIT_NEAR "P054" Warning "`init` within half of its deadline"
        "prepare less in `init`"
    LOG_FLOOD "P055" Warning "no more log lines than the host takes"
        "count (`metrics`) what happens for every record, and log what is rare"

    PERSONAL_LOG "P060" Error "no values of records in the log"
        "log what happened and how often, never a value: logs are kept and read elsewhere"
    PERSONAL_COUNTER "P061" Error "no values of records in the names of counters"
        "name counters after what is counted, by a fixed list"
    PERSONAL_REASON "P062" Error "no values of records in the reasons of rejects"
        "say which field is wrong and what was expected, never its value: reasons are shown apart from the records"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_ascend_and_are_documented() {
        assert!(RULES.windows(2).all(|pair| pair[0].code < pair[1].code));
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/guard-rails.md");
        let page = std::fs::read_to_string(page).expect("the page of the guard-rails");
        for rule in RULES {
            let row = format!("| {} | {} | {} |", rule.code, rule.severity.as_str(), rule.title);
            assert!(page.contains(&row), "docs/reference/guard-rails.md lacks the row {row}");
        }
    }
}
