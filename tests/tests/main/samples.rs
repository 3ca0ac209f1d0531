//! Every folder under `samples/` does what its `expected/` says. `BLESS=1` renews the expectations.

use std::path::Path;
use tamis_tests::{harness, samples};

#[test]
fn every_sample_gives_what_it_promises() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let count = samples::run_all(&harness::tamis(), root, std::env::var_os("BLESS").is_some()).unwrap_or_else(|e| panic!("{e}"));
    assert!(count >= 7, "{count} samples ran");
}
