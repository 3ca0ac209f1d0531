//! Order: lanes finish frames in any order; what they made is handed to the sinks in the order of the source.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Puts results of numbered frames in order. Numbers begin at 0 and have no gaps.
#[derive(Debug)]
pub(crate) struct Sequence<T> {
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    next: u64,
    ready: BTreeMap<u64, T>,
    handing_over: bool,
}

impl<T> Default for Sequence<T> {
    fn default() -> Self {
        Self { state: Mutex::new(State { next: 0, ready: BTreeMap::new(), handing_over: false }) }
    }
}

impl<T> Sequence<T> {
    /// Adds frame `number`'s result and hands over all whose turn it is. One thread hands over at a time; another one
    /// leaves its result and goes on. How many can wait is bounded by the frames under way.
    pub(crate) fn submit(&self, number: u64, result: T, mut hand_over: impl FnMut(T)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.ready.insert(number, result);
        if state.handing_over {
            return;
        }
        state.handing_over = true;
        loop {
            let next = state.next;
            let Some(result) = state.ready.remove(&next) else { break };
            state.next += 1;
            drop(state);
            hand_over(result);
            state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        }
        state.handing_over = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_order_in_one_order_out() {
        let sequence = Sequence::default();
        let mut out = Vec::new();
        for number in [3, 1, 0, 2, 5, 4] {
            sequence.submit(number, number, |n| out.push(n));
        }
        assert_eq!(out, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn threads_keep_the_order() {
        let sequence = Sequence::default();
        let out = Mutex::new(Vec::new());
        let next = std::sync::atomic::AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        if number >= 10_000 {
                            break;
                        }
                        sequence.submit(number, number, |n| out.lock().unwrap_or_else(PoisonError::into_inner).push(n));
                    }
                });
            }
        });
        let out = out.into_inner().unwrap_or_default();
        assert!(out.len() == 10_000 && out.windows(2).all(|w| w[0] + 1 == w[1]));
    }
}
