//! Delivery: what is under way, and what becomes of records that fail.

mod dead_letter;
mod ticket;

pub use dead_letter::{DeadLetter, Origin, Position};
pub use ticket::{Flight, Ticket};
