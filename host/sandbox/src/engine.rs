//! The engine: one for the process, with its allocator, its clock and the cache of compiled plugins.

use crate::cache::{Cache, CacheStats};
use crate::diagnostics::Diagnostics;
use crate::error::SandboxError;
use crate::limits::{Limits, SandboxOptions, WASM_STACK_BYTES};
use crate::linker::Linkers;
use crate::plugin::Plugin;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use wasmtime::{Config, Engine, EngineWeak, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmFeatures};

/// Core instances, memories and tables that a component has on average in the pool: adapters and shims count too.
const CORE_INSTANCES_A_SLOT: u32 = 32;
const MEMORIES_A_SLOT: u32 = 3;
const TABLES_A_SLOT: u32 = 4;
const WASM_PAGE: u64 = 64 * 1024;
/// Without the pool a memory starts with no reservation and gets this much room at each move.
const ON_DEMAND_GROWTH_BYTES: u64 = 2 << 20;
/// How often dropped log lines are looked for.
const REPORT_EVERY: Duration = Duration::from_millis(500);

/// How instances get their memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocator {
    /// From a pool reserved at the start: an instance costs microseconds, and memory accesses need no bounds checks.
    Pooled,
    /// Mapped when needed and moved as it grows: less address space, slower code. The fall-back where the pool's
    /// reservation of about 4 GiB of addresses a slot is refused.
    OnDemand,
}

impl fmt::Display for Allocator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Allocator::Pooled => "pooled",
            Allocator::OnDemand => "on demand",
        })
    }
}

/// Compiles and runs plugins. Cloning shares the engine.
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) options: SandboxOptions,
    pub(crate) allocator: Allocator,
    pub(crate) cache: Cache,
    pub(crate) linkers: Linkers,
    plugins: Arc<Mutex<Vec<Weak<Diagnostics>>>>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("allocator", &self.inner.allocator).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Builds the engine and starts its clock thread.
    ///
    /// # Errors
    /// [`SandboxError::Engine`] when neither allocator works, [`SandboxError::Ticker`] when no thread can be started.
    pub fn new(options: SandboxOptions) -> Result<Self, SandboxError> {
        let (engine, allocator) = match Engine::new(&config(&options, Allocator::Pooled)) {
            Ok(engine) => (engine, Allocator::Pooled),
            Err(error) => {
                tracing::warn!(
                    "the sandbox's pool of {} slots is refused ({error:#}); instances are made on demand, which is slower",
                    options.pool_slots
                );
                let engine =
                    Engine::new(&config(&options, Allocator::OnDemand)).map_err(|e| SandboxError::Engine { reason: format!("{e:#}") })?;
                (engine, Allocator::OnDemand)
            }
        };
        let cache = Cache::open(&engine, options.cache_dir.as_deref(), options.key_path.as_deref());
        let plugins = Arc::default();
        start_ticker(engine.weak(), options.epoch_tick, Arc::clone(&plugins))?;
        let linkers = Linkers::new(&engine).map_err(|e| SandboxError::Engine { reason: format!("{e:#}") })?;
        Ok(Self { inner: Arc::new(Inner { engine, options, allocator, cache, linkers, plugins }) })
    }

    /// Loads a component: checks its size, digest, imports and exports, and takes its code from the cache or compiles it.
    ///
    /// Takes milliseconds from the cache; compiling takes from a fraction of a second (Rust) to most of a minute (Python).
    /// `name` stands in messages and on log lines.
    ///
    /// # Errors
    /// Every variant of [`SandboxError`] but the engine's own; nothing of the plugin runs here.
    pub fn load(&self, name: &str, wasm: &[u8], limits: &Limits) -> Result<Plugin, SandboxError> {
        self.loaded(name, wasm, limits, false)
    }

    /// [`Sandbox::load`] beside pipelines that run: it gives way to them where it has to compile, and takes longer.
    ///
    /// # Errors
    /// As [`Sandbox::load`].
    pub fn load_beside(&self, name: &str, wasm: &[u8], limits: &Limits) -> Result<Plugin, SandboxError> {
        self.loaded(name, wasm, limits, true)
    }

    fn loaded(&self, name: &str, wasm: &[u8], limits: &Limits, beside: bool) -> Result<Plugin, SandboxError> {
        let plugin = Plugin::load(&self.inner, name, wasm, limits, beside)?;
        let mut plugins = self.inner.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        plugins.retain(|p| p.strong_count() > 0);
        plugins.push(Arc::downgrade(plugin.diagnostics()));
        Ok(plugin)
    }

    /// How instances get their memory.
    pub fn allocator(&self) -> Allocator {
        self.inner.allocator
    }

    /// What the cache did so far.
    pub fn cache_stats(&self) -> CacheStats {
        self.inner.cache.stats()
    }
}

fn config(options: &SandboxOptions, allocator: Allocator) -> Config {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .parallel_compilation(options.compile_parallel)
        .epoch_interruption(options.fuel.is_none())
        .consume_fuel(options.fuel.is_some())
        .max_wasm_stack(WASM_STACK_BYTES)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(16))
        // Proposals that Rust, JavaScript and Python components do not need are not worth their attack surface.
        .wasm_features(WasmFeatures::THREADS, false)
        .wasm_features(WasmFeatures::SHARED_EVERYTHING_THREADS, false)
        .wasm_memory64(false)
        // What wasmtime itself generates between composed components copies from one memory to the other. The limit of memory
        // counts all memories of an instance.
        .wasm_multi_memory(true)
        .wasm_tail_call(false)
        .wasm_relaxed_simd(false)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false)
        .wasm_features(WasmFeatures::STACK_SWITCHING, false);
    match allocator {
        Allocator::Pooled => {
            let slots = options.pool_slots.max(1);
            let mut pool = PoolingAllocationConfig::new();
            pool.total_component_instances(slots)
                .total_core_instances(slots.saturating_mul(CORE_INSTANCES_A_SLOT))
                .total_memories(slots.saturating_mul(MEMORIES_A_SLOT))
                .total_tables(slots.saturating_mul(TABLES_A_SLOT))
                .table_elements(options.table_elements_max as usize)
                .max_memory_size(pages(options.memory_bytes_max) as usize)
                .max_unused_warm_slots(slots);
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        }
        Allocator::OnDemand => {
            config
                .allocation_strategy(InstanceAllocationStrategy::OnDemand)
                .memory_reservation(0)
                .memory_guard_size(WASM_PAGE)
                .memory_reservation_for_growth(ON_DEMAND_GROWTH_BYTES)
                .memory_may_move(true);
        }
    }
    config
}

/// Rounds up to WebAssembly's pages, within what a 32-bit memory can hold.
fn pages(bytes: u64) -> u64 {
    bytes.clamp(1, 1 << 32).div_ceil(WASM_PAGE) * WASM_PAGE
}

/// Ticks the deadlines until the engine is gone, and reports dropped log lines now and then.
fn start_ticker(engine: EngineWeak, tick: Duration, plugins: Arc<Mutex<Vec<Weak<Diagnostics>>>>) -> Result<(), SandboxError> {
    let report_ticks = (REPORT_EVERY.as_nanos() / tick.as_nanos().max(1)).max(1);
    let run = move || {
        let mut ticks = 0;
        loop {
            std::thread::sleep(tick);
            let Some(engine) = engine.upgrade() else { return };
            engine.increment_epoch();
            drop(engine);
            ticks += 1;
            if ticks >= report_ticks {
                ticks = 0;
                let live: Vec<_> = plugins.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect();
                live.iter().for_each(|diagnostics| diagnostics.report_dropped());
            }
        }
    };
    std::thread::Builder::new().name("tamis-deadlines".to_owned()).stack_size(256 * 1024).spawn(run)?;
    Ok(())
}
