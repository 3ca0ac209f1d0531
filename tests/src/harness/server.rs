//! A web server that answers as a test wants, and remembers what it took.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Answers with a status; with 2xx the records count as taken.
    Status(u16),
    /// The same without a body.
    Bare(u16),
    /// The same with a header line.
    With(u16, String),
    /// Takes the records, and breaks off in the middle of the answer.
    Truncated,
    /// Takes the records, but answers only after so long.
    Slow(Duration),
    /// Closes the connection without an answer.
    Close,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its number, from 0.
    pub number: usize,
    /// Header lines, in lower case.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// The body's lines.
    pub fn lines(&self) -> Vec<String> {
        String::from_utf8_lossy(&self.body).lines().map(str::to_owned).collect()
    }
}

type Behaviour = dyn Fn(&Request) -> Answer + Send + Sync;

/// A server on a port of loopback; it ends when it is dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    behaviour: Box<Behaviour>,
    requests: AtomicUsize,
    /// `None`: whoever started it keeps account.
    taken: Option<Mutex<Vec<String>>>,
    ended: AtomicBool,
}

impl Server {
    /// A server on any port.
    pub fn start(behaviour: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_on("127.0.0.1:0", behaviour)
    }

    /// A server on this address.
    pub fn start_on(address: &str, behaviour: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::serve_on(address, Box::new(behaviour), Some(Mutex::default()))
    }

    /// A server on this address that does not remember what it took, however much that is: [`Server::taken`] is empty.
    pub fn forgetful(address: &str, behaviour: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::serve_on(address, Box::new(behaviour), None)
    }

    fn serve_on(address: &str, behaviour: Box<Behaviour>, taken: Option<Mutex<Vec<String>>>) -> Self {
        let listener = TcpListener::bind(address).expect("a port");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared { behaviour, requests: AtomicUsize::new(0), taken, ended: AtomicBool::new(false) });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.ended.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), shared) = (stream, Arc::clone(&serving)) else { continue };
                std::thread::spawn(move || shared.serve(&stream));
            }
        });
        Self { address, shared }
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Lines of all requests whose records were taken, in the order in which they were.
    pub fn taken(&self) -> Vec<String> {
        self.shared.taken.as_ref().map(|taken| taken.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap_or_default()
    }

    /// How many requests came.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while !self.ended.load(Ordering::SeqCst) {
            match self.exchange(&mut reader, stream) {
                Ok(true) => {}
                Ok(false) | Err(_) => return,
            }
        }
    }

    /// One request and its answer; `false` when the connection is done.
    fn exchange(&self, reader: &mut BufReader<&TcpStream>, mut stream: &TcpStream) -> io::Result<bool> {
        let mut head = String::new();
        loop {
            let before = head.len();
            if reader.read_line(&mut head)? == 0 {
                return Ok(false);
            }
            if head[before..].trim().is_empty() {
                break;
            }
        }
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).map_or(0, |n| n.trim().parse().unwrap_or(0));
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let request = Request { number: self.requests.fetch_add(1, Ordering::SeqCst), head, body };
        let take = || {
            if let Some(taken) = &self.taken {
                taken.lock().unwrap_or_else(PoisonError::into_inner).extend(request.lines());
            }
        };
        let mut answer = |status: u16, header: &str, body: &str| {
            if (200..300).contains(&status) {
                take();
            }
            if status == 204 {
                // Has no body (RFC 9110, 15.3.5): a client takes what follows the head for the next answer.
                return write!(stream, "HTTP/1.1 204 said\r\n{header}\r\n").map(|()| true);
            }
            write!(stream, "HTTP/1.1 {status} said\r\n{header}Content-Length: {}\r\n\r\n{body}", body.len()).map(|()| true)
        };
        match (self.behaviour)(&request) {
            Answer::Status(status) => answer(status, "", "ok"),
            Answer::Bare(status) => answer(status, "", ""),
            Answer::With(status, header) => answer(status, &format!("{header}\r\n"), "ok"),
            Answer::Slow(time) => {
                std::thread::sleep(time);
                answer(200, "", "ok")
            }
            Answer::Truncated => {
                take();
                write!(stream, "HTTP/1.1 200 said\r\nContent-Length: 100\r\n\r\nhalf").map(|()| false)
            }
            Answer::Close => Ok(false),
        }
    }
}
