//! One plugin is exported, by its type.
struct A;
struct B;

tamis_plugin::export!();

tamis_plugin::export!(A, B);

tamis_plugin::export!(batch);

fn main() {}
