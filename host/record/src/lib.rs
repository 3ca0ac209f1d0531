//! Batches of raw JSON records: field paths, validating scan, columns, patches and splicing.
//!
//! Knows nothing of threads, sockets or sandboxes. A [`Batch`] keeps the records as the text they came as; fields are
//! extracted in one validating pass, changes live in columns, and encoding copies the text with the changes spliced in.

mod batch;
mod check;
mod column;
mod fields;
mod kind;
mod malformed;
mod marks;
mod path;
mod read;
mod records;
mod scan;
mod splice;
mod write;

pub use batch::{Applied, Batch};
pub use check::check_json;
pub use column::{Column, DROP, KEEP, OUTPUTS_MAX, Outcome, Patch, Reject, Values, VarValues};
pub use fields::{ColumnId, FieldId, Fields, NODES_MAX, TooManyFields};
pub use kind::{Field, Kind, Signature};
pub use malformed::Malformed;
pub use path::{INDEX_MAX, PATH_BYTES_MAX, Path, PathError, Relation, SEGMENTS_MAX, Segment};
pub use read::unescape;
pub use records::{BATCH_BYTES_MAX, Fault, Records};
pub use scan::{DEPTH_MAX, DEPTH_MAX_DEFAULT};
pub use splice::Conflict;
