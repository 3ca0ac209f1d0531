//! Delivery: what is under way, what waits on disk for its sink, and what becomes of records that fail.

mod dead_letter;
pub mod disk;
#[cfg(any(test, feature = "simulation"))]
pub mod simulation;
pub mod spool;
mod ticket;

pub use dead_letter::{DeadLetter, Origin, Position};
pub use ticket::{Flight, Ticket};
