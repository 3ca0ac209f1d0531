//! The `http` source and sink with programs of other projects: syslog-ng's `http()` destination, and datasette, which keeps what it is sent.
//! `NETWORK=long` takes 100,000 records instead of 5,000.

use std::collections::BTreeSet;
use std::time::Duration;
use tamis_tests::harness::exchange::{Exchange, records};
use tamis_tests::harness::{Certificates, Datasette, Live, Site, eventually, free_port, syslog_ng};

const TOKEN: &str = "open-sesame";

fn lines(count: usize) -> String {
    (0..count).map(|n| format!("{{\"n\":{n},\"text\":\"{}\"}}\n", "x".repeat(100))).collect()
}

/// Kills a process and waits for its end.
fn kill(live: Live) {
    live.signal("KILL");
    assert_eq!(live.wait().signal, Some(9));
}

/// It reads a file and posts its lines, over TLS with a token; the host and then syslog-ng are killed in the middle.
#[test]
fn http_from_syslog_ng_with_a_kill_of_each() {
    let (site, port, count) = (Site::new(), free_port(), records());
    Certificates::write(&site);
    site.write("input.log", lines(count));
    site.config(&format!(
        "
sources:
  in: {{ type: http, listen: '127.0.0.1:{port}', auth: {{ tokens: [{TOKEN}] }}, tls: {{ certificate: server.pem, key: server.key }} }}
pipelines: {{ main: {{ from: [in], to: [out], dead_letters: [failed] }} }}
sinks:
  out: {{ type: file, path: out.ndjson }}
  failed: {{ type: file, path: failed.ndjson }}"
    ));
    let at = site.path("").display().to_string();
    let configuration = format!(
        "@version: 3.38\noptions {{ stats-freq(0); }};\n\
         source in {{ file(\"{at}/input.log\" flags(no-parse) follow-freq(0.1) log-iw-size(2000)); }};\n\
         destination out {{ http(url(\"https://localhost:{port}/logs\") method(\"POST\") body(\"${{MESSAGE}}\") delimiter(\"\\n\")\n\
         headers(\"Content-Type: application/x-ndjson\" \"Authorization: Bearer {TOKEN}\") tls(ca-file(\"{at}/ca.pem\"))\n\
         batch-lines(200) batch-timeout(100) workers(2) time-reopen(1) timeout(20) retries(100000)); }};\n\
         log {{ source(in); destination(out); flags(flow-control); }};\n"
    );
    let there = || site.lines("out.ndjson").len();
    let host = site.start(["run"]);
    let Some(sender) = syslog_ng(&site, &configuration) else { return };
    eventually("a part is delivered", || there() > count / 5);
    kill(host);
    let at_first = there();
    let _host = site.start(["run"]);
    eventually(&format!("more is delivered: {}", sender.err()), || there() > at_first + count / 5);
    kill(sender);
    let at_second = there();
    let sender = syslog_ng(&site, &configuration).unwrap();
    let numbers = || -> BTreeSet<u64> {
        let number = |line: &String| serde_json::from_str::<serde_json::Value>(line).unwrap()["n"].as_u64().unwrap();
        site.lines("out.ndjson").iter().map(number).collect()
    };
    eventually(&format!("all is delivered: {}", sender.err()), || {
        std::thread::sleep(Duration::from_millis(200));
        there() >= count && numbers().len() == count
    });
    let ended = format!("the host after {at_first}, syslog-ng after {at_second}, `kill -9`");
    Exchange { of: "source http", with: "syslog-ng", ended: &ended, sent: count, arrived: count, repeated: there() - count }.tell();
    assert_eq!(site.lines("failed.ndjson"), Vec::<String>::new());
}

/// A file to datasette, over TLS with a token; datasette and then the host are killed in the middle.
#[test]
fn http_to_datasette_with_a_kill_of_each() {
    let (site, count) = (Site::new(), records());
    Certificates::write(&site);
    let Some(server) = Datasette::start(&site) else { return };
    site.write("input.ndjson", lines(count));
    site.config(&format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], to: [web], dead_letters: [failed] }} }}
sinks:
  web:
    type: http
    url: '{}'
    format: json
    auth: {{ token: {} }}
    tls: {{ ca: ca.pem }}
    # A request at a time, and two hundred of them: both are killed in the middle.
    concurrency: 1
    batch: {{ records: {} }}
    retry: {{ initial: 50ms, max: 500ms }}
  failed: {{ type: file, path: failed.ndjson }}",
        server.url(),
        Datasette::TOKEN,
        count / 200
    ));
    let host = site.start(["run"]);
    eventually("a part is delivered", || server.records().0 > count / 10);
    let server = server.killed();
    let at_first = server.records().0;
    eventually("more is delivered", || server.records().0 > at_first + count / 10 || server.records().1 == count);
    kill(host);
    let at_second = server.records().0;
    let _host = site.start(["run"]);
    eventually(&format!("all is delivered: {:?}", server.records()), || server.records().1 == count);
    let repeated = server.records().0 - count;
    let ended = format!("datasette after {at_first}, the host after {at_second}, `kill -9`");
    Exchange { of: "sink http", with: "datasette", ended: &ended, sent: count, arrived: count, repeated }.tell();
    assert_eq!(site.lines("failed.ndjson"), Vec::<String>::new());
    assert!(at_second < count, "killed in the middle");
}
