//! The source over real folders.
#![allow(clippy::unwrap_used)]

mod checkpoints;
mod random;
mod rig;
mod rotation;
mod shapes;
