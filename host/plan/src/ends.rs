//! Sources and sinks: what two of them may not share.

use crate::codes;
use crate::model::{Origin, Plan};
use std::collections::{BTreeMap, BTreeSet};
use tamis_config::{Config, Diagnostic, Diagnostics, FileSource, Located, Sink, Source, Text};

/// Reports standard input read twice, a file written twice, keys of a store used twice, and a file that is written and read.
pub(crate) fn check(config: &Config, findings: &mut Diagnostics) {
    let mut stdin: Option<&Located<Source>> = None;
    for source in config.sources.values().filter(|source| matches!(source.value, Source::Stdin(_))) {
        let first = *stdin.get_or_insert(source);
        if !std::ptr::eq(first, source) {
            findings.push(
                Diagnostic::error(codes::SHARED_END, "two sources read standard input")
                    .at(&source.place)
                    .related(&first.place, "the first one is here")
                    .help("use one source in several pipelines: `from` may name it again"),
            );
        }
    }
    stores(config, findings);
    let mut files: BTreeMap<String, &Located<Sink>> = BTreeMap::new();
    for (name, sink) in &config.sinks {
        let Sink::File(file) = &sink.value else { continue };
        let first = *files.entry(plain(file.path.as_str())).or_insert(sink);
        if !std::ptr::eq(first, sink) {
            findings.push(
                Diagnostic::error(codes::SHARED_END, format!("two sinks write the file `{}`", file.path.shown()))
                    .at(&sink.place)
                    .related(&first.place, "the first one is here")
                    .help("use one sink twice: several outputs may name it"),
            );
        }
        for (source_name, source) in &config.sources {
            if let Source::File(reader) = &source.value
                && reads(reader, file.path.as_str())
            {
                findings.push(
                    Diagnostic::error(
                        codes::CYCLE,
                        format!("sink `{name}` writes a file that source `{source_name}` reads: records would go round for ever"),
                    )
                    .at(&sink.place)
                    .related(&source.place, "the source is here")
                    .help("write elsewhere, or leave the file out with the source's `exclude`"),
                );
            }
        }
    }
}

/// Reports two sinks that store under the same keys: what is alike in both would be one object.
fn stores(config: &Config, findings: &mut Diagnostics) {
    let mut keys: BTreeMap<String, &Located<Sink>> = BTreeMap::new();
    for sink in config.sinks.values() {
        let (key, shown) = match &sink.value {
            Sink::Parquet(folder) => (format!("folder {}", plain(folder.path.as_str())), folder.path.shown()),
            Sink::S3(s3) => {
                let endpoint = s3.endpoint.as_ref().map_or("", |endpoint| endpoint.as_str()).trim_end_matches('/');
                (format!("s3 {endpoint} {} {}", s3.bucket.as_str(), plain(s3.key.as_str())), s3.key.shown())
            }
            _ => continue,
        };
        let first = *keys.entry(key).or_insert(sink);
        if !std::ptr::eq(first, sink) {
            findings.push(
                Diagnostic::error(codes::SHARED_END, format!("two sinks store under `{shown}`"))
                    .at(&sink.place)
                    .related(&first.place, "the first one is here")
                    .help("use one sink twice: several outputs may name it; or give each a folder of its own"),
            );
        }
    }
}

/// Warns of sinks that gather records for longer than the clients of a source wait for its answer.
pub(crate) fn check_answers(config: &Config, plan: &Plan, findings: &mut Diagnostics) {
    for (name, sink) in &config.sinks {
        let Some(age) = sink.value.batch_age().filter(|_| sink.value.buffer().disk.is_none()) else { continue };
        let mut told = BTreeSet::new();
        for origin in plan.leading_to(name).iter().flat_map(|pipeline| &pipeline.from) {
            let Origin::Source(source_name) = origin else { continue };
            let Some(source) = config.sources.get(source_name) else { continue };
            if source.value.ack_timeout().is_some_and(|timeout| age >= timeout) && told.insert(source_name) {
                findings.push(
                    Diagnostic::warning(
                        codes::LATE_ANSWER,
                        format!("clients of source `{source_name}` wait until records are delivered, and sink `{name}` gathers them for longer: requests would be sent again"),
                    )
                    .at(&sink.place)
                    .related(&source.place, "the source is here")
                    .help("give the sink `buffer: { disk: 1GiB }`, which answers for it, or a `batch.age` below the source's `limits.ack_timeout`"),
                );
            }
        }
    }
}

fn reads(source: &FileSource, path: &str) -> bool {
    let path = plain(path);
    // As the source walks folders: `*` and `?` stay within one folder, `**` does not.
    let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
    // And a `**` at the end of `paths` finds folders, no files; in `exclude` it leaves out all below a folder.
    let finds_files = |pattern: &str| pattern != "**" && !pattern.ends_with("/**");
    let matches = |patterns: &[Text], below: bool| {
        patterns
            .iter()
            .map(|p| plain(p))
            .filter(|p| below || finds_files(p))
            .any(|p| glob::Pattern::new(&p).is_ok_and(|pattern| pattern.matches_with(&path, options)))
    };
    matches(&source.paths, false) && !matches(&source.exclude, true)
}

/// A path without what makes no difference: `./`, doubled slashes, a folder and its `..`. By the text alone: symbolic links
/// are not followed, since the plan looks at no file.
fn plain(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != ".." && !last.contains(['*', '?', '['])) => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    format!("{}{}", if path.starts_with('/') { "/" } else { "" }, parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn paths_that_mean_the_same_are_the_same() {
        for (path, expected) in [
            ("out.ndjson", "out.ndjson"),
            ("./out.ndjson", "out.ndjson"),
            ("a//./b", "a/b"),
            ("a/../b", "b"),
            ("../a", "../a"),
            ("../../a", "../../a"),
            ("*/../a", "*/../a"),
            ("/var/../log/x", "/log/x"),
            ("/", "/"),
        ] {
            assert_eq!(plain(path), expected, "{path}");
        }
    }
}
