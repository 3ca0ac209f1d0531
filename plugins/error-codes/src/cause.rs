//! Causes that the outcome class does not tell: within one class they ask for different people to act.

/// The causes told apart.
pub const CAUSES: [&str; 6] = ["security", "platform", "unmatched", "retired", "timeout", "suspended"];

/// The cause that an error code names, one of [`CAUSES`]; `None` for all others.
#[inline]
#[must_use]
pub fn cause(code: i64) -> Option<&'static str> {
    match code {
        // A deny rule on a user, an address, an application or a context: counted as a limit, but no limit was reached.
        900_805 => Some("security"),
        // The key manager cannot be reached: the caller did nothing wrong.
        900_900 => Some("platform"),
        // No such resource; the first is numbered among the authentication faults.
        900_906 | 404 => Some("unmatched"),
        // The API is blocked in its life cycle.
        700_700 => Some("retired"),
        // While waiting for the answer, and while connecting. 101507 may be the first with a state added, or a cancellation.
        101_504 | 101_508 => Some("timeout"),
        303_001 => Some("suspended"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_listed_and_found() {
        let found = |name: &str| (0..1_000_000).find(|code| cause(*code) == Some(name));
        for name in CAUSES {
            assert!(found(name).is_some(), "{name}");
        }
        assert_eq!(cause(900_803), None);
        assert_eq!(cause(0), None);
    }
}
