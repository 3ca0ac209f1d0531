//! A WASI with nothing in it, for components of languages whose runtime insists on one.
//!
//! No environment, arguments, folders or network; input ends at once and output vanishes; the clocks stand at zero and
//! randomness is the same bytes in every instance, so a plugin stays a function of its input. What would wait or take
//! something from the machine traps instead: a wait is not interrupted by the deadline, and even a socket that is never
//! connected is a descriptor.

use crate::state::State;
use std::time::Duration;
use wasmtime::component::{Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};
use wasmtime_wasi::p2::{DynPollable, TcpSocket, UdpSocket};
use wasmtime_wasi::{Deterministic, HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView, WasiView};

/// The interfaces given, by package; their versions are matched by the linker.
pub(crate) const PACKAGES: [&str; 6] = ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];
/// Version of the interfaces that are replaced below; the linker's newest one of 0.2.
const REPLACED_VERSION: &str = "0.2.12";
/// Bytes of randomness before they repeat.
const RANDOM_BYTES: usize = 4096;
/// Most random bytes one call may ask for.
const RANDOM_BYTES_A_CALL_MAX: u64 = 64 * 1024;

/// The host's side of the empty WASI of one instance.
pub(crate) struct EmptyWasi {
    ctx: WasiCtx,
    table: ResourceTable,
}

struct Stopped;

impl HostWallClock for Stopped {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Stopped {
    fn resolution(&self) -> u64 {
        1_000_000_000
    }

    fn now(&self) -> u64 {
        0
    }
}

impl EmptyWasi {
    pub(crate) fn new(resources_max: u32) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(resources_max as usize);
        let mut builder = WasiCtx::builder();
        builder
            .wall_clock(Stopped)
            .monotonic_clock(Stopped)
            .secure_random(Deterministic::new(bytes(1)))
            .insecure_random(Deterministic::new(bytes(2)))
            .insecure_random_seed(0)
            .max_random_size(RANDOM_BYTES_A_CALL_MAX)
            .allow_ip_name_lookup(false)
            .allow_tcp(false)
            .allow_udp(false);
        Self { ctx: builder.build(), table }
    }
}

/// Bytes of a fixed sequence (fastrand's generator), the same in every instance.
fn bytes(seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(RANDOM_BYTES).collect()
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi.get_or_insert_with(|| Box::new(EmptyWasi::new(0)));
        WasiCtxView { ctx: &mut wasi.ctx, table: &mut wasi.table }
    }
}

/// Adds the interfaces to a linker.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_sync(linker)?;
    linker.allow_shadowing(true);

    let mut clock = linker.instance(&format!("wasi:clocks/monotonic-clock@{REPLACED_VERSION}"))?;
    for name in ["subscribe-instant", "subscribe-duration"] {
        clock.func_wrap(name, move |_, _: (u64,)| -> wasmtime::Result<(Resource<DynPollable>,)> {
            wasmtime::bail!("the plugin asked to wait (`{name}`), and a plugin has no clock to wait for")
        })?;
    }
    let mut tcp = linker.instance(&format!("wasi:sockets/tcp-create-socket@{REPLACED_VERSION}"))?;
    tcp.func_wrap("create-tcp-socket", |_, _: (IpAddressFamily,)| -> wasmtime::Result<(Result<Resource<TcpSocket>, ErrorCode>,)> {
        Ok((Err(ErrorCode::AccessDenied),))
    })?;
    let mut udp = linker.instance(&format!("wasi:sockets/udp-create-socket@{REPLACED_VERSION}"))?;
    udp.func_wrap("create-udp-socket", |_, _: (IpAddressFamily,)| -> wasmtime::Result<(Result<Resource<UdpSocket>, ErrorCode>,)> {
        Ok((Err(ErrorCode::AccessDenied),))
    })?;
    linker.allow_shadowing(false);
    Ok(())
}
