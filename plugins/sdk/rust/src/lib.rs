//! Write Tamis plugins in Rust.
//!
//! A plugin is a struct of the fields it reads ([`Reads`]), a struct of those it writes ([`Writes`]) and a function from one
//! to the other that ends in a [`Verdict`]: see [`Plugin`]. What crosses the sandbox's boundary are columns; this crate turns
//! them into rows and back and allocates nothing for a record. A plugin that wants the columns themselves, or whose fields
//! follow from its configuration, implements [`BatchPlugin`]. [`export!`] makes either the component's entry point, and
//! [`testing`] runs it natively on JSON records.

mod append;
pub mod batch;
mod caseless;
pub mod config;
pub mod contract;
mod host;
mod plugin;
mod read;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod write;

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod guest;

// The derives and the generated contract name this crate from within it too.
extern crate self as tamis_plugin;

#[doc(hidden)]
pub use wit_bindgen::rt as runtime;

pub use batch::{Batch, BatchPlugin, Column, Values, VarValues};
pub use caseless::CaselessMap;
pub use config::NoConfig;
pub use contract::types::{Field, Kind, Outcome, Patch, Reject, Signature};
pub use host::{log, metrics};
pub use plugin::{DROP, OUTPUTS_MAX, Plugin, Records, Verdict};
pub use read::{Json, ReadField, Reads, Source};
pub use tamis_plugin_derive::{Reads, Writes};
pub use write::{Boolean, Buffer, Float, Integer, JsonText, Text, WriteField, Writes, Written};

/// Makes a plugin the component's entry point: `export!(MyPlugin);` for a [`Plugin`], `export!(batch MyPlugin);` for a
/// [`BatchPlugin`]. Built natively it does nothing, so the crate stays an ordinary library.
#[macro_export]
macro_rules! export {
    (batch $plugin:ty) => {
        // Natively too, so that a type that is no plugin is told by `cargo test` and the editor.
        const _: () = $crate::expect_plugin::<$plugin>();

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            ::std::thread_local! {
                static INSTANCE: $crate::guest::Instance<$plugin> = const { $crate::guest::Instance::new() };
            }

            struct Component;

            impl $crate::contract::Guest for Component {
                fn init(
                    config: ::std::string::String,
                ) -> ::core::result::Result<$crate::Signature, ::std::string::String> {
                    INSTANCE.with(|instance| instance.init(&config))
                }

                fn process(
                    input: $crate::contract::types::Batch,
                ) -> ::core::result::Result<$crate::Outcome, ::std::string::String> {
                    INSTANCE.with(|instance| instance.process(&input))
                }
            }

            $crate::contract::export_contract!(Component with_types_in $crate::contract);
        };
    };
    ($plugin:ty) => {
        $crate::export!(batch $crate::Records<$plugin>);
    };
    ($($other:tt)*) => {
        ::core::compile_error!("expected one plugin: export!(MyPlugin), or export!(batch MyPlugin) for a BatchPlugin");
    };
}

/// Compiles for plugins only.
#[doc(hidden)]
pub const fn expect_plugin<P: BatchPlugin>() {}

/// The version of the SDK.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The contract that a plugin built with this SDK speaks: the package of `plugin.wit`.
pub const CONTRACT: &str = "tamis:plugin@0.1.0";

/// Compiles the README's examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
