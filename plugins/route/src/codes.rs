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

/// The table, extended by the configuration.
#[derive(Debug, Default)]
pub struct Codes {
    /// First and last code and the class's index; narrow ranges before wide ones.
    added: Vec<(i64, i64, usize)>,
}

impl Codes {
    /// Gives the codes of `range` (`900805` or `1000-1999`) the class with this index. The narrower range counts.
    ///
    /// # Errors
    /// What was expected of the range.
    pub fn add(&mut self, range: &str, class: usize) -> Result<(), String> {
        let expected = || format!("expected an error code such as 900805 or a range such as 1000-1999, found `{range}`");
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let code = |text: &str| text.trim().parse::<i64>().ok().filter(|code| *code > 0).ok_or_else(expected);
        let (first, last) = (code(first)?, code(last)?);
        if first > last {
            return Err(format!("expected the lower code first, found `{range}`"));
        }
        let place = self.added.partition_point(|(from, to, _)| to - from <= last - first);
        self.added.insert(place, (first, last, class));
        Ok(())
    }

    /// The index of the class; `None` if neither says anything.
    #[inline]
    #[must_use]
    pub fn classify(&self, code: Option<i64>, status: Option<i64>) -> Option<usize> {
        let by_code = code.filter(|code| *code > 0).and_then(|code| self.by_code(code));
        by_code.or_else(|| by_status(status?))
    }

    fn by_code(&self, code: i64) -> Option<usize> {
        let within = |first: i64, last: i64| first <= code && code <= last;
        if let Some((_, _, class)) = self.added.iter().find(|(first, last, _)| within(*first, *last)) {
            return Some(*class);
        }
        let place = BUILT_IN.partition_point(|(_, last, _)| *last < code);
        let (first, last, class) = BUILT_IN.get(place)?;
        within(*first, *last).then_some(*class as usize)
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
}
