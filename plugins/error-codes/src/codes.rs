//! Outcome classes by the gateway's error code and the status answered.
//!
//! The codes are those that WSO2 API Manager documents for its gateway; which of them belong together follows its analytics
//! (a fault of 900800–900899 is throttling, 900900–900999 authentication, 101500–101599 and 303001 the target), with the
//! single codes in these ranges that mean something else set apart.

/// The classes, in the order of [`Class`]'s values.
pub const CLASSES: [&str; 5] = ["success", "throttle", "error.auth", "error.backend", "error.client"];

/// The built-in classes, as indexes into [`CLASSES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// Answered as asked.
    Success,
    /// Refused by a limit or a deny rule.
    Throttle,
    /// The caller's identity or rights were not accepted.
    Auth,
    /// The service behind the gateway failed, or could not be reached.
    Backend,
    /// The request could not be answered as it was.
    Client,
}

/// First and last code of a range and its class; ascending, without overlap.
const BUILT_IN: [(i64, i64, Class); 11] = [
    // No such resource, method not allowed: the gateway gives the status for a code.
    (404, 405, Class::Client),
    // The caller's connection broke while its request was read.
    (101_000, 101_001, Class::Client),
    // The target's connection. A code may have the connection's state added (101504 + 3 = 101507), so single codes tell
    // little and the range everything.
    (101_500, 101_599, Class::Backend),
    // The payload is incomplete.
    (102_511, 102_511, Class::Client),
    // The endpoint is suspended.
    (303_001, 303_001, Class::Backend),
    // The API is blocked: retired, most often.
    (700_700, 700_700, Class::Client),
    // Invalid GraphQL.
    (900_422, 900_422, Class::Client),
    // Limits. 900801 answers 503, so the status must not decide; 900805 is a deny rule.
    (900_800, 900_899, Class::Throttle),
    (900_900, 900_905, Class::Auth),
    // No such resource, although numbered among the authentication faults.
    (900_906, 900_906, Class::Client),
    (900_907, 900_999, Class::Auth),
];

/// Error codes and the class of each: ranges that ascend without overlap, so that a code is found by bisection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codes {
    /// First and last code and the class's index.
    ranges: Vec<Range>,
}

/// First and last code of a range and the index of its class.
pub type Range = (i64, i64, usize);

/// The built-in table.
impl Default for Codes {
    fn default() -> Self {
        Self { ranges: BUILT_IN.iter().map(|&(first, last, class)| (first, last, class as usize)).collect() }
    }
}

impl Codes {
    /// No codes: everything is classified by its status.
    #[must_use]
    pub fn none() -> Self {
        Self { ranges: Vec::new() }
    }

    /// These codes with `added` laid over them. Of two added ranges that overlap the narrower one counts, of two equal ones
    /// the later one.
    #[must_use]
    pub fn with(mut self, mut added: Vec<Range>) -> Self {
        added.sort_by_key(|(first, last, _)| std::cmp::Reverse(last - first));
        for range in added {
            self.lay(range);
        }
        self
    }

    /// Puts one range over those that are there, which keep what it does not cover.
    fn lay(&mut self, (first, last, class): Range) {
        let from = self.ranges.partition_point(|(_, end, _)| *end < first);
        let to = self.ranges.partition_point(|(start, ..)| *start <= last);
        let covered = self.ranges.get(from..to).unwrap_or_default();
        let before = covered.first().filter(|(start, ..)| *start < first).map(|(start, _, class)| (*start, first - 1, *class));
        let after = covered.last().filter(|(_, end, _)| *end > last).map(|(_, end, class)| (last + 1, *end, *class));
        self.ranges.splice(from..to.max(from), before.into_iter().chain([(first, last, class)]).chain(after));
    }

    /// The index of the class; `None` if neither code nor status says anything. A code of 0 or below is none.
    #[inline]
    #[must_use]
    pub fn classify(&self, code: Option<i64>, status: Option<i64>) -> Option<usize> {
        let by_code = code.filter(|code| *code > 0).and_then(|code| self.by_code(code));
        by_code.or_else(|| by_status(status?))
    }

    fn by_code(&self, code: i64) -> Option<usize> {
        let place = self.ranges.partition_point(|(_, last, _)| *last < code);
        let (first, last, class) = self.ranges.get(place)?;
        (*first <= code && code <= *last).then_some(*class)
    }
}

#[inline]
fn by_status(status: i64) -> Option<usize> {
    match status {
        // -1 and 0 are what gateways log where there was no answer.
        ..100 => None,
        400..500 => Some(Class::Client as usize),
        500.. => Some(Class::Backend as usize),
        _ => Some(Class::Success as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_ascends_without_overlap() {
        assert!(BUILT_IN.iter().all(|(first, last, _)| first <= last));
        assert!(BUILT_IN.is_sorted_by(|(_, last, _), (first, _, _)| last < first));
    }

    #[test]
    fn class_names_stand_at_their_index() {
        for (class, name) in [
            (Class::Success, "success"),
            (Class::Throttle, "throttle"),
            (Class::Auth, "error.auth"),
            (Class::Backend, "error.backend"),
            (Class::Client, "error.client"),
        ] {
            assert_eq!(CLASSES.get(class as usize), Some(&name));
        }
    }

    #[test]
    fn narrower_ranges_lie_over_wider_ones() {
        let codes = Codes::none().with(vec![(15, 15, 3), (10, 20, 1), (12, 17, 2), (18, 30, 4), (40, 40, 5), (40, 40, 6)]);
        assert_eq!(codes.ranges, [(10, 11, 1), (12, 14, 2), (15, 15, 3), (16, 17, 2), (18, 20, 1), (21, 30, 4), (40, 40, 6)]);
        for (code, class) in [(9, None), (10, Some(1)), (15, Some(3)), (17, Some(2)), (30, Some(4)), (31, None), (40, Some(6)), (41, None)]
        {
            assert_eq!(codes.classify(Some(code), None), class, "{code}");
        }
    }

    #[test]
    fn laying_is_the_same_as_asking_each_range_in_turn() {
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((seed >> 33) % below) as i64
        };
        for _ in 0..200 {
            let mut added = Vec::new();
            for class in 0..random(12) as usize {
                let first = 1 + random(40);
                added.push((first, first + random(15), class));
            }
            let codes = Codes::none().with(added.clone());
            for code in 1..60 {
                let within = added.iter().filter(|(first, last, _)| (*first..=*last).contains(&code));
                let wanted = within.rev().min_by_key(|(first, last, _)| last - first).map(|(.., class)| *class);
                assert_eq!(codes.classify(Some(code), None), wanted, "{code} in {added:?}");
            }
        }
    }

    #[test]
    fn a_range_beyond_all_others_is_appended() {
        let codes = Codes::default().with(vec![(1_000_000, i64::MAX, 4)]);
        assert_eq!(codes.classify(Some(i64::MAX), None), Some(4));
        assert_eq!(codes.classify(Some(900_803), None), Some(Class::Throttle as usize));
    }
}
