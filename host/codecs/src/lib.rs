//! From bytes to records: framing of streams into lines, and the decoders that make a record of each.

mod decode;
mod frame;
mod join;
mod lines;

pub use decode::Decoder;
pub use frame::{Frame, Rejected};
pub use join::{Begin, Join, JoinOptions};
pub use lines::{Lines, LinesOptions};
