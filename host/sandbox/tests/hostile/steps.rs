//! A plugin that fails all the time, and one that does not start any more.

use crate::guests::{delivered, hostile, step, texts, within};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tamis_sandbox::{Cause, FAILURES_MAX, Signature, Step};

/// A clock that a test turns.
fn clock() -> (Arc<AtomicU64>, tamis_sandbox::Clock) {
    let seconds = Arc::new(AtomicU64::new(0));
    let (start, own) = (Instant::now(), Arc::clone(&seconds));
    (seconds, Arc::new(move || start + Duration::from_secs(own.load(Ordering::Relaxed))))
}

#[test]
fn an_endless_loop_on_every_record_opens_the_breaker() {
    let (seconds, clock) = clock();
    let signature = Arc::new(hostile().signature("\"loop poison\"").unwrap());
    let mut step = Step::with_clock(hostile().clone(), "\"loop poison\"", signature, clock);
    let all: Vec<u32> = (0..1024).collect();
    let poison = texts(1024, &all);

    let result = step.process(1024, &[&poison]);
    assert_eq!((result.calls, result.poisoned.len(), result.breaker_open), (u64::from(FAILURES_MAX), 1024, true));
    within(&result, Duration::from_millis(100 + 50 + 25 + 13 * 20));
    assert_eq!(&*result.poisoned[0].1.reason, "the call did not end within 20 ms");
    assert_eq!(&*result.poisoned[1023].1.reason, "breaker open after 16 failures: last: the call did not end within 20 ms");
    assert_eq!(result.poisoned[1023].1.cause, Cause::Deadline);

    let result = step.process(1024, &[&texts(1024, &[])]);
    assert_eq!((result.calls, result.poisoned.len()), (0, 1024));

    seconds.store(5, Ordering::Relaxed);
    let result = step.process(1024, &[&texts(1024, &[])]);
    assert_eq!((result.calls, result.poisoned.len(), result.breaker_open), (1, 0, false));
    assert_eq!(delivered(&result, 1024).len(), 1024);
}

#[test]
fn one_poison_record_in_1024_does_not_open_it() {
    for row in [0, 511, 1023] {
        let mut step = step(hostile(), "trap poison");
        for _ in 0..3 {
            let result = step.process(1024, &[&texts(1024, &[row])]);
            assert_eq!((result.poisoned.len(), result.calls, result.breaker_open), (1, 21, false));
        }
    }
}

#[test]
fn a_plugin_that_does_not_start_any_more_is_not_tried_for_each_record() {
    let planned = Arc::new(Signature { drops: false, ..hostile().signature("\"none\"").unwrap() });
    let mut step = Step::new(hostile().clone(), "\"none\"", planned);
    assert!(step.warm().is_err());
    let result = step.process(100, &[&texts(100, &[])]);
    assert_eq!((result.calls, result.poisoned.len(), result.instances, result.breaker_open), (0, 100, 1, true));
    assert_eq!(result.failures[Cause::Contract.index()], 1);
}

#[test]
fn lanes_do_not_disturb_each_other() {
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for lane in 0..4 {
            let failed = &failed;
            scope.spawn(move || {
                let mut step = step(hostile(), if lane == 0 { "loop poison" } else { "none" });
                let poison = if lane == 0 { vec![9] } else { vec![] };
                for _ in 0..3 {
                    let result = step.process(32, &[&texts(32, &poison)]);
                    if result.poisoned.len() != poison.len() {
                        failed.lock().unwrap().push((lane, result));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn an_empty_batch_and_a_wrong_one() {
    let mut step = step(hostile(), "none");
    let result = step.process(0, &[&texts(0, &[])]);
    assert_eq!((result.calls, result.poisoned.len()), (0, 0));
    let result = step.process(2, &[]);
    assert_eq!(result.poisoned.len(), 2);
    assert!(result.poisoned[0].1.reason.contains("the host must give 1 columns"));
}
