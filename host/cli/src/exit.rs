//! Exit codes, by kind.

/// How the command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Success,
    /// What was asked for was done, and the answer is no.
    Failure,
    /// The configuration (or the command line) is bad.
    BadConfiguration,
    /// The host could not start.
    NotStarted,
    /// Records were read and not delivered.
    Undelivered,
    /// Stopped by SIGINT.
    Interrupted,
}

impl Exit {
    /// The number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::BadConfiguration => 2,
            Exit::NotStarted => 3,
            Exit::Undelivered => 4,
            Exit::Interrupted => 130,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
