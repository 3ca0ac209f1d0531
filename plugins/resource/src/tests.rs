use serde_json::{Value, json};
use tamis_plugin::testing::{Harness, harness};

use super::*;

fn plugin(config: Value) -> Harness<tamis_plugin::Records<Resource>> {
    harness::<Resource>(config).expect("a sound configuration")
}

fn derived(config: Value, path: &str) -> Value {
    plugin(config).run(json!([{"destination": {"url": {"path": path}}}])).records[0]["resource"].clone()
}

#[test]
fn segments_that_are_values_are_replaced() {
    for (path, template) in [
        ("/x/123", "/x/{id}"),
        ("v1/predict", "/v1/predict"),
        ("v1/predict?email=jean.dupont@example.fr&tel=0612345678", "/v1/predict"),
        ("/orders/7/items/#top", "/orders/{id}/items"),
        ("//orders///7//", "/orders/{id}"),
        ("/", "/"),
        ("?x=1", "/"),
        ("https://backend.example:8243/v1/orders/7?x", "/v1/orders/{id}"),
        ("https://backend.example", "/"),
        ("/orders;v=1/7;jsessionid=ABC.node1", "/orders/{id}"),
        ("/u/jean@example.fr/d/2025-03-03/f/d41d8cd98f00b204e9800998ecf8427e", "/u/{email}/d/{date}/f/{hash}"),
        ("/t/e93288b1-99ba-477c-b7f2-1dadde01ec79", "/t/{uuid}"),
        ("/search/jean%20dupont/caf\u{e9}", "/search/{text}/{text}"),
        ("mailto:x/7", "/mailto:x/{id}"),
    ] {
        if template == "/" && path.starts_with('?') {
            assert_eq!(derived(json!({}), path), Value::Null, "{path}");
        } else {
            assert_eq!(derived(json!({}), path), template, "{path}");
        }
    }
}

#[test]
fn a_missing_path_is_left() {
    let run = plugin(json!({}))
        .run(json!([{}, {"destination": {"url": {"path": null}}}, {"destination": {"url": {"path": "null"}}}, {"destination": "x"}]));
    assert!(run.outcome.patches.is_empty() && run.told.counters.is_empty());
}

#[test]
fn templates_are_bounded() {
    let deep = "/a".repeat(1000);
    assert_eq!(derived(json!({}), &deep), format!("{}/*", "/a".repeat(12)));
    assert_eq!(derived(json!({"max_segments": 32}), &"/a".repeat(32)), "/a".repeat(32));
    assert_eq!(derived(json!({"max_segments": 32}), &"/a".repeat(33)), format!("{}/*", "/a".repeat(32)));
    assert_eq!(derived(json!({"max_segments": 2}), "/a/b/c"), "/a/b/*");
    for length in [16, 17, 64, 256] {
        for path in ["/abcdefg".repeat(40), "/1".repeat(40), format!("/{}", "a-".repeat(30)).repeat(20)] {
            let template = derived(json!({"max_length": length, "max_segments": 32}), &path);
            let template = template.as_str().expect("a template");
            assert!(template.len() <= length && template.ends_with("/*"), "{length}: {template}");
        }
    }
}

#[test]
fn the_table_of_an_api_goes_first() {
    let config = json!({"apis": {
        "orders/v1": ["/orders/{id}/items", "/orders/latest", "/orders/{orderId}"],
        "orders": ["/{everything}"],
        "files/1.0.0": ["/*"],
    }});
    let mut plugin = plugin(config);
    assert_eq!(plugin.reads(), ["destination.url.path", "ApiName", "ApiVersion"]);
    let record =
        |api: &str, version: &str, path: &str| json!({"ApiName": api, "ApiVersion": version, "destination": {"url": {"path": path}}});
    let run = plugin.run(json!([
        record("orders", "v1", "/orders/abc?x=1"),
        record("Orders", "V1", "v1/orders/latest"),
        record("orders", "v1", "/orders/v1/orders/abc/items"),
        record("orders", "v2", "/abc"),
        record("orders", "v1", "/unknown/77"),
        record("files", "1.0.0", "1.0.0/a/b/c"),
        record("other", "v1", "/orders/77"),
        {"destination": {"url": {"path": "/orders/77"}}},
    ]));
    let found: Vec<&Value> = run.records.iter().map(|record| &record["resource"]).collect();
    let wanted = [
        "/orders/{orderId}",
        "/orders/latest",
        "/orders/{id}/items",
        "/{everything}",
        "/unknown/{id}",
        "/*",
        "/orders/{id}",
        "/orders/{id}",
    ];
    assert_eq!(found, wanted);
    assert_eq!((run.told.counters.get("matched"), run.told.counters.get("derived")), (Some(&5), Some(&3)));
}

#[test]
fn configuration_errors_name_the_key() {
    let error = |config: Value| harness::<Resource>(config).expect_err("an error");
    assert!(error(json!({"max_segments": 0})).starts_with("configuration key max_segments: expected 1 to 32, found 0"));
    assert!(error(json!({"max_length": 5})).starts_with("configuration key max_length: expected 16 to 1024"));
    assert!(error(json!({"apis": {"a/v1": []}})).starts_with("configuration key apis.a/v1: "));
    assert!(error(json!({"apis": {"a/v1": ["/x", "/{"]}})).starts_with("configuration key apis.a/v1[1]: expected a path template"));
    assert!(error(json!({"api": 7})).starts_with("configuration key api: invalid type"));
    assert!(error(json!({"paths": {}})).starts_with("configuration key paths: unknown field"));
}
