//! `beats`: the Lumberjack protocol of Filebeat and its kin.

mod frames;
pub(crate) mod source;
mod unpack;
