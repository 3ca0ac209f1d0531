//! The fields that sinks look at, beside sending them: to find a record's place, name, key or time.

use tamis_record::{Path, Segment};

use super::Sink;
use super::network::*;
use super::path_template::{PathPiece, PathTemplate};
use super::template::Template;
use crate::Text;

/// An option and a field that it names.
type Use = (String, Path);

impl Sink {
    /// The fields that it looks at, each with the option that says so: `index`, `labels.team`, `metrics.requests_total.value`.
    pub fn uses(&self) -> Vec<Use> {
        match self {
            Sink::File(sink) => of_path("path", &sink.path),
            Sink::Elasticsearch(sink) => elasticsearch(sink),
            Sink::Loki(sink) => loki(sink),
            Sink::Otlp(sink) => {
                let OtlpFields { time, severity, body, trace_id, span_id, event_name } = &sink.fields;
                let named = [
                    ("time", time),
                    ("severity", severity),
                    ("body", body),
                    ("trace_id", trace_id),
                    ("span_id", span_id),
                    ("event_name", event_name),
                ];
                named.into_iter().filter_map(|(name, path)| Some((format!("fields.{name}"), path.clone()?))).collect()
            }
            Sink::Kafka(sink) => {
                let key = sink.key.iter().flat_map(|key| of_fields("key", key));
                of_fields("topic", &sink.topic).into_iter().chain(key).collect()
            }
            Sink::Nats(sink) => {
                let message_id = sink.deduplicate.then(|| ("deduplicate".to_owned(), Path::root()));
                of_fields("subject", &sink.subject).into_iter().chain(message_id).collect()
            }
            Sink::S3(sink) => {
                let time = of_time(&sink.key, sink.time_field.as_ref());
                of_path("key", &sink.key).into_iter().chain(time).chain(columns(sink.schema.keys())).collect()
            }
            Sink::Parquet(sink) => {
                let time = of_time(&sink.path, sink.time_field.as_ref());
                of_path("path", &sink.path).into_iter().chain(time).chain(columns(sink.schema.keys())).collect()
            }
            Sink::Prometheus(sink) => sink.metrics.iter().flat_map(metric).collect(),
            Sink::Http(_) | Sink::Stdout(_) | Sink::Null(_) => Vec::new(),
        }
    }
}

fn elasticsearch(sink: &ElasticsearchSink) -> Vec<Use> {
    let mut all = of_template("index", &sink.index);
    if has_time(&sink.index.pieces) {
        all.push(("time_field".to_owned(), sink.time_field.clone()));
    }
    match &sink.id {
        // Made from all that the record holds, and of what may stand in for a field that is missing.
        ElasticsearchId::Auto => all.push(("id".to_owned(), Path::root())),
        ElasticsearchId::Template(template) => all.extend(of_template("id", template)),
        ElasticsearchId::None => {}
    }
    all.extend(sink.routing.iter().flat_map(|routing| of_template("routing", routing)));
    let omitted = |name: &String| ("omit".to_owned(), Path::from_segments(vec![Segment::Key(name.as_str().into())]));
    all.extend(sink.omit.iter().map(omitted));
    all
}

fn loki(sink: &LokiSink) -> Vec<Use> {
    let named = |option: &str, templates: &std::collections::BTreeMap<String, Template>| -> Vec<Use> {
        templates.iter().flat_map(|(name, template)| of_template(&format!("{option}.{name}"), template)).collect()
    };
    let mut all = named("labels", &sink.labels);
    all.extend(named("metadata", &sink.metadata));
    if !sink.line.is_root() {
        all.push(("line".to_owned(), sink.line.clone()));
    }
    all.push(("time_field".to_owned(), sink.time_field.clone()));
    all
}

fn metric(metric: &PrometheusMetric) -> Vec<Use> {
    let name = metric.name.shown();
    let value = metric.value.iter().map(|path| (format!("metrics.{name}.value"), path.clone()));
    let labels = metric.labels.iter().map(|(label, path)| (format!("metrics.{name}.labels.{label}"), path.clone()));
    value.chain(labels).collect()
}

fn of_template(option: &str, template: &Template) -> Vec<Use> {
    template.fields().map(|path| (option.to_owned(), path.clone())).collect()
}

/// Those of a text that names fields; it was read once, and is sound.
fn of_fields(option: &str, text: &Text) -> Vec<Use> {
    let template = FieldTemplate::parse(text).ok();
    template.iter().flat_map(FieldTemplate::fields).map(|path| (option.to_owned(), path.clone())).collect()
}

fn of_path(option: &str, text: &Text) -> Vec<Use> {
    let template = PathTemplate::parse(text.trim_end_matches('/')).ok();
    template.iter().flat_map(PathTemplate::fields).map(|path| (option.to_owned(), path.clone())).collect()
}

/// The field with the time that fills a path, if there is a place for it.
fn of_time(path: &Text, field: Option<&Path>) -> Option<Use> {
    let template = PathTemplate::parse(path.trim_end_matches('/')).ok()?;
    let has_time = template.parts.iter().any(|part| has_time(&part.pieces));
    field.filter(|_| has_time).map(|field| ("time_field".to_owned(), field.clone()))
}

fn has_time(pieces: &[PathPiece]) -> bool {
    pieces.iter().any(|piece| matches!(piece, PathPiece::Time(_)))
}

fn columns<'a>(names: impl Iterator<Item = &'a String>) -> impl Iterator<Item = Use> {
    names.filter_map(|name| Some((format!("schema.{name}"), name.parse().ok()?)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::{Config, ProcessEnvironment};

    fn uses(sink: &str) -> Vec<String> {
        let yaml = format!("version: 1\nsinks: {{ out: {{ {sink} }} }}\n");
        let (config, problems) = Config::parse("a.yaml", &yaml, std::path::Path::new(""), &ProcessEnvironment);
        let config = config.unwrap_or_else(|| panic!("{}", problems.render(false)));
        config.sinks["out"].value.uses().iter().map(|(option, path)| format!("{option}={path}")).collect()
    }

    #[test]
    fn fields_and_what_for() {
        for (sink, expected) in [
            ("type: file, path: 'out/%{t.a}/%Y.log'", &["path=t.a"][..]),
            (
                "type: elasticsearch, urls: ['http://h'], index: 'l-%{t}-%Y', routing: '%{r}', omit: [x]",
                &["index=t", "time_field=@timestamp", "id=.", "routing=r", "omit=x"],
            ),
            ("type: elasticsearch, urls: ['http://h'], index: l, id: '%{k}', omit: []", &["id=k"]),
            (
                "type: loki, url: 'http://h', labels: { team: '%{t}', fixed: x }, metadata: { m: '%{m}' }, line: msg, time_field: at",
                &["labels.team=t", "metadata.m=m", "line=msg", "time_field=at"],
            ),
            ("type: otlp, endpoint: 'http://h', fields: { body: msg, trace_id: t }", &["fields.body=msg", "fields.trace_id=t"]),
            ("type: kafka, brokers: [h], topic: 'l.%{t}', key: '%{k}'", &["topic=t", "key=k"]),
            ("type: nats, servers: [h], subject: 'l.%{t}'", &["subject=t", "deduplicate=."]),
            ("type: nats, servers: [h], subject: l, deduplicate: false", &[]),
            ("type: s3, bucket: abc, key: '%{t}', time_field: at", &["key=t"]),
            (
                "type: parquet, path: 'd/%{t}/%Y', time_field: at, schema: { status: int }",
                &["path=t", "time_field=at", "schema.status=status"],
            ),
            (
                "type: prometheus, listen: 'h:0', metrics: [{ name: a_total, type: counter, value: n, labels: { l: x.y } }]",
                &["metrics.a_total.value=n", "metrics.a_total.labels.l=x.y"],
            ),
            ("type: 'null'", &[]),
        ] {
            assert_eq!(uses(sink), expected, "{sink}");
        }
    }
}
