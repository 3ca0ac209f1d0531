//! What the host gives to plugins: the contract's two imports and, apart from that, the empty WASI.

use crate::contract::{Level, PACKAGE, VERSION};
use crate::state::State;
use crate::wasi;
use std::sync::OnceLock;
use wasmtime::component::{Linker, WasmStr};
use wasmtime::{Engine, StoreContextMut};

/// One linker for plugins without WASI and, once one asks for it, one with.
pub(crate) struct Linkers {
    contract: Linker<State>,
    with_wasi: OnceLock<Linker<State>>,
}

impl Linkers {
    pub(crate) fn new(engine: &Engine) -> wasmtime::Result<Self> {
        let mut contract = Linker::new(engine);
        add_contract(&mut contract)?;
        Ok(Self { contract, with_wasi: OnceLock::new() })
    }

    pub(crate) fn contract(&self) -> &Linker<State> {
        &self.contract
    }

    pub(crate) fn with_wasi(&self) -> wasmtime::Result<&Linker<State>> {
        if let Some(linker) = self.with_wasi.get() {
            return Ok(linker);
        }
        let mut linker = self.contract.clone();
        wasi::add_to_linker(&mut linker)?;
        Ok(self.with_wasi.get_or_init(|| linker))
    }
}

fn add_contract(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    // Strings are taken as borrowed views: what is clipped or refused is never copied out of the guest.
    let mut log = linker.instance(&format!("{PACKAGE}/log@{VERSION}"))?;
    log.func_wrap("write", |store: StoreContextMut<'_, State>, (level, message): (Level, WasmStr)| {
        let message = message.to_str(&store)?;
        store.data().diagnostics.log(level, &message);
        Ok(())
    })?;
    let mut metrics = linker.instance(&format!("{PACKAGE}/metrics@{VERSION}"))?;
    metrics.func_wrap("add", |store: StoreContextMut<'_, State>, (name, delta): (WasmStr, u64)| {
        let name = name.to_str(&store)?;
        store.data().diagnostics.count(&name, delta);
        Ok(())
    })?;
    Ok(())
}
