//! JSON text: a strict reader that walks it token by token without building anything, and the redaction of whole records
//! on top.

pub mod pairs;
pub mod reader;
pub mod record;
