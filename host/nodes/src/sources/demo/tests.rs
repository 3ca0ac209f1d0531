use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;

const COUNT: usize = 40_000;

fn records(seed: u64, count: usize) -> Vec<Vec<u8>> {
    let mut generator = Generator::new(seed);
    let mut make = || {
        let mut record = Vec::new();
        generator.record(&mut record);
        record
    };
    (0..count).map(|_| make()).collect()
}

fn parsed(seed: u64) -> Vec<Value> {
    records(seed, COUNT).iter().map(|record| serde_json::from_slice(record).expect("JSON")).collect()
}

fn percent(values: &[Value], test: impl Fn(&Value) -> bool) -> f64 {
    values.iter().filter(|value| test(value)).count() as f64 * 100.0 / values.len() as f64
}

/// FNV-1a, to tell whether a byte changed.
fn digest(records: &[Vec<u8>]) -> u64 {
    records.iter().flatten().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[test]
fn a_seed_gives_the_same_bytes_for_ever() {
    assert_eq!(digest(&records(1, 2_000)), DIGEST, "the records of seed 1 changed: samples and their expected output hang on them");
    assert_ne!(digest(&records(2, 2_000)), DIGEST);
}

const DIGEST: u64 = 6_081_223_851_183_995_269;

#[test]
fn records_are_590_bytes_on_average_and_one_line_each() {
    let records = records(3, COUNT);
    let mean = records.iter().map(Vec::len).sum::<usize>() as f64 / COUNT as f64;
    assert!((mean / 590.0 - 1.0).abs() < 0.03, "{mean} bytes");
    assert!(records.iter().all(|record| !record.contains(&b'\n') && record.len() < 1_000));
}

#[test]
fn the_members_are_the_gateways() {
    let always = [
        "app_datetime",
        "CORRELATION_ID",
        "ApplicationName",
        "ApiOwner",
        "AppliOwner",
        "ApiName",
        "ApiVersion",
        "SourceAppel",
        "Origine",
        "APIMStatus",
        "HTTP_ReturnCode",
        "destination",
        "Pattern",
        "responseLatency",
        "backendLatency",
        "userAgent",
        "message",
    ];
    for record in parsed(4) {
        let members = record.as_object().expect("an object");
        assert!(always.iter().all(|name| members.contains_key(*name)), "{record}");
        assert!(members.keys().all(|name| always.contains(&name.as_str()) || name == "ErrorCode" || name == "CallsInternet"), "{record}");
        assert!(record["destination"]["url"]["path"].is_string() && record["destination"]["http"]["method"].is_string());
        assert_eq!(record["ApiOwner"].as_str().map(str::len), Some(3));
        assert!(record["HTTP_ReturnCode"].is_u64() && record["responseLatency"].as_u64() > record["backendLatency"].as_u64());
        assert_eq!(record["ErrorCode"].is_null(), record["APIMStatus"] == "OK", "{record}");
    }
}

#[test]
fn the_mix_is_a_gateways() {
    let records = parsed(5);
    let fault = |record: &Value| record["ErrorCode"].as_u64().unwrap_or_default();
    let success = percent(&records, |record| fault(record) == 0 && record["HTTP_ReturnCode"].as_u64() < Some(400));
    let throttled = percent(&records, |record| (900_800..900_900).contains(&fault(record)));
    let hard_limit = percent(&records, |record| fault(record) == 900_801 && record["HTTP_ReturnCode"] == 503);
    let backend = percent(&records, |record| (101_500..101_600).contains(&fault(record)) || fault(record) == 303_001);
    let probes = percent(&records, |record| record["destination"]["http"]["method"] == "OPTIONS");
    let internet = percent(&records, |record| record.get("CallsInternet").is_some());
    for (share, wanted, off) in [
        (success, 88.0, 1.0),
        (throttled, 4.0, 0.5),
        (hard_limit, 0.4, 0.15),
        (backend, 2.2, 0.4),
        (probes, 3.0, 0.4),
        (internet, 50.0, 1.5),
    ] {
        assert!((share - wanted).abs() <= off, "{share} % where {wanted} % are wanted");
    }
}

#[test]
fn a_few_of_many_subscriptions_make_most_of_the_calls() {
    let mut calls = BTreeMap::<_, usize>::new();
    let (mut apis, mut applications) = (BTreeSet::new(), BTreeSet::new());
    for record in parsed(6) {
        let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        *calls.entry((text("ApiName"), text("ApplicationName"))).or_default() += 1;
        apis.insert(text("ApiName"));
        applications.insert(text("ApplicationName"));
    }
    assert!(apis.len() > 590 && apis.len() <= 600 && applications.len() > 590 && applications.len() <= 600);
    assert!(calls.len() > 2_100 && calls.len() <= 2_500, "{} subscriptions", calls.len());
    let mut counts: Vec<_> = calls.into_values().collect();
    counts.sort_unstable();
    let top = counts.iter().rev().take(250).sum::<usize>() as f64 / COUNT as f64;
    assert!((0.5..0.75).contains(&top), "the first tenth makes {top}");
}

#[test]
fn time_goes_on_from_the_start_at_fifty_million_a_day() {
    let times: Vec<String> = parsed(7).iter().map(|record| record["app_datetime"].as_str().unwrap_or_default().to_owned()).collect();
    assert!(times[0].starts_with("2026-03-02T05:30:00.") && times[0].ends_with('Z'), "{}", times[0]);
    assert!(times.is_sorted());
    // 40,000 records at 1,728 µs are 69 s.
    assert!(times[COUNT - 1].starts_with("2026-03-02T05:31:0"), "{}", times[COUNT - 1]);
}

#[test]
fn personal_data_is_in_six_records_of_a_hundred() {
    let marks =
        ["email=", "mail=", "tel=", "access_token=", "Assertion ", "Bearer ", "Transfer ", "card ", "Beneficiary", "Call back", "Notice"];
    let records = parsed(8);
    let personal = percent(&records, |record| {
        let path = record["destination"]["url"]["path"].as_str().unwrap_or_default();
        let message = record["message"].as_str().unwrap_or_default();
        marks.iter().any(|mark| path.contains(mark) || message.contains(mark))
    });
    assert!((5.5..6.5).contains(&personal), "{personal} %");
    let find = |mark: &str| {
        let hit = records.iter().find_map(|record| record["message"].as_str().filter(|message| message.contains(mark)));
        hit.map(|message| message.chars().filter(char::is_ascii_alphanumeric).collect::<String>()).unwrap_or_default()
    };
    let iban = find("Transfer order");
    let start = iban.find("FR").expect("an account number");
    let moved = format!("{}1527{}", &iban[start + 4..start + 27], &iban[start + 2..start + 4]);
    assert_eq!(moved.bytes().fold(0, |rest, byte| (rest * 10 + u32::from(byte - b'0')) % 97), 1, "{iban}");
}
