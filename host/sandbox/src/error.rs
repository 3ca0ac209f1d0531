//! What can go wrong before a plugin runs.

/// A sandbox that could not be built or a plugin that could not be loaded. Every message says what was expected and what to do.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The engine could not be made, neither pooled nor on demand.
    #[error("the sandbox cannot start: {reason}; check the address space and memory the process may use (`ulimit -v`, container limits)")]
    Engine {
        /// What wasmtime said.
        reason: String,
    },
    /// The thread that ticks the deadlines could not be started.
    #[error("the sandbox cannot start its clock thread: {0}")]
    Ticker(#[from] std::io::Error),
    /// The limits of a plugin do not fit the pool or each other.
    #[error("plugin `{plugin}`: {reason}")]
    Limits {
        /// Name of the plugin.
        plugin: String,
        /// Which limit, its value and what is allowed.
        reason: String,
    },
    /// The file is larger than allowed.
    #[error(
        "plugin `{plugin}`: the component has {bytes} bytes, more than the limit of {bytes_max}; build it smaller (opt-level \"s\", strip) or raise `limits.component`"
    )]
    TooLarge {
        /// Name of the plugin.
        plugin: String,
        /// Size of the file.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// The file is not WebAssembly.
    #[error(
        "plugin `{plugin}`: this is not WebAssembly, a file that begins with `\\0asm` was expected; was the build's output taken, not its source?"
    )]
    NotWasm {
        /// Name of the plugin.
        plugin: String,
    },
    /// The file is a core module.
    #[error(
        "plugin `{plugin}`: this is a core module, a component was expected; wrap it with `wasm-tools component new module.wasm -o plugin.wasm` or build it with `tamis plugin build`"
    )]
    CoreModule {
        /// Name of the plugin.
        plugin: String,
    },
    /// The component does not compile.
    #[error(
        "plugin `{plugin}`: the component is not valid: {reason}; rebuild it without proposals beyond SIMD, bulk memory and reference types"
    )]
    Invalid {
        /// Name of the plugin.
        plugin: String,
        /// What the compiler said.
        reason: String,
    },
    /// The component asks for something that no plugin gets.
    #[error("plugin `{plugin}` imports `{import}`, which no plugin is given; {help}")]
    ForbiddenImport {
        /// Name of the plugin.
        plugin: String,
        /// The import.
        import: String,
        /// What to do.
        help: String,
    },
    /// The component does not export the contract.
    #[error(
        "plugin `{plugin}` does not export `{expected}` (it exports {found}); build it against the world `plugin` of that package, for example with the SDK"
    )]
    NoTransform {
        /// Name of the plugin.
        plugin: String,
        /// The export that was expected.
        expected: String,
        /// What it exports.
        found: String,
    },
    /// The component was built for another version of the contract.
    #[error(
        "plugin `{plugin}` was built for the contract `{found}`, this host (tamis {}) speaks `{expected}`; {help}",
        env!("CARGO_PKG_VERSION")
    )]
    Version {
        /// Name of the plugin.
        plugin: String,
        /// The contract that this host speaks.
        expected: String,
        /// The interface of another contract that it imports or exports.
        found: String,
        /// Which of both to renew.
        help: String,
    },
}
