//! What the gateway's error codes and an answer's status say about a call: its [outcome class](codes), and for a few codes
//! the [cause] that an operator wants to see apart. Shared by the plugins that classify.

pub mod cause;
pub mod codes;
pub mod table;

pub use cause::cause;
pub use codes::{CLASSES, Class, Codes};
pub use table::{RANGES_MAX, Table};
