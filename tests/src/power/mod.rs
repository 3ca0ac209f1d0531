//! Power loss, with the real binary: what a run does to its files is recorded with `strace`, replayed on the simulated disk
//! of `tamis-delivery`, and for a moment of the recording and a seed one of the states is laid out that the power may leave.
//! The host is started from it, and what it then delivers is compared with what it was given and had promised.
//!
//! [`strace`] records and reads the calls, [`replay`] takes them to the disk, [`scenario`] knows the run, [`verdict`] what
//! must hold. As with the rest of this crate, what does not work panics with what was seen.

mod hunt;
mod replay;
mod scenario;
mod strace;
mod verdict;

pub use hunt::{Crash, Hunt, Recorded};
pub use replay::{Promise, Replay};
pub use scenario::{Scenario, State};
pub use strace::{Call, Event, events, permitted};
