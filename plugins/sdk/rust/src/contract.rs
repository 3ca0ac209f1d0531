//! The contract of `wit/tamis-plugin/plugin.wit` as Rust types, generated once here and used by every plugin.
//!
//! The generated export glue is only put into a plugin when it is built for `wasm32`; the types serve natively as well.

#![allow(unsafe_code, missing_docs, unreachable_pub, unused, clippy::all, clippy::unwrap_used)]

wit_bindgen::generate!({
    path: "../../../wit/tamis-plugin",
    world: "plugin",
    pub_export_macro: true,
    export_macro_name: "export_contract",
    default_bindings_module: "tamis_plugin::contract",
    runtime_path: "::tamis_plugin::runtime",
    additional_derives: [PartialEq],
    generate_unused_types: true,
});

pub use exports::tamis::plugin::transform::Guest;
pub use tamis::plugin::types;
