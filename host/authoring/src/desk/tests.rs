//! Real components: the reference plugins and the hostile guest (`make guests`).

use super::*;
use serde_json::json;

fn component(name: &str) -> PathBuf {
    let folder =
        std::env::var_os("TAMIS_GUESTS").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins"), PathBuf::from);
    folder.join(format!("{name}.wasm"))
}

fn configured(name: &str, config: serde_json::Value) -> Configured {
    let desk = Desk::new(Limits::default(), None).expect("a desk");
    let candidate = desk.open(&component(name)).expect("the component; `make guests` builds it");
    candidate.configure(&config.to_string()).expect("it takes the configuration")
}

fn changed(text: &str) -> Fate {
    Fate { output: None, went: Went::Changed(text.to_owned()) }
}

fn unchanged() -> Fate {
    Fate { output: None, went: Went::Unchanged }
}

#[test]
fn each_record_is_told_of() {
    let mut tenant = configured("tenant", json!({ "owners": { "cio": "corporate" } }));
    assert_eq!(tenant.signature().reads[0].path.to_string(), "ApiOwner");
    let records = [r#"{"ApiOwner":"cio"}"#, r#"{"ApiOwner":"zz", "n":1.50}"#, r#"{"ApiOwner":"#, r#"{"Api\u004fwner":"cio"}"#];
    let run = tenant.run(&records, Split::default());
    assert_eq!(run.fates.len(), 4);
    assert_eq!(run.fates[0], changed(r#"{"ApiOwner":"cio","tenant":"corporate"}"#));
    assert_eq!(run.fates[1], unchanged());
    assert!(matches!(&run.fates[2].went, Went::Failed { cause: "decode", reason } if reason.contains("not JSON")), "{:?}", run.fates[2]);
    assert!(matches!(&run.fates[3].went, Went::Changed(text) if text.contains("corporate")), "{:?}", run.fates[3]);
    assert_eq!((run.calls, run.timing.records), (1, 4));
    assert!(run.memory_bytes > 0 && tenant.init_time() > std::time::Duration::ZERO);
}

#[test]
fn counters_are_those_of_the_run() {
    let mut pattern = configured("pattern", json!({}));
    for _ in 0..2 {
        let run = pattern.run(&[r#"{"Pattern":"iwa:ntlm"}"#, r#"{"Pattern":"PASSWORD"}"#], Split::default());
        assert_eq!(run.counters.into_iter().collect::<Vec<_>>(), [("unknown_patterns".to_owned(), 1)]);
        assert_eq!(run.fates, [unchanged(), changed(r#"{"Pattern":"password"}"#)]);
    }
}

#[test]
fn a_flood_of_lines_is_heard_up_to_the_hosts_limit() {
    let mut hostile = configured("hostile", json!("log-flood"));
    let run = hostile.run(&[r#"{"message":"a"}"#], Split::default());
    assert!((1..=200).contains(&run.log.len()) && run.log_lines_dropped > 0, "{} {}", run.log.len(), run.log_lines_dropped);
    assert!(run.log.iter().all(|line| line.message.len() <= 1024 && !line.message.contains(char::is_control)));
}

#[test]
fn the_split_is_ours_to_choose() {
    let mut tenant = configured("tenant", json!({ "owners": { "cio": "corporate" } }));
    let records: Vec<String> = (0..20).map(|i| json!({ "ApiOwner": if i % 3 == 0 { "cio" } else { "x" }, "i": i }).to_string()).collect();
    let whole = tenant.run(&records, Split::default());
    let single = tenant.run(&records, Split::Rows(0));
    let sizes = tenant.run(&records, Split::Sizes(&[3, 0, 7]));
    assert_eq!((whole.calls, single.calls, sizes.calls), (1, 20, 4));
    assert_eq!(whole.fates, single.fates);
    assert_eq!(whole.fates, sizes.fates);
    assert_eq!(tenant.run::<&str>(&[], Split::default()).fates, []);
}

#[test]
fn outputs_and_drops_are_told() {
    let mut drop = configured("drop", json!({ "rules": [{ "field": "level", "equals": "debug" }] }));
    let run = drop.run(&[r#"{"level":"debug"}"#, r#"{"level":"info"}"#], Split::default());
    assert_eq!(run.fates, [Fate::dropped(), unchanged()]);
}

#[test]
fn a_refused_configuration_says_why() {
    let desk = Desk::new(Limits::default(), None).expect("a desk");
    let tenant = desk.open(&component("tenant")).expect("the component");
    let failure = tenant.configure(r#"{"owners":{"cio":7}}"#).expect_err("a number is no tenant");
    assert_eq!(failure.cause, tamis_sandbox::Cause::Reject);
    assert!(failure.reason.contains("owners.cio"), "{failure}");
}

/// A configuration of the hostile guest, and how the poisoned record ends.
#[test]
fn poison_stands_alone_whatever_it_does() {
    for (doing, cause) in [("trap", "trap"), ("loop", "deadline")] {
        let mut hostile = configured("hostile", json!(format!("{doing} poison")));
        let field = hostile.signature().reads[0].path.to_string();
        let records: Vec<String> = (0..64).map(|i| json!({ (field.clone()): if i == 9 { "poison" } else { "v" } }).to_string()).collect();
        let run = hostile.run(&records, Split::default());
        for (i, fate) in run.fates.iter().enumerate() {
            match &fate.went {
                Went::Failed { cause: found, .. } => assert_eq!((i, *found), (9, cause)),
                _ => assert_ne!(i, 9, "{fate:?}"),
            }
        }
        assert!(run.calls > 1 && run.failures.iter().sum::<u64>() > 1);
        assert!(run.memory_bytes > 0);
    }
}

#[test]
fn the_breaker_hides_nothing() {
    let mut hostile = configured("hostile", json!("trap poison"));
    let field = hostile.signature().reads[0].path.to_string();
    let records = vec![json!({ (field): "poison" }).to_string(); 100];
    let run = hostile.run(&records, Split::default());
    assert!(run.fates.iter().all(|fate| matches!(&fate.went, Went::Failed { cause: "trap", reason } if !reason.contains("breaker"))));
}

#[test]
fn what_is_no_component_is_told() {
    let desk = Desk::new(Limits::default(), None).expect("a desk");
    let error = desk.load("x", b"noise").expect_err("noise");
    assert!(error.to_string().contains("not WebAssembly"), "{error}");
    let error = desk.open(Path::new("/nowhere/x.wasm")).expect_err("no file");
    assert!(error.to_string().contains("tamis plugin build"), "{error}");
    let small = Desk::new(Limits { component_bytes_max: 100, ..Limits::default() }, None).expect("a desk");
    assert!(small.open(&component("tenant")).expect_err("too large").to_string().contains("101 bytes"));
}
