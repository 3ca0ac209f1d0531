//! Borrowed text needs the lifetime of the batch, and only that.
use tamis_plugin::{Reads, Text, Writes};

#[derive(Reads)]
struct Missing {
    method: Option<&str>,
}

#[derive(Reads)]
struct Two<'a, 'b> {
    method: Option<&'a str>,
    path: Option<&'b str>,
}

#[derive(Writes)]
struct Out<'a> {
    tenant: Text,
    other: &'a Text,
}

fn main() {}
