//! Two members that are one field.
use tamis_plugin::{Integer, Reads, Text, Writes};

#[derive(Reads)]
struct In<'a> {
    status: Option<i64>,
    #[field("status")]
    status_text: Option<&'a str>,
}

#[derive(Writes)]
struct Out {
    #[field("a.b")]
    first: Text,
    #[field(".a.b")]
    second: Integer,
}

#[derive(Writes)]
struct Attributes {
    #[field("a")]
    #[field("b")]
    first: Text,
}

fn main() {}
