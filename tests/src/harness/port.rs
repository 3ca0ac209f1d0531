//! Ports of loopback.

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Below those that systems give to whoever connects or asks for any port: nobody gets one of these by chance while a test's server is
/// away, nor does a client that waits for a server reach itself.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A port, of TCP and UDP, that nobody has at the moment and that this process names once.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    // Tests of another process begin somewhere else.
    static NEXT: LazyLock<AtomicUsize> = LazyLock::new(|| AtomicUsize::new(fastrand::usize(..PORTS.len())));
    let ports = PORTS.map(|_| PORTS.start + (NEXT.fetch_add(1, Ordering::Relaxed) % PORTS.len()) as u16);
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok() && UdpSocket::bind(("127.0.0.1", *port)).is_ok();
    let mut free = ports.filter(is_free);
    free.next().expect("a free port")
}

/// Waits until somebody listens at the port, and connects.
///
/// # Panics
/// When nobody does within a minute.
#[track_caller]
pub fn connect(port: u16) -> TcpStream {
    let began = Instant::now();
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => return stream,
            Err(error) if began.elapsed() > super::TIMEOUT => panic!("nobody listens at {port}: {error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}
