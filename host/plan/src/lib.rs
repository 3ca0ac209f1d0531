//! The plan: what a configuration means, resolved and checked before anything runs.
//!
//! `Config` → [`Plan`]: names become references, steps get their signatures, grants are held against them, outputs are
//! mapped, lineage is known. Pure: it starts no thread, opens no socket and writes no file; what a component or a program
//! declares is asked of a [`Toolbox`].

mod addresses;
pub mod codes;
mod diff;
mod ends;
mod grants;
mod graph;
mod lineage;
pub mod model;
mod order;
mod resolve;
mod trials;
mod types;
mod written;

pub use diff::{Change, Kind, diff};
pub use graph::{to_dot, to_mermaid};
pub use lineage::{Access, Lineage, Use, lineage};
pub use model::{Mode, Origin, OutputPlan, PipelinePlan, Plan, PluginPlan, SinkUse, SourcePlan, StepPlan, Target, Way, upgrade};
pub use resolve::{Problem, ProgramProblem, Toolbox, plan};
pub use trials::{TestTarget, resolve_test};
pub use written::written;
