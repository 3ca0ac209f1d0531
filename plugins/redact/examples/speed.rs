//! Prints nanoseconds a value for typical columns: `cargo run --release -p tamis-plugin-redact --example speed`; with a file of
//! JSON records as its argument, for those instead, without and with `repeats`.

use std::hint::black_box;
use std::time::Instant;

use tamis_plugin::{Batch, BatchPlugin, Column, Values, VarValues};
use tamis_plugin_redact::{Redact, prescan};

const ROWS: usize = 1024;
const ROUNDS: usize = 300;

fn column(values: &[String]) -> (Vec<u32>, Vec<u8>) {
    let mut offsets = vec![0];
    let mut bytes = Vec::new();
    for row in 0..ROWS {
        bytes.extend_from_slice(values[row % values.len()].as_bytes());
        offsets.push(bytes.len() as u32);
    }
    (offsets, bytes)
}

fn measure(name: &str, kind: &str, values: &[String]) {
    let (offsets, bytes) = column(values);
    let config = match kind {
        "record" => r#"{"fields":["."]}"#.to_owned(),
        "repeats" => r#"{"fields":["."],"repeats":true}"#.to_owned(),
        kind => format!(r#"{{"fields":[{{"path":"x","kind":"{kind}"}}]}}"#),
    };
    let (mut plugin, _) = Redact::init(&config).expect("a sound configuration");
    let var = VarValues { offsets: &offsets, bytes: &bytes };
    let columns = [Column { values: if kind == "text" { Values::Text(var) } else { Values::Json(var) }, present: None }];
    let batch = Batch { rows: ROWS as u32, columns: &columns };
    let mut best = f64::MAX;
    let mut patched = 0;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let outcome = black_box(plugin.process(black_box(&batch))).expect("a batch");
        best = best.min(start.elapsed().as_nanos() as f64 / ROWS as f64);
        patched = outcome.patches.iter().map(|patch| patch.rows.as_ref().map_or(ROWS, Vec::len)).sum();
    }
    let mut scan = f64::MAX;
    let mut candidates = Vec::new();
    for _ in 0..ROUNDS {
        candidates.clear();
        let start = Instant::now();
        prescan::candidates(black_box(&bytes), &mut candidates);
        scan = scan.min(start.elapsed().as_nanos() as f64 / ROWS as f64);
    }
    println!(
        "{name:<44} {kind:<7} {:>4} bytes {best:>7.1} ns/value (prescan {scan:>5.1}, {:.2} candidates), {:.1} ns/100 bytes, {patched} patched",
        bytes.len() / ROWS,
        candidates.len() as f64 / ROWS as f64,
        best * 100.0 * ROWS as f64 / bytes.len() as f64,
    );
}

fn main() {
    if let Some(file) = std::env::args().nth(1) {
        let text = std::fs::read_to_string(&file).expect("a file of records");
        let records: Vec<String> = text.lines().map(str::to_owned).collect();
        for kind in ["record", "repeats"] {
            measure(&file, kind, &records);
        }
        return;
    }
    let clean: Vec<String> = (0..97)
        .map(|n| {
            format!(
                "/gateway/s2sPrediction/v1/customers/{:05}/orders/{:04}/lines?status=open&page={n}&size=50&sort=date,desc",
                n * 311 % 99999,
                n * 37 % 9999
            )
        })
        .collect();
    let dirty: Vec<String> = (0..97)
        .map(|n| format!("/gateway/s2sPrediction/v1/customers/search?email=jean.dupont{n}@example.fr&tel=06123456{:02}&page=2&size=50", n))
        .collect();
    let encoded: Vec<String> = (0..97)
        .map(|n| format!("/gateway/s2sPrediction/v1/customers/search?email=jean.dupont{n}%40example.fr&tel=%2B336123456{:02}&page=2", n))
        .collect();
    let message: Vec<String> = (0..97)
        .map(|n| format!("Suspending endpoint : SampleAPI-{n} with address https://backend-{n}.example/v1, current suspend duration is : 30000ms - Next retry after : Mon Mar 03 11:42:{:02} CET 2025", n % 60))
        .collect();
    let record: Vec<String> = (0..97)
        .map(|n| format!(r#"{{"app_datetime":"2025-03-03T11:42:{:02}.381+01:00","ApplicationName":"SACC_00001{n:02}_S7_APIQA.S7_U1","APIMStatus":"OK","ApiOwner":"cio","SourceAppel":"10.155.12.{n}","Origine":"apim-gw-acc.net.extra.example","CORRELATION_ID":"urn:uuid:e93288b1-99ba-477c-b7f2-1dadde01ec{n:02}","destination":{{"name":"s2sPrediction","url":{{"path":"v1/predict"}},"http":{{"method":"POST"}}}},"HTTP_ReturnCode":200,"ApiName":"s2sPrediction","ApiVersion":"v1","CallsInternet":"NO","Pattern":"client_credentials","AppliOwner":"S7_"}}"#, n % 60))
        .collect();
    let quote = |values: &[String]| -> Vec<String> { values.iter().map(|value| format!("\"{value}\"")).collect() };
    measure("clean path", "text", &clean);
    measure("clean path", "json", &quote(&clean));
    measure("path with e-mail and phone", "text", &dirty);
    measure("path with e-mail and phone", "json", &quote(&dirty));
    measure("the same, percent-encoded", "text", &encoded);
    measure("clean message", "text", &message);
    measure("clean record", "record", &record);
}
