//! Dead letters read back: what a line says, the files they lie in, and the folder from which they are run again.
//!
//! A letter's line begins with `{`. One that is taken out is overwritten with blanks where it stands, beginning with that
//! brace, so that whoever appends to the file or follows it is not disturbed. What begins with a blank is no letter.

mod file;
mod line;
mod replay;
mod seen;

pub use file::{LINE_BYTES_MAX, Line, Lines, compact, take_out};
pub use line::{Content, Damaged, Failure, Letter, Place, Whence, is_remainder};
pub use replay::{PendingFile, ReplayFolder, Staged};
pub use seen::{SEEN_BYTES_MAX, Seen, SeenWriter, Shown};
