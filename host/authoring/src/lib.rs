//! What a plugin's author needs from the host: a toolchain for guests, one build for many plugins, components that
//! import nothing but the contract, and a desk to run them at.
//!
//! Nothing here downloads or changes a toolchain: [`build::rust::toolchain::detect`] takes what is installed or says which command
//! helps. Crates that a plugin depends on come from the registry as in any build.

#![forbid(unsafe_code)]

pub mod build;
pub mod capsule;
pub mod cases;
pub mod component;
pub mod desk;
mod embedded;
mod error;
pub mod guard;
pub mod inspect;
mod language;
pub mod metadata;
pub mod sbom;
pub mod sdk;
pub mod template;

pub use build::{Built, Outcome, build};
pub use error::Error;
pub use language::Language;
