use serde_json::{Value as Json, json};
use tamis_plugin::testing::Harness;

use super::*;
use crate::{Ecs, Field, Otel};

fn renamed<C: Convention>(config: Json, record: Json) -> Json {
    let mut plugin = Harness::<Rename<C>>::new(config).expect("a sound configuration");
    plugin.run(json!([record])).records.remove(0)
}

fn fault() -> Json {
    json!({
        "apiName": "SampleAPI", "proxyResponseCode": 429, "errorType": "THROTTLED", "errorCode": 900_803, "apiCreatorTenantDomain": "carbon.super",
        "apiVersion": "1.0.0", "gatewayType": "SYNAPSE", "apiCreator": "admin", "responseCacheHit": false,
        "correlationId": "ccf2196f-9db8-429b-aaae-98f4c6edf6d7", "keyType": "PRODUCTION", "applicationName": "SampleApp3",
        "targetResponseCode": -1, "requestTimestamp": "2022-02-01T04:18:48.023Z", "errorMessage": "APPLICATION_LEVEL_LIMIT_EXCEEDED",
        "regionId": "default", "userIp": "194.51.3.7", "destination": "https://backend.example:8243/v1", "responseLatency": 12,
        "properties": {"responseSize": 512}, "unknown": {"stays": true},
    })
}

#[test]
fn metrics_become_ecs() {
    let found = renamed::<Ecs>(json!({"from": "wso2_metrics"}), fault());
    let wanted = json!({
        "@timestamp": "2022-02-01T04:18:48.023Z",
        "service": {"name": "SampleAPI", "version": "1.0.0", "environment": "PRODUCTION"},
        "labels": {"api_owner": "admin", "application_name": "SampleApp3", "target_status": -1, "cache_hit": false},
        "organization": {"id": "carbon.super"},
        "http": {"request": {"id": "ccf2196f-9db8-429b-aaae-98f4c6edf6d7"}, "response": {"status_code": 429, "body": {"bytes": 512}}},
        "event": {"outcome": "failure", "reason": "THROTTLED", "duration": 12_000_000},
        "error": {"code": 900_803, "message": "APPLICATION_LEVEL_LIMIT_EXCEEDED"},
        "trace": {"id": "ccf2196f9db8429baaae98f4c6edf6d7"},
        "source": {"ip": "194.51.3.7"}, "related": {"ip": ["194.51.3.7"]},
        "url": {"full": "https://backend.example:8243/v1"}, "destination": {"domain": "backend.example"},
        "cloud": {"region": "default"}, "observer": {"product": "SYNAPSE"},
        "properties": {}, "unknown": {"stays": true},
    });
    assert_eq!(found, wanted);
}

#[test]
fn metrics_become_otel_with_flat_names() {
    let found = renamed::<Otel>(json!({"from": "wso2_metrics", "flat": true, "except": ["regionId"]}), fault());
    for (name, value) in [
        ("Timestamp", json!("2022-02-01T04:18:48.023Z")),
        ("TraceId", json!("ccf2196f9db8429baaae98f4c6edf6d7")),
        ("wso2.correlation.id", json!("ccf2196f-9db8-429b-aaae-98f4c6edf6d7")),
        ("http.response.status_code", json!(429)),
        ("error.type", json!("THROTTLED")),
        ("wso2.error.code", json!(900_803)),
        ("server.address", json!("backend.example")),
        ("deployment.environment.name", json!("PRODUCTION")),
        ("client.address", json!("194.51.3.7")),
        ("regionId", json!("default")),
    ] {
        assert_eq!(found[name], value, "{name}");
    }
    assert_eq!(found.get("apiName"), None);
}

#[test]
fn the_enriched_record_is_renamed() {
    let record = json!({
        "app_datetime": "2025-03-03T11:42:07.381+01:00", "APIM-O2-ApplicationName": "SACC_1", "APIMStatus": "OK", "ApiOwner": "cio", "AppliOwner": "S7_",
        "SourceAppel": "10.155.12.146", "Origine": "gw", "CORRELATION_ID": "urn:uuid:e93288b1-99ba-477c-b7f2-1dadde01ec79", "ApiName": "s2s",
        "ApiVersion": "v1", "destination": {"name": "s2s", "url": {"path": "v1/predict"}, "http": {"method": "POST"}}, "HTTP_ReturnCode": "200",
        "CallsInternet": "NO", "Pattern": "client_credentials", "app_level": "WARN", "labels": {"shared": {"Application": {"code": ["cio", "s7_"]}}},
    });
    let ecs = renamed::<Ecs>(json!({"from": "laposte_o2"}), record.clone());
    assert_eq!(ecs["event"], json!({"outcome": "success"}));
    assert_eq!(ecs["labels"]["shared_application_code"], json!(["cio", "s7_"]));
    assert_eq!(ecs["labels"]["application_name"], "SACC_1");
    assert_eq!(ecs["http"]["response"]["status_code"], "200");
    assert_eq!((&ecs["host"]["name"], &ecs["observer"]["hostname"]), (&json!("gw"), &json!("gw")));
    assert_eq!(ecs["destination"], json!({"url": {}, "http": {}}));
    let otel = renamed::<Otel>(json!({"from": "laposte_o2"}), record);
    assert_eq!((&otel["SeverityText"], &otel["SeverityNumber"]), (&json!("WARN"), &json!(13)));
    assert_eq!(otel["service"], json!({"name": "s2s", "version": "v1"}));
    assert_eq!(otel.get("error"), None);
    assert_eq!(otel["wso2"]["auth"]["pattern"], "client_credentials");
}

#[test]
fn old_names_may_stay_and_names_be_added() {
    let config = json!({"from": "wso2_metrics", "keep": true, "also": {"unknown.stays": "labels.stays"}});
    let found = renamed::<Ecs>(config, fault());
    assert_eq!((&found["apiName"], &found["service"]["name"]), (&json!("SampleAPI"), &json!("SampleAPI")));
    assert_eq!((&found["unknown"]["stays"], &found["labels"]["stays"]), (&json!(true), &json!(true)));
    // The text `destination` stays, so nothing can stand below it.
    assert_eq!(found["destination"], "https://backend.example:8243/v1");
    let prefixed = renamed::<Ecs>(json!({"from": "laposte_o2", "prefix": "o2_"}), json!({"o2_ApiName": "x", "ApiName": "y"}));
    assert_eq!(prefixed, json!({"ApiName": "y", "service": {"name": "x"}}));
}

#[test]
fn values_keep_their_rows() {
    let mut plugin = Harness::<Rename<Ecs>>::new(json!({"from": "laposte_o2"})).expect("a sound configuration");
    let run = plugin.run(
        json!([{"ApiName": "a"}, {"destination": {"name": "b"}}, {}, {"ApiName": null, "HTTP_ReturnCode": 503}, {"ApiName": {"x": [1]}}]),
    );
    let names: Vec<&Json> = run.records.iter().map(|record| &record["service"]["name"]).collect();
    assert_eq!(names, [&json!("a"), &json!("b"), &json!(null), &json!(null), &json!({"x": [1]})]);
    assert_eq!(run.records[3]["event"]["outcome"], "failure");
    assert_eq!(run.records[2], json!({}));
}

#[test]
fn no_name_is_given_twice_and_every_field_has_one() {
    for rules in [Ecs::rules(), Otel::rules()] {
        for (place, rule) in rules.iter().enumerate() {
            assert!(!rules[..place].iter().any(|other| other.to == rule.to), "{}", rule.to);
        }
        for field in Field::ALL {
            assert!(rules.iter().any(|rule| rule.field == *field), "{field:?}");
        }
    }
}

#[test]
fn configuration_errors_name_the_key() {
    let error = |config: Json| Harness::<Rename<Ecs>>::new(config).expect_err("an error");
    assert_eq!(error(json!({})), "configuration: missing field `from`");
    assert!(
        error(json!({"from": "wso2"}))
            .starts_with("configuration key from: unknown variant `wso2`, expected `wso2_metrics` or `laposte_o2`")
    );
    assert!(error(json!({"from": "wso2_metrics", "except": ["apiname"]})).starts_with("configuration key except[0]: "));
    assert!(error(json!({"from": "wso2_metrics", "also": {"x": "service.name"}})).starts_with("configuration key also.x: `service.name`"));
    assert!(error(json!({"from": "wso2_metrics", "also": {"x": ""}})).starts_with("configuration key also.x: expected"));
    assert!(error(json!({"from": "wso2_metrics", "also": {"x": "apiName"}})).starts_with("configuration key also: `apiName`"));
    assert!(error(json!({"from": "wso2_metrics", "to": "ecs"})).starts_with("configuration key to: unknown field"));
}
