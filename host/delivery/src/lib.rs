//! Delivery: what is under way, up to where everything is safe, what waits on disk for its sink, and what becomes of records
//! that fail.

mod backoff;
mod checkpoint;
mod dead_letter;
pub mod disk;
mod flight;
mod ledger;
pub mod letters;
mod lock;
#[cfg(any(test, feature = "simulation"))]
pub mod simulation;
pub mod spool;

pub use backoff::Backoff;
pub use checkpoint::{CHECKPOINT_BYTES_MAX, CHECKPOINT_VERSION, CheckpointError, CheckpointFile, Loaded};
pub use dead_letter::{DeadLetter, Origin, Position, digest};
pub use flight::{Boarding, Flight, Seat, Ticket, Wake};
pub use ledger::{Balance, Ledger, Portion};
pub use lock::{FolderLock, LockError};
