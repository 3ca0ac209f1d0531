//! Whether a failure came again.

use serde::Serialize;
use tamis_sandbox::{Cause, Failure};

use super::Recorded;

/// What stands before the reason of a record that the plugin was not called for.
const BREAKER: &str = "breaker open after ";

/// What a replay says of the failure that was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It failed as it did then.
    Reproduced,
    /// It failed, and not as it did then.
    FailsOtherwise,
    /// It did not fail.
    Passes,
}

impl Verdict {
    /// The cause must be the same, and the reason where it does not tell of time or memory, which a fresh instance has more of. A
    /// reason that was kept shorter, or with something taken out, counts by its cause.
    pub fn of(recorded: &Recorded, found: Option<&Failure>) -> Self {
        let Some(found) = found else { return Self::Passes };
        let by_cause = matches!(found.cause, Cause::Deadline | Cause::Memory)
            || recorded.reason.starts_with(BREAKER)
            || recorded.reason.ends_with('…')
            || recorded.reason.contains(tamis_config::FILLED_INSTEAD);
        if recorded.cause == found.cause.name() && (by_cause || recorded.reason == *found.reason) {
            Self::Reproduced
        } else {
            Self::FailsOtherwise
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced: it fails as it did then",
            Self::FailsOtherwise => "not reproduced: it fails in another way",
            Self::Passes => "not reproduced: it does not fail",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_failure_is_known() {
        let recorded = |cause: &str, reason: &str| Recorded {
            pipeline: "main".into(),
            step: "s".into(),
            cause: cause.into(),
            reason: reason.into(),
            time: String::new(),
        };
        let found = |cause, reason: &str| Failure::new(cause, reason);
        for (recorded, found, verdict) in [
            (recorded("trap", "unreachable in f"), Some(found(Cause::Trap, "unreachable in f")), Verdict::Reproduced),
            (recorded("trap", "unreachable in f"), Some(found(Cause::Trap, "unreachable in g")), Verdict::FailsOtherwise),
            (recorded("trap", "unreachable in f"), Some(found(Cause::Reject, "unreachable in f")), Verdict::FailsOtherwise),
            (recorded("deadline", "within 100 ms"), Some(found(Cause::Deadline, "within 7 units")), Verdict::Reproduced),
            (recorded("trap", "breaker open after 16 failures: last: x"), Some(found(Cause::Trap, "y")), Verdict::Reproduced),
            (recorded("reject", "no"), None, Verdict::Passes),
        ] {
            assert_eq!(Verdict::of(&recorded, found.as_ref()), verdict, "{recorded:?}");
        }
    }
}
