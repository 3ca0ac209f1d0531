//! What is no struct with named members.
use tamis_plugin::{Reads, Text, Writes};

#[derive(Reads)]
enum In {
    Status(Option<i64>),
}

#[derive(Writes)]
enum Out {
    Tenant(Text),
}

#[derive(Reads)]
struct Unnamed(Option<i64>);

fn main() {}
