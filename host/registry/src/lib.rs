//! Plugins and configurations from OCI registries, and which of them a host may load.
//!
//! [`Origin`] is where a configuration comes from: files, or a [`Bundle`] of them in a registry.
//!
//! [`Client`] pushes and pulls; [`Lock`] says what tags stood for when they were locked; [`Store`] keeps what was pulled, by
//! digest; [`signature`] signs and verifies; [`Admission`] brings it together: from a configured plugin to bytes that the policy
//! allows, before anything is compiled. A reload asks it as a start does.

#![forbid(unsafe_code)]

mod admission;
mod authorization;
mod bundle;
mod client;
mod component;
mod credentials;
mod error;
mod hash;
mod lock;
mod manifest;
mod origin;
mod policy;
mod read;
pub mod signature;
mod store;
mod transport;
mod upload;

pub use admission::{Admission, Admitted, Refusal, RefusalKind};
pub use bundle::{BUNDLE_BYTES_MAX, BUNDLE_FILES_MAX, BUNDLE_TYPE, Bundle, Bundled, VERSIONS_KEPT};
pub use client::{Artifact, COMPONENT_BYTES_MAX, Client, Found, LIST_MAX, Progress, Pushed, digest_to_push};
pub use component::{ABOUT, Facts, READS_ANNOTATION, WRITES_ANNOTATION, facts};
pub use credentials::{Credentials, Keyring, PASSWORD_VARIABLE, REGISTRY_VARIABLE, USER_VARIABLE};
pub use error::Error;
pub use hash::digest_of;
pub use lock::{LOCK_FILE, Lock, Locked};
pub use manifest::{CONFIG_TYPE, Descriptor, Layer, MANIFEST_BYTES_MAX, MANIFEST_TYPE, Manifest, SIGNATURE_ANNOTATION, WASM_TYPE};
pub use origin::{Origin, STORE};
pub use policy::Policy;
pub use read::no_pipe;
pub use store::Store;
pub use transport::{ANSWER_TIMEOUT, CERTIFICATES_VARIABLE, CONNECT_TIMEOUT, PLAIN_HTTP_VARIABLE, REDIRECTS_MAX, TRANSFER_TIMEOUT};
