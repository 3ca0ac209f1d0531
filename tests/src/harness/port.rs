//! Ports of loopback.

use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// A port that nobody has at the moment. Another process may take it before it is used.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
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
