//! A type that no field can have.
use tamis_plugin::Reads;

#[derive(Reads)]
struct In {
    latency: i64,
    names: Option<Vec<String>>,
}

fn main() {}
