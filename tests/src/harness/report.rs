//! What a run tells of itself: the report and the dead letters.

use serde_json::Value;

/// A run's report, as `--report --output json` prints it.
#[derive(Debug, Clone)]
pub struct Report(pub Value);

/// What became of a pipeline's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Records that came.
    pub taken: u64,
    /// Records that left by an output.
    pub out: u64,
    /// Records dropped on purpose.
    pub dropped: u64,
    /// Records among the dead letters.
    pub rejected: u64,
}

impl Report {
    /// A report from its JSON.
    pub fn of(value: Value) -> Self {
        Self(value)
    }

    fn list(&self, part: &str) -> &[Value] {
        self.0[part].as_array().map(Vec::as_slice).unwrap_or_else(|| panic!("the report has no list `{part}`: {}", self.0))
    }

    fn named(&self, part: &str, name: &str) -> &Value {
        self.list(part).iter().find(|entry| entry["name"] == name).unwrap_or_else(|| panic!("no `{name}` under `{part}`: {}", self.0))
    }

    /// What became of a pipeline's records.
    pub fn flow(&self, pipeline: &str) -> Flow {
        flow(self.named("pipelines", pipeline))
    }

    /// Records that a pipeline sent to an output.
    pub fn output(&self, pipeline: &str, output: &str) -> u64 {
        number(&self.named("pipelines", pipeline)["outputs"][output])
    }

    /// Dead letters of a pipeline by cause; 0 when there were none.
    pub fn dead(&self, pipeline: &str, cause: &str) -> u64 {
        self.named("pipelines", pipeline)["dead_letters"][cause].as_u64().unwrap_or(0)
    }

    /// A step of a pipeline.
    pub fn step(&self, pipeline: &str, step: &str) -> &Value {
        let steps = self.named("pipelines", pipeline)["steps"].as_array().expect("steps");
        steps.iter().find(|entry| entry["name"] == step).unwrap_or_else(|| panic!("no step `{step}`: {}", self.0))
    }

    /// Records that a sink has written.
    pub fn delivered(&self, sink: &str) -> u64 {
        number(&self.named("sinks", sink)["delivered"])
    }

    /// Records of a source that are settled, and that are not.
    pub fn source(&self, source: &str) -> (u64, u64) {
        let source = self.named("sources", source);
        (number(&source["settled"]), number(&source["held"]))
    }

    /// Asserts, for every pipeline, in = out + dropped + rejected, that the causes add up to the dead letters, and that no source
    /// holds anything.
    #[track_caller]
    pub fn conserved(self) -> Self {
        for pipeline in self.list("pipelines") {
            let Flow { taken, out, dropped, rejected } = flow(pipeline);
            assert_eq!(taken, out + dropped + rejected, "in = out + dropped + rejected: {pipeline:#}");
            assert_eq!((&pipeline["held"], &pipeline["difference"]), (&0.into(), &0.into()), "{pipeline:#}");
            // What a sink refuses left the pipeline before.
            let causes = pipeline["dead_letters"].as_object().expect("causes").iter().filter(|(cause, _)| *cause != "sink");
            assert_eq!(rejected, causes.map(|(_, n)| number(n)).sum::<u64>(), "{pipeline:#}");
        }
        for source in self.list("sources") {
            assert_eq!(source["held"], 0, "{source:#}");
        }
        self
    }
}

fn flow(pipeline: &Value) -> Flow {
    let of = |key: &str| number(&pipeline[key]);
    Flow { taken: of("in"), out: of("out"), dropped: of("dropped"), rejected: of("rejected") }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a count was expected, found {value}"))
}

/// A dead letter.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The line as it was written.
    pub text: String,
    /// The line as JSON.
    pub value: Value,
}

impl Letter {
    /// Reads one and asserts what holds for all: its keys, the time's form, a position.
    #[track_caller]
    pub fn parse(line: &str) -> Self {
        // The record may nest deeper than the parser likes: it is looked at as text.
        let value: Value = match serde_json::from_str(line) {
            Ok(value) => value,
            Err(error) => {
                let (start, rest) = line.split_once(",\"failure\":").unwrap_or_else(|| panic!("not a dead letter ({error}): {line:.200}"));
                assert!(start.starts_with("{\"record\":"), "{start:.200}");
                serde_json::from_str(&format!("{{\"record\":null,\"failure\":{rest}"))
                    .unwrap_or_else(|error| panic!("not a dead letter ({error}): {rest:.200}"))
            }
        };
        let keys: Vec<&String> = value.as_object().expect("an object").keys().collect();
        assert_eq!(keys.len(), 3, "{line:.400}");
        for key in ["pipeline", "step", "plugin", "digest", "reason", "cause", "time"] {
            assert!(value["failure"].get(key).is_some(), "`{key}` is missing: {line:.400}");
        }
        assert!(value["failure"]["time"].as_str().is_some_and(|time| time.ends_with('Z') && time.len() == 24), "{line:.400}");
        assert!(value["origin"]["source"].is_string() && value["origin"]["position"].is_object(), "{line:.400}");
        Self { text: line.to_owned(), value }
    }

    /// The cause.
    pub fn cause(&self) -> &str {
        self.value["failure"]["cause"].as_str().expect("a cause")
    }

    /// The reason.
    pub fn reason(&self) -> &str {
        self.value["failure"]["reason"].as_str().expect("a reason")
    }

    /// The record as it was written, byte for byte.
    pub fn record(&self) -> &str {
        let rest = self.text.strip_prefix("{\"record\":").expect("a record first");
        rest.rsplit_once(",\"failure\":").expect("a failure").0
    }
}
