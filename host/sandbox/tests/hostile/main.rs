//! Guests that misbehave. Each must be contained: the cause and the reason named, the other records delivered, the
//! instance replaced, the call ended within its deadline and 100 ms, the host's memory bounded.
//!
//! The sources of the guests are in `tests/guests` of the project.

#![allow(clippy::unwrap_used)]

mod alone;
mod guests;
mod init;
mod lies;
mod load;
mod logging;
mod process;
mod steps;
