//! Processes: to their end within a time-out, or left running to be talked to and signalled.

use super::report::Report;
use std::fmt;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long anything may take. Far more than it needs: the machine may be busy.
pub const TIMEOUT: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(5);

/// What a process left.
#[derive(Debug)]
pub struct Run {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error.
    pub err: String,
    /// From start to end.
    pub took: Duration,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let out = String::from_utf8_lossy(&self.out);
        let clip = |text: &str| text.chars().take(4_000).collect::<String>();
        write!(
            f,
            "exit {:?}, signal {:?}, {:?}\n--- standard output\n{}\n--- standard error\n{}",
            self.code,
            self.signal,
            self.took,
            clip(&out),
            clip(&self.err)
        )
    }
}

impl Run {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.out.clone()).expect("UTF-8 on standard output")
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.out).unwrap_or_else(|error| panic!("standard output is not JSON ({error}): {self}"))
    }

    /// Standard output as a run's report.
    #[track_caller]
    pub fn report(&self) -> Report {
        Report::of(self.json())
    }
}

/// Runs a command to its end, with this on its standard input.
pub(super) fn finish(mut command: Command, input: &[u8]) -> Run {
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    let mut live = Live::start(command);
    let writer = live.stdin.take().map(|mut stdin| {
        let input = input.to_vec();
        // A process that ends early does not read it all.
        std::thread::spawn(move || drop(stdin.write_all(&input)))
    });
    let run = live.wait();
    if let Some(writer) = writer {
        writer.join().expect("the writer of standard input");
    }
    run
}

/// Runs a command whose standard output is closed after its first `bytes` bytes were read.
pub fn pipe_through(mut command: Command, bytes: usize) -> Run {
    let started = Instant::now();
    let mut child = command.spawn().expect("a process");
    let mut stdout = child.stdout.take().expect("standard output");
    let mut err = collect(child.stderr.take());
    let mut out = vec![0; bytes];
    stdout.read_exact(&mut out).expect("some output");
    drop(stdout);
    let status = await_end(&mut child).unwrap_or_else(|| panic!("did not end after its output was closed"));
    Run { code: status.code(), signal: status.signal(), out, err: err.text(), took: started.elapsed() }
}

/// A process that runs. It is killed when the value goes.
#[derive(Debug)]
pub struct Live {
    child: Child,
    /// Its standard input, where the command asked for a pipe.
    pub stdin: Option<ChildStdin>,
    out: Collected,
    err: Collected,
    started: Instant,
}

impl Live {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        let started = Instant::now();
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let (out, err) = (collect(child.stdout.take()), collect(child.stderr.take()));
        Self { stdin: child.stdin.take(), child, out, err, started }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name (`TERM`, `INT`), as `kill` does.
    pub fn signal(&self, name: &str) {
        let status = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.pid())]).status().expect("a shell");
        assert!(status.success(), "kill -{name} failed");
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// What it has written on standard error so far.
    pub fn err(&self) -> String {
        self.err.so_far()
    }

    /// What it has written on standard output so far.
    pub fn out(&self) -> String {
        self.out.so_far()
    }

    /// Waits until a line on standard error holds this text; gives the line.
    #[track_caller]
    pub fn says(&mut self, text: &str) -> String {
        let mut found = None;
        let began = Instant::now();
        while began.elapsed() < TIMEOUT {
            let running = self.runs();
            found = self.err().lines().find(|line| line.contains(text)).map(str::to_owned);
            if found.is_some() || !running {
                break;
            }
            std::thread::sleep(LOOK);
        }
        found.unwrap_or_else(|| panic!("`{text}` was never said:\n{}", self.err()))
    }

    /// The most memory it has had so far, in bytes (`VmHWM`).
    pub fn memory_bytes_peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> Run {
        match await_end(&mut self.child) {
            Some(status) => Run {
                code: status.code(),
                signal: status.signal(),
                out: self.out.bytes(),
                err: self.err.text(),
                took: self.started.elapsed(),
            },
            None => panic!("did not end within {} s; standard error so far:\n{}", TIMEOUT.as_secs(), self.err()),
        }
    }

    /// Whether it ends within this time.
    pub fn ends_within(&mut self, time: Duration) -> bool {
        let began = Instant::now();
        while began.elapsed() < time {
            if !self.runs() {
                return true;
            }
            std::thread::sleep(LOOK);
        }
        false
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // Both fail when it has ended, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something holds.
///
/// # Panics
/// When it does not within [`TIMEOUT`].
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < TIMEOUT, "not within {} s: {what}", TIMEOUT.as_secs());
        std::thread::sleep(4 * LOOK);
    }
}

fn await_end(child: &mut Child) -> Option<ExitStatus> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return Some(status);
        }
        if began.elapsed() > TIMEOUT {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(LOOK);
    }
}

/// What a pipe gives, read by a thread so that the writer never waits.
#[derive(Debug)]
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> Collected {
    let bytes: Arc<Mutex<Vec<u8>>> = Arc::default();
    let reader = pipe.map(|mut pipe| {
        let bytes = Arc::clone(&bytes);
        std::thread::spawn(move || {
            let mut some = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = pipe.read(&mut some) {
                bytes.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&some[..count]);
            }
        })
    });
    Collected { bytes, reader }
}

impl Collected {
    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    fn bytes(&mut self) -> Vec<u8> {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader of a pipe");
        }
        std::mem::take(&mut self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}
