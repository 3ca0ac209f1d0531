//! Native steps: `vrl` rewrites records, `filter` drops them, `route` sends them to named outputs. All three run
//! [VRL](https://vrl.dev), compiled and type-checked when the plan is made.
//!
//! To the engine a native step looks like a plugin: a [`Signature`](tamis_record::Signature) that says which fields it is shown and may
//! write, and [`StepInstance::process`] from columns to an [`Outcome`](tamis_record::Outcome). A program is shown only
//! the fields it names, so cost follows them and not the size of the record.
//!
//! Where this differs from VRL elsewhere, and why:
//! - A field that is `null` is not shown to any step, so `exists(.a)` is false for it. `.a` itself gives `null` as ever.
//! - One record in, at most one out: a program that makes `.` an array or anything but an object is answered with a reject.
//! - There is no metadata (`%…`) and no secret, and some functions are missing: see [`vrl::LEFT_OUT`].
//! - A loop over values of the record, the result, the nesting of values and the source have limits: see [`vrl`].
//! - An integer beyond 64 bits is a float to VRL. It keeps its spelling in the record unless the program changes or moves it.

mod filter;
mod route;
pub mod vrl;

pub use filter::compile_filter;
pub use route::compile_route;
pub use vrl::{CompileError, Program, StepInstance, compile_vrl};
