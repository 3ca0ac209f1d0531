//! A loaded plugin: compiled code that lanes share, and the way from it to instances.

use crate::background;
use crate::contract;
use crate::diagnostics::Diagnostics;
use crate::engine::{Allocator, Inner};
use crate::error::SandboxError;
use crate::failure::{Cause, Failure};
use crate::imports::{self, Needs};
use crate::instance::Instance;
use crate::limits::{Fuel, Limits};
use crate::state::{State, Usage};
use crate::trap::{self, Bound};
use crate::version;
use crate::wasi::EmptyWasi;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tamis_record::Signature;
use wasmtime::Store;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

const MAGIC: &[u8] = b"\0asm";
/// Version and layer of a component and of a core module, after the magic.
const COMPONENT_LAYER: [u8; 4] = [0x0d, 0, 1, 0];
const CORE_LAYER: [u8; 4] = [1, 0, 0, 0];

/// A compiled plugin. Cloning shares the code; every lane makes its own [`Instance`] of it.
#[derive(Clone)]
pub struct Plugin {
    inner: Arc<Loaded>,
}

struct Loaded {
    sandbox: Arc<Inner>,
    name: String,
    digest: String,
    size: u64,
    cached: bool,
    imports: Vec<String>,
    needs: Needs,
    limits: Limits,
    diagnostics: Arc<Diagnostics>,
    pre: InstancePre<State>,
    init: ComponentExportIndex,
    process: ComponentExportIndex,
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("name", &self.inner.name).field("digest", &self.inner.digest).finish_non_exhaustive()
    }
}

impl Plugin {
    pub(crate) fn load(sandbox: &Arc<Inner>, name: &str, wasm: &[u8], limits: &Limits, beside: bool) -> Result<Self, SandboxError> {
        let plugin = || name.to_owned();
        check_limits(sandbox, name, limits)?;
        check_file(name, wasm, limits)?;
        let hash: [u8; 32] = Sha256::digest(wasm).into();
        let cached = sandbox.cache.get(&sandbox.engine, &hash);
        let (component, cached) = match cached {
            Some(component) => (component, true),
            None => {
                let compile = || Component::from_binary(&sandbox.engine, wasm);
                let component = if beside { background::run(compile) } else { compile() };
                let component = component
                    .map_err(|e| SandboxError::Invalid { plugin: plugin(), reason: crate::failure::printable(&format!("{e:#}"), 1024) })?;
                (component, false)
            }
        };
        let kind = component.component_type();
        let imports: Vec<String> = kind.imports(&sandbox.engine).map(|(import, _)| import.to_owned()).collect();
        let exports: Vec<String> = kind.exports(&sandbox.engine).map(|(export, _)| export.to_owned()).collect();
        let needs = imports::check_imports(name, &imports)?;
        let transform = imports::check_exports(name, &exports)?;
        let index = |function: &str| {
            let instance = component.get_export_index(None, &transform);
            instance.and_then(|i| component.get_export_index(Some(&i), function)).ok_or_else(|| SandboxError::NoTransform {
                plugin: plugin(),
                expected: format!("{transform}#{function}"),
                found: transform.clone(),
            })
        };
        let (init, process) = (index("init")?, index("process")?);
        let linker = match needs {
            Needs::Contract => Ok(sandbox.linkers.contract()),
            Needs::Wasi => sandbox.linkers.with_wasi(),
        };
        let pre = linker.and_then(|linker| linker.instantiate_pre(&component)).map_err(|e| unmatched(name, &e))?;
        if !cached {
            // Only code that passed every check is kept.
            sandbox.cache.put(&component, &hash);
        }
        let digest = format!("sha256:{}", crate::cache::hex(&hash));
        let diagnostics = Arc::new(Diagnostics::new(name, limits));
        let (sandbox, limits) = (Arc::clone(sandbox), limits.clone());
        let size = wasm.len() as u64;
        Ok(Self {
            inner: Arc::new(Loaded {
                sandbox,
                name: plugin(),
                digest,
                size,
                cached,
                imports,
                needs,
                limits,
                diagnostics,
                pre,
                init,
                process,
            }),
        })
    }

    /// The name given at load.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// `sha256:` and the hash of the component's file.
    pub fn digest(&self) -> &str {
        &self.inner.digest
    }

    /// Size of the component's file in bytes.
    pub fn size(&self) -> u64 {
        self.inner.size
    }

    /// Whether the code came from the cache.
    pub fn cached(&self) -> bool {
        self.inner.cached
    }

    /// The interfaces it imports.
    pub fn imports(&self) -> &[String] {
        &self.inner.imports
    }

    /// The limits given at load.
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// The plugin's counters, by name, summed over all its instances.
    pub fn counters(&self) -> Vec<(String, u64)> {
        self.inner.diagnostics.counters()
    }

    /// Counter updates refused for their name or number.
    pub fn counters_refused(&self) -> u64 {
        self.inner.diagnostics.counters_refused()
    }

    /// Log lines dropped because there were more than the limit.
    pub fn log_lines_dropped(&self) -> u64 {
        self.inner.diagnostics.lines_dropped()
    }

    pub(crate) fn diagnostics(&self) -> &Arc<Diagnostics> {
        &self.inner.diagnostics
    }

    /// What the plugin needs and does under this configuration (JSON text): starts an instance, asks it and drops it.
    ///
    /// # Errors
    /// [`Cause::Reject`] with the plugin's words when it refuses the configuration; else what went wrong in starting it.
    pub fn signature(&self, config_json: &str) -> Result<Signature, Failure> {
        self.start(config_json).map(|(_, signature)| signature)
    }

    /// Starts an instance under this configuration. It must answer the signature that was planned with.
    ///
    /// # Errors
    /// As [`Plugin::signature`]; [`Cause::Contract`] when the signature is not the expected one.
    pub fn instantiate(&self, config_json: &str, expected: &Signature) -> Result<Instance, Failure> {
        let (instance, signature) = self.start(config_json)?;
        if signature != *expected {
            return Err(Failure::contract(
                "init answered another signature than before for the same configuration; it must depend on nothing else",
            ));
        }
        Ok(instance)
    }

    /// Starts an instance and gives it with what it said of itself.
    ///
    /// # Errors
    /// As [`Plugin::signature`].
    pub fn start(&self, config_json: &str) -> Result<(Instance, Signature), Failure> {
        let limits = &self.inner.limits;
        let wasi = (self.inner.needs == Needs::Wasi).then(|| Box::new(EmptyWasi::new(limits.resources)));
        let state = State { diagnostics: Arc::clone(&self.inner.diagnostics), usage: Usage::new(limits), wasi };
        let mut store = Store::new(&self.inner.sandbox.engine, state);
        store.limiter(|state| &mut state.usage);
        store.set_hostcall_fuel(usize::try_from(limits.host_call_bytes).unwrap_or(usize::MAX));
        store.set_max_component_handles(limits.resources as usize);
        let bound = match self.fuel() {
            Some(fuel) => {
                store.set_fuel(fuel.init).map_err(|e| unmetered(&e))?;
                Bound::Fuel(fuel.init)
            }
            None => {
                store.epoch_deadline_trap();
                store.set_epoch_deadline(self.ticks(limits.init_deadline));
                Bound::Time(limits.init_deadline)
            }
        };
        let named =
            |error: wasmtime::Error, store: &Store<State>| trap::failure(&error, &store.data().usage, bound, limits.host_call_bytes);

        let instance = self.inner.pre.instantiate(&mut store).map_err(|e| named(e, &store))?;
        let init = instance
            .get_func(&mut store, self.inner.init)
            .ok_or_else(|| Failure::contract("`init` is not a function"))?
            .typed::<(&str,), (Result<contract::Signature, String>,)>(&store)
            .map_err(|e| {
                Failure::contract(format!("`init` does not have the contract's type ({e:#}); rebuild the plugin against this host's WIT"))
            })?;
        let process = instance.get_func(&mut store, self.inner.process).ok_or_else(|| Failure::contract("`process` is not a function"))?;
        Instance::check_type(process, &store)?;

        let (answer,) = init.call(&mut store, (config_json,)).map_err(|e| named(e, &store))?;
        let raw = answer.map_err(|reason| Failure::new(Cause::Reject, reason))?;
        let signature = crate::signature::from_contract(raw)?;
        Ok((Instance::new(self.clone(), store, process, &signature), signature))
    }

    pub(crate) fn fuel(&self) -> Option<Fuel> {
        self.inner.sandbox.options.fuel
    }

    /// Ticks of the clock that cover a duration: one more than fit, since the current one has begun already.
    pub(crate) fn ticks(&self, duration: Duration) -> u64 {
        let tick = self.inner.sandbox.options.epoch_tick.as_nanos().max(1);
        u64::try_from(duration.as_nanos().div_ceil(tick)).unwrap_or(u64::MAX / 2).saturating_add(1).min(u64::MAX / 2)
    }
}

/// An engine that was built to count instructions and does not.
pub(crate) fn unmetered(error: &wasmtime::Error) -> Failure {
    Failure::contract(format!("the engine counts no fuel: {error:#}"))
}

fn check_limits(sandbox: &Inner, name: &str, limits: &Limits) -> Result<(), SandboxError> {
    let error = |reason: String| Err(SandboxError::Limits { plugin: name.to_owned(), reason });
    let options = &sandbox.options;
    if sandbox.allocator == Allocator::Pooled {
        if limits.memory_bytes > options.memory_bytes_max {
            return error(format!(
                "its memory limit of {} bytes is more than the {} bytes of the sandbox's slots; restart with the larger limit",
                limits.memory_bytes, options.memory_bytes_max
            ));
        }
        if limits.table_elements > options.table_elements_max {
            return error(format!(
                "its table limit of {} elements is more than the {} of the sandbox's slots; restart with the larger limit",
                limits.table_elements, options.table_elements_max
            ));
        }
    }
    if limits.deadline.is_zero() || limits.init_deadline.is_zero() {
        return error("a deadline of zero lets no call end; give at least 1ms".to_owned());
    }
    Ok(())
}

fn check_file(name: &str, wasm: &[u8], limits: &Limits) -> Result<(), SandboxError> {
    let plugin = name.to_owned();
    let bytes = wasm.len() as u64;
    if bytes > limits.component_bytes_max {
        return Err(SandboxError::TooLarge { plugin, bytes, bytes_max: limits.component_bytes_max });
    }
    match wasm.strip_prefix(MAGIC).and_then(|rest| rest.first_chunk::<4>()) {
        None => Err(SandboxError::NotWasm { plugin }),
        Some(&CORE_LAYER) => Err(SandboxError::CoreModule { plugin }),
        Some(&COMPONENT_LAYER) => Ok(()),
        Some(other) => Err(SandboxError::Invalid {
            plugin,
            reason: format!("it has the unknown WebAssembly version {other:02x?}, a component was expected"),
        }),
    }
}

/// An import whose name is fine and whose type or function the host does not have.
fn unmatched(plugin: &str, error: &wasmtime::Error) -> SandboxError {
    let text = format!("{error:#}");
    let import = text.split('`').nth(1).unwrap_or(&text);
    let said = crate::failure::printable(&text, 500);
    let version = import.split_once('@').map_or("", |(_, version)| version);
    let help = if import.starts_with(contract::PACKAGE) && version::is_newer(version) {
        format!("this host speaks contract {}; {} ({said})", contract::VERSION, imports::needs_newer(version))
    } else {
        format!("the host has no such import of that type ({said})")
    };
    imports::forbidden(plugin, import, help)
}
