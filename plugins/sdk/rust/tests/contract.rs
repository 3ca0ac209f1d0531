//! The contract that the SDK names is the one it is generated from.

#[test]
fn the_contract_named_is_the_one_generated_from() {
    let wit = include_str!("../../../../wit/tamis-plugin/plugin.wit");
    let package = format!("package {};", tamis_plugin::CONTRACT);
    assert!(wit.lines().any(|line| line == package), "{package} is not in plugin.wit");
}
