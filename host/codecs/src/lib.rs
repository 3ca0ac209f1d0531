//! From bytes to records: framing of streams into lines, and the codecs that make a record of each.

mod decode;
mod frame;
mod join;
mod lines;

pub use decode::Codec;
pub use frame::{Frame, Rejected};
pub use join::{Begin, Join, JoinOptions};
pub use lines::{Lines, LinesOptions};
