//! Recording a process's calls on files, and reading the recording.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// All calls by which files, names and descriptors change, and by which bytes could pass by the recording.
const CALLS: &str = "trace=open,openat,openat2,creat,close,dup,dup2,dup3,fcntl,write,writev,pwrite64,pwritev,pwritev2,\
    ftruncate,truncate,fallocate,fsync,fdatasync,sync,syncfs,sync_file_range,rename,renameat,renameat2,link,linkat,symlink,\
    symlinkat,unlink,unlinkat,rmdir,mkdir,mkdirat,copy_file_range,sendfile,splice,mmap";

/// Bytes of one write that are recorded; more would be cut off, and reading the recording fails then.
const WRITE_BYTES_MAX: &str = "33554432";

/// Whether processes can be traced here; a line says so where not.
pub fn permitted() -> bool {
    let tried = Command::new("strace").args(["-qq", "-e", "trace=none", "true"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let permitted = tried.is_ok_and(|status| status.success());
    if !permitted {
        // Not with `eprintln`, which is kept back for tests that pass.
        let _ = std::io::stderr().write_all(b"skipped: there is no strace here, or no right to trace (`apt-get install strace`)\n");
    }
    permitted
}

/// The same command under `strace`, which writes to this file.
pub(super) fn traced(command: &Command, recording: &Path) -> Command {
    let mut traced = Command::new("strace");
    traced.args(["-f", "--seccomp-bpf", "-qq", "-e", "signal=none", "-xx", "-s", WRITE_BYTES_MAX, "-e", CALLS, "-o"]);
    traced.arg(recording).arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        traced.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    traced.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    traced
}

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its thread.
    pub thread: u32,
    /// `fdatasync`.
    pub name: String,
    /// As recorded; at the beginning of a call only those that were known then.
    pub arguments: Vec<String>,
}

/// What a line of the recording says.
#[derive(Debug, Clone)]
pub enum Event {
    /// The call was asked for.
    Begins(Call),
    /// It returned this, -1 for an error.
    Ends(Call, i64),
}

/// The events of a recording, in their order.
pub fn events(recording: &str) -> Vec<Event> {
    let mut events = Vec::new();
    let mut unfinished: HashMap<u32, String> = HashMap::new();
    for line in recording.lines() {
        let (thread, rest) = line.split_once(' ').unwrap_or_else(|| panic!("no line of strace: {line:.200}"));
        let thread = thread.parse().unwrap_or_else(|_| panic!("no thread: {line:.200}"));
        let rest = rest.trim_start();
        if rest.starts_with("+++") || rest.starts_with("---") {
            continue;
        }
        if let Some(begun) = rest.strip_suffix("<unfinished ...>") {
            let begun = begun.trim_end();
            events.push(Event::Begins(call(thread, begun)));
            unfinished.insert(thread, begun.to_owned());
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let (_, end) = resumed.split_once(" resumed>").unwrap_or_else(|| panic!("not resumed: {line:.200}"));
            let Some(begun) = unfinished.remove(&thread) else { continue };
            events.extend(ended(thread, &format!("{begun}{end}")));
        } else {
            let (called, _) = rest.rsplit_once(" = ").unwrap_or_else(|| panic!("no result: {line:.200}"));
            events.push(Event::Begins(call(thread, called.trim_end())));
            events.extend(ended(thread, rest));
        }
    }
    events
}

/// `None` for a call that never returned.
fn ended(thread: u32, text: &str) -> Option<Event> {
    let (called, result) = text.rsplit_once(" = ").unwrap_or_else(|| panic!("no result: {text:.200}"));
    let result = result.split(' ').next().unwrap_or_default();
    let value = match result.strip_prefix("0x") {
        Some(hexadecimal) => i64::from_str_radix(hexadecimal, 16).ok(),
        None => result.parse().ok(),
    };
    value.map(|value| Event::Ends(call(thread, called.trim_end()), value))
}

/// `name(a, "b", {c, d})`, the last parenthesis of which may be missing.
fn call(thread: u32, text: &str) -> Call {
    let (name, rest) = text.split_once('(').unwrap_or_else(|| panic!("no call: {text:.200}"));
    let rest = rest.strip_suffix(')').unwrap_or(rest);
    let (mut arguments, mut depth, mut quoted, mut from) = (Vec::new(), 0, false, 0);
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'[' | b'{' | b'(' if !quoted => depth += 1,
            b']' | b'}' | b')' if !quoted => depth -= 1,
            b',' if !quoted && depth == 0 => {
                arguments.push(rest[from..at].trim().to_owned());
                from = at + 1;
            }
            _ => {}
        }
    }
    if !rest[from..].trim().is_empty() {
        arguments.push(rest[from..].trim().to_owned());
    }
    Call { thread, name: name.to_owned(), arguments }
}

impl Call {
    /// An argument; empty when it is not there.
    pub fn argument(&self, at: usize) -> &str {
        self.arguments.get(at).map_or("", String::as_str)
    }

    /// An argument that is a number.
    pub fn number(&self, at: usize) -> Option<i64> {
        self.argument(at).parse().ok()
    }

    /// The bytes of all texts in an argument: of a text, or of the list of a `writev`.
    pub fn bytes(&self, at: usize) -> Vec<u8> {
        let argument = self.argument(at);
        assert!(!argument.contains("\"..."), "a write of {} was not recorded to its end", self.name);
        let mut bytes = Vec::new();
        for text in argument.split('"').skip(1).step_by(2) {
            for code in text.split("\\x").skip(1) {
                bytes.push(u8::from_str_radix(code, 16).unwrap_or_else(|_| panic!("no byte: {code:.20}")));
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let recording = r#"7  openat(AT_FDCWD, "\x61\x2c\x62", O_WRONLY|O_APPEND, 0644) = 11
7  fdatasync(11 <unfinished ...>
8  writev(12, [{iov_base="\x61", iov_len=1}, {iov_base="\x62\x63", iov_len=2}], 2) = 3
7  <... fdatasync resumed>)          = -1 EIO (Input/output error)
8  +++ exited with 0 +++"#;
        let events = events(recording);
        assert_eq!(events.len(), 6);
        let Event::Ends(opened, 11) = &events[1] else { panic!("{events:?}") };
        assert_eq!((opened.bytes(1), opened.argument(2)), (b"a,b".to_vec(), "O_WRONLY|O_APPEND"));
        assert!(matches!(&events[2], Event::Begins(call) if call.name == "fdatasync" && call.number(0) == Some(11)));
        let Event::Ends(written, 3) = &events[4] else { panic!("{events:?}") };
        assert_eq!(written.bytes(1), b"abc");
        assert!(matches!(&events[5], Event::Ends(call, -1) if call.thread == 7 && call.number(0) == Some(11)));
    }
}
