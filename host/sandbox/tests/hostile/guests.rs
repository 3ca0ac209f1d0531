//! Finding and loading the guests, and the batches they get.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tamis_record::{Column, Kind, Values};
use tamis_sandbox::{Limits, Plugin, Sandbox, SandboxOptions, Step, StepResult};

/// What a call may take beyond its deadline.
pub(crate) const TOLERANCE: Duration = Duration::from_millis(100);

pub(crate) fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| Sandbox::new(SandboxOptions::default()).expect("a sandbox"))
}

fn guests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests")
}

/// The guest that is built from `tests/guests/hostile`.
pub(crate) fn hostile_wasm() -> Vec<u8> {
    let folder = match std::env::var_os("TAMIS_GUESTS") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins"),
    };
    let path = folder.join("hostile.wasm");
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}. Build the hostile guest first: `cargo run --release -p tamis-authoring --example build -- tests/guests/hostile --out target/plugins` (or `make plugins`); TAMIS_GUESTS names another folder it may lie in",
            path.display()
        )
    })
}

pub(crate) fn hostile() -> &'static Plugin {
    static PLUGIN: OnceLock<Plugin> = OnceLock::new();
    PLUGIN.get_or_init(|| hostile_with(&Limits::default()))
}

pub(crate) fn hostile_with(limits: &Limits) -> Plugin {
    sandbox().load("hostile", &hostile_wasm(), limits).expect("the hostile guest loads")
}

/// A component by hand around the core module `tests/guests/lies/NAME.wat`.
pub(crate) fn lie(name: &str) -> Vec<u8> {
    component(name, "1", |text| text)
}

/// As [`lie`], with this many pages of memory and changes to the text.
pub(crate) fn component(name: &str, pages: &str, change: impl Fn(String) -> String) -> Vec<u8> {
    let read = |name: &str| std::fs::read_to_string(guests().join(name)).expect(name);
    let core = format!("{}\n{}", read("lies/base.wat").replace("@PAGES@", pages), read(&format!("lies/{name}.wat")));
    let text = change(read("component.wat").replace("@CORE@", &core));
    let text = text.replace("@EXPORT@", "tamis:plugin/transform@0.1.0").replace("@IMPORTS@", "").replace("@WITH@", "");
    wat::parse_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"))
}

pub(crate) fn step(plugin: &Plugin, config: &str) -> Step {
    let config = format!("\"{config}\"");
    let signature = plugin.signature(&config).unwrap_or_else(|failure| panic!("{config}: {failure}"));
    Step::new(plugin.clone(), config, Arc::new(signature))
}

/// A column of texts, `poison` in the given rows.
pub(crate) fn texts(rows: u32, poison: &[u32]) -> Column {
    let mut column = Column::new(Kind::Text);
    if let Values::Text(values) = &mut column.values {
        for row in 0..rows {
            let text = if poison.contains(&row) { "poison".to_owned() } else { format!("v{row}") };
            values.push(text.as_bytes());
        }
    }
    column
}

/// The rows that came back with the sound answer, in order.
pub(crate) fn delivered(result: &StepResult, rows: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for patch in result.outcome.patches.iter().filter(|p| p.field == 0) {
        let patched = patch.rows.clone().unwrap_or_else(|| (0..rows).collect());
        for (i, row) in patched.into_iter().enumerate() {
            assert_eq!(patch.column.bytes(i), Some(format!("v{row}!").as_bytes()), "row {row}");
            found.push(row);
        }
    }
    found.sort_unstable();
    found
}

/// That the calls of a result took no longer than their deadlines allow. `levels` sums the deadlines.
pub(crate) fn within(result: &StepResult, deadlines: Duration) {
    let allowed = deadlines + TOLERANCE * u32::try_from(result.calls).unwrap();
    let taken = Duration::from_nanos(result.nanoseconds);
    assert!(taken <= allowed, "{} calls took {taken:?}, {allowed:?} are allowed", result.calls);
}
