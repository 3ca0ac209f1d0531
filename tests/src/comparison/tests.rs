use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The records in both outputs of one program.
fn outputs(run: fn(&Arguments) -> Result<Summary>) -> ([Vec<Value>; 2], Summary) {
    let folder = tempfile::tempdir().expect("a folder");
    let sample = project().join("samples/gateway");
    let arguments = Arguments {
        input: sample.join("input.ndjson"),
        default: folder.path().join("calls.ndjson"),
        errors: folder.path().join("errors.ndjson"),
        config: sample.join("pipeline.yaml"),
    };
    let summary = run(&arguments).expect("a run");
    ([records(&arguments.default), records(&arguments.errors)], summary)
}

fn records(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn both_programs_do_what_the_sample_expects() {
    let expected = project().join("samples/gateway/expected");
    let expected = [records(&expected.join("calls.ndjson")), records(&expected.join("errors.ndjson"))];
    for (name, run) in [("plain", plain::run as fn(&Arguments) -> Result<Summary>), ("native", native::run)] {
        let (found, summary) = outputs(run);
        for (found, expected) in found.iter().zip(&expected) {
            for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
                assert_eq!(found, expected, "{name}, record {place}");
            }
            assert_eq!(found.len(), expected.len(), "{name}");
        }
        assert_eq!(summary.read, summary.default + summary.errors + summary.dropped + summary.malformed, "{name}");
        assert_eq!((summary.read, summary.malformed), (200, 1), "{name}");
    }
}
