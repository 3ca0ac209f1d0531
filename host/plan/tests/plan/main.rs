//! Plans without WebAssembly: plugins and programs are answered from what the cases themselves say (see `declared`).

mod cure;
mod declared;
mod golden;
mod limits;
mod pictures;
mod places;
