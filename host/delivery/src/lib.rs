//! Delivery: what is under way, up to where everything is safe, and what becomes of records that fail.

mod backoff;
mod dead_letter;
mod flight;
mod ledger;

pub use backoff::Backoff;
pub use dead_letter::{DeadLetter, Origin, Position};
pub use flight::{Boarding, Flight, Seat, Ticket};
pub use ledger::{Balance, Ledger, Portion};
