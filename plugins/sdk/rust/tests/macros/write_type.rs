//! A member that is no writer.
use tamis_plugin::Writes;

#[derive(Writes)]
struct Out {
    tenant: String,
    slow: Option<bool>,
}

fn main() {}
