//! Texts that are no paths.
use tamis_plugin::Reads;

#[derive(Reads)]
struct Twice {
    #[field("a..b")]
    a: Option<i64>,
}

#[derive(Reads)]
struct Blank {
    #[field("response time")]
    a: Option<i64>,
}

#[derive(Reads)]
struct Index {
    #[field("tags[first]")]
    a: Option<i64>,
}

#[derive(Reads)]
struct Empty {
    #[field("")]
    a: Option<i64>,
}

#[derive(Reads)]
struct NoText {
    #[field(path = "a")]
    a: Option<i64>,
}

fn main() {}
