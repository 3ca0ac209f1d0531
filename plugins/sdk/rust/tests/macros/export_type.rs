//! What is exported is no plugin.
struct NoPlugin;

tamis_plugin::export!(NoPlugin);

mod batch {
    struct NoPlugin;

    tamis_plugin::export!(batch NoPlugin);
}

fn main() {}
