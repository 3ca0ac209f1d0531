//! A gateway's fields under the names of the Elastic Common Schema.
//!
//! The table and the work are in `tamis-field-conventions`; see the README for the configuration.

pub use tamis_field_conventions::{Config, Ecs, Rename};

tamis_plugin::export!(batch Rename<Ecs>);

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tamis_plugin::testing::Harness;

    use super::*;

    #[test]
    fn the_component_is_this_convention() {
        let mut plugin = Harness::<Rename<Ecs>>::new(json!({"from": "laposte_o2"})).expect("a sound configuration");
        let run = plugin.run(json!([{"ErrorCode": 900_803}]));
        assert_eq!(run.records[0], json!({"error": {"code": 900_803}}));
    }
}
