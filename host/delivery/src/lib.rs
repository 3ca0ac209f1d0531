//! Delivery: what is under way, what becomes of records that fail, and how far sources were read.

mod checkpoint;
mod dead_letter;
mod ticket;

pub use checkpoint::{CHECKPOINT_BYTES_MAX, CHECKPOINT_VERSION, CheckpointError, CheckpointFile, Loaded};
pub use dead_letter::{DeadLetter, Origin, Position};
pub use ticket::{Flight, Ticket};
