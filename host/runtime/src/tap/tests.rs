#![allow(clippy::unwrap_used)]

use super::*;
use serde_json::{Value, json};
use std::sync::mpsc;

fn taps(hide: &[&str], steps: &[&str]) -> Arc<Taps> {
    let taps = Arc::<Taps>::default();
    run(&taps, 1, hide, steps);
    taps
}

fn run(taps: &Taps, generation: u64, hide: &[&str], steps: &[&str]) {
    let steps = BTreeMap::from([("main".to_owned(), steps.iter().map(ToString::to_string).collect())]);
    let settings = TapSettings { hide: hide.iter().map(|path| path.parse().unwrap()).collect(), rate_max: 100 };
    *taps.running.write().unwrap() = Arc::new(Running { generation, steps, settings });
}

fn request(step: Option<&str>, filter: Option<&str>) -> TapRequest {
    TapRequest { pipeline: "main".into(), step: step.map(Into::into), rate: None, filter: filter.map(Into::into) }
}

/// A viewer: what it was told.
fn open(taps: &Arc<Taps>, request: &TapRequest) -> (TapHandle, mpsc::Receiver<Value>) {
    let (send, told) = mpsc::channel();
    let handle = taps.open(request, move |event| {
        let event = serde_json::to_value(event).unwrap();
        if send.send(event).is_ok() { Told::Taken } else { Told::Gone }
    });
    (handle.unwrap(), told)
}

fn next(told: &mpsc::Receiver<Value>) -> Value {
    told.recv_timeout(Duration::from_secs(10)).unwrap()
}

fn offer(before: &str, after: &str) -> Offer {
    Offer {
        time: SystemTime::UNIX_EPOCH,
        generation: 1,
        source: "in".into(),
        before: Cut::of(before.as_bytes()),
        after: Some(Cut::of(after.as_bytes())),
        outcome: TapOutcome::Passed,
        output: None,
        by: None,
        failure: Some(("reject".into(), "because of bob".into())),
    }
}

#[test]
fn a_sample_tells_what_changed_and_nothing_that_is_hidden() {
    let taps = taps(&["mail"], &["redact"]);
    let (handle, told) = open(&taps, &request(Some("redact"), None));
    let tapping = next(&told);
    assert_eq!((&tapping["event"], &tapping["rate"], &tapping["hidden"]), (&json!("tapping"), &json!(10), &json!(["mail"])));
    handle.tap.offer(offer(r#"{"mail":"bob","n":1}"#, r#"{"mail":"-","n":2}"#));
    let sample = next(&told);
    assert_eq!(sample["before"], json!({"mail": "[hidden]", "n": 1}));
    assert_eq!(sample["after"], json!({"mail": "[hidden]", "n": 2}));
    assert_eq!(sample["changed"], json!(["mail", "n"]));
    assert_eq!((&sample["cause"], &sample["reason"]), (&json!("reject"), &json!("[hidden]")));
    assert_eq!(sample["time"], "1970-01-01T00:00:00.000Z");
    assert!(!sample.to_string().contains("bob"));
}

#[test]
fn a_filter_does_not_see_what_is_hidden() {
    let taps = taps(&["mail"], &[]);
    let (handle, told) = open(&taps, &request(None, Some(r#".mail == "bob" || .n == 2"#)));
    next(&told);
    handle.tap.offer(offer(r#"{"mail":"bob","n":1}"#, "{}"));
    handle.tap.offer(offer(r#"{"mail":"eve","n":2}"#, "{}"));
    assert_eq!(next(&told)["before"]["n"], 2);
}

#[test]
fn a_filter_that_fails_is_told() {
    let taps = taps(&[], &[]);
    let (handle, told) = open(&taps, &request(None, Some(".status >= 500")));
    next(&told);
    handle.tap.offer(offer("{}", "{}"));
    let lost = next(&told);
    assert_eq!((&lost["event"], &lost["filter"]), (&json!("dropped"), &json!(1)), "{lost}");
    assert!(lost["filter_error"].is_string());
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let taps = taps(&[], &["redact"]);
    let refused = |request: &TapRequest| taps.open(request, |_| Told::Taken).unwrap_err();
    let other = TapRequest { pipeline: "other".into(), ..TapRequest::default() };
    assert!(matches!(refused(&other), TapError::NoPipeline { known, .. } if known == ["main"]));
    assert!(matches!(refused(&request(Some("x"), None)), TapError::NoStep { known, .. } if known == ["redact"]));
    assert!(matches!(refused(&request(None, Some(".a ="))), TapError::Filter(message) if message.contains("1:")));
    for rate in [0, 101] {
        assert!(matches!(refused(&TapRequest { rate: Some(rate), ..request(None, None) }), TapError::Rate { max: 100, .. }));
    }
}

#[test]
fn there_are_so_many_and_a_handle_that_goes_makes_room() {
    let taps = taps(&[], &[]);
    let mut handles: Vec<TapHandle> = (0..TAPS_MAX).map(|_| open(&taps, &request(None, None)).0).collect();
    assert!(matches!(taps.open(&request(None, None), |_| Told::Taken), Err(TapError::TooMany)));
    handles.pop();
    assert!(taps.open(&request(None, None), |_| Told::Taken).is_ok());
    drop(handles);
    assert_eq!(taps.count.load(Ordering::Relaxed), 0);
    assert!(taps.observer(1, &"in".into()).is_none());
}

#[test]
fn a_tap_waits_for_a_step_that_went() {
    let taps = taps(&[], &["redact"]);
    let (_handle, told) = open(&taps, &request(Some("redact"), None));
    assert_eq!(next(&told)["generation"], 1);
    run(&taps, 2, &[], &["other"]);
    let waiting = next(&told);
    assert_eq!((&waiting["event"], &waiting["generation"]), (&json!("waiting"), &json!(2)));
    run(&taps, 3, &["a"], &["redact"]);
    let tapping = next(&told);
    assert_eq!((&tapping["event"], &tapping["hidden"]), (&json!("tapping"), &json!(["a"])));
}

#[test]
fn the_end_of_the_host_is_told() {
    let taps = taps(&[], &[]);
    let (handle, told) = open(&taps, &request(None, None));
    next(&told);
    let closing = std::thread::spawn({
        let taps = Arc::clone(&taps);
        move || taps.close()
    });
    assert_eq!(next(&told)["event"], "end");
    drop(handle);
    closing.join().unwrap();
    assert!(matches!(taps.open(&request(None, None), |_| Told::Taken), Err(TapError::Stopping)));
}

#[test]
fn nobody_waits_for_a_viewer_that_is_behind() {
    let taps = taps(&[], &[]);
    let handle = taps.open(&request(None, None), |_| Told::Full).unwrap();
    let began = Instant::now();
    for _ in 0..100_000 {
        handle.tap.offer(offer("{}", "{}"));
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn picks_are_spread_over_a_frame_and_ascend() {
    let taps = taps(&[], &[]);
    let (handle, _told) = open(&taps, &TapRequest { rate: Some(100), ..request(None, None) });
    let picked = handle.tap.pick(1_024, |_| 10);
    assert_eq!(picked.len(), PICKS_MAX as usize);
    assert!(picked.is_sorted() && picked.last().is_some_and(|last| (960..1_024).contains(last)), "{picked:?}");
    assert_eq!(handle.tap.pick(3, |_| 10), [0, 1, 2]);
    assert!(handle.tap.pick(0, |_| 10).is_empty());
}
