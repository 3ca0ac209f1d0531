//! What a plugin may use, and how the sandbox as a whole is sized. The figures are measured ones, see the documentation.

use std::path::PathBuf;
use std::time::Duration;

/// Stack of WebAssembly code, in bytes. A lane's thread needs this and about 512 KiB of its own: Rust's default of 2 MiB does.
pub const WASM_STACK_BYTES: usize = 512 * 1024;

/// How the sandbox is built: one for the whole process.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// Folder of compiled plugins; `None`: compile at every start. Created with mode 0700.
    pub cache_dir: Option<PathBuf>,
    /// File of the key that authenticates the cache, outside `cache_dir`; created (32 random bytes, mode 0600) when missing.
    /// `None`: a file beside the folder, named like it with `.key` appended.
    pub key_path: Option<PathBuf>,
    /// Instances that can exist at once with the pooling allocator: lanes × plugin steps, twice that during a reload. Default 64.
    pub pool_slots: u32,
    /// The largest memory limit of all plugins, in bytes: sizes the pool's slots. Default 64 MiB.
    pub memory_bytes_max: u64,
    /// The largest table limit of all plugins, in elements: sizes the pool's tables. Default 10,000.
    pub table_elements_max: u32,
    /// How often the clock of the deadlines ticks: deadlines are kept to one or two ticks. Default 10 ms.
    pub epoch_tick: Duration,
    /// Calls are bounded by the instructions they execute, not by time, so that they end alike on every machine. Default: off.
    pub fuel: Option<Fuel>,
    /// Whether one compilation may use all cores. Off, it leaves them to running pipelines and takes longer. Default on.
    pub compile_parallel: bool,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            cache_dir: None,
            key_path: None,
            pool_slots: 64,
            memory_bytes_max: limits.memory_bytes,
            table_elements_max: limits.table_elements,
            epoch_tick: Duration::from_millis(10),
            fuel: None,
            compile_parallel: true,
        }
    }
}

/// How much a call may execute, in wasmtime's units of fuel: about one an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fuel {
    /// To start an instance and run `init`.
    pub init: u64,
    /// For one `process` call.
    pub call: u64,
}

/// What one plugin may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of an instance over all its memories, in bytes. Default 64 MiB.
    pub memory_bytes: u64,
    /// Time for one `process` call of a whole batch; a part of a batch gets its share. Default 100 ms.
    pub deadline: Duration,
    /// Time to start an instance and run `init`. Default 5 s.
    pub init_deadline: Duration,
    /// Elements of an instance's tables together. Default 10,000.
    pub table_elements: u32,
    /// Core instances, tables and memories of an instance, each; components of Python consist of many. Default 256.
    pub instances: u32,
    /// Live handles of resources. Default 1,000.
    pub resources: u32,
    /// Bytes that one answer of the plugin may take in the host's memory. Default 8 MiB.
    pub host_call_bytes: u64,
    /// Log lines a second over all instances of the plugin. Default 100.
    pub log_lines_per_s: u32,
    /// Bytes of a log line; the rest is cut. Default 1 KiB.
    pub log_line_bytes: u32,
    /// Names of counters; further ones are ignored and counted. Default 64.
    pub metric_names: u32,
    /// Size of the component's file in bytes. Default 64 MiB.
    pub component_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            deadline: Duration::from_millis(100),
            init_deadline: Duration::from_secs(5),
            table_elements: 10_000,
            instances: 256,
            resources: 1_000,
            host_call_bytes: 8 << 20,
            log_lines_per_s: 100,
            log_line_bytes: 1024,
            metric_names: 64,
            component_bytes_max: 64 << 20,
        }
    }
}
