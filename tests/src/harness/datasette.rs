//! datasette with its plugin that takes JSON, on a free port of loopback: a web server of another project that keeps what it is sent.

use super::kafka::program;
use super::port::free_port;
use super::process::eventually;
use super::{Live, Site};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A server over HTTPS that wants a token. It is killed when the value goes.
pub struct Datasette {
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    server: Live,
}

impl Datasette {
    /// What a client shows.
    pub const TOKEN: &str = "open-sesame";

    /// Starts it with the certificates of a site, in whose folder it keeps `records.db`. `None`: it is not installed; then says which test
    /// is skipped.
    pub fn start(site: &Site) -> Option<Self> {
        let program = program("bin/datasette")?;
        let plugins = serde_json::json!({
            "datasette-auth-tokens": { "tokens": [{ "token": Self::TOKEN, "actor": { "id": "tamis" } }] },
            "datasette-insert": { "allow": { "id": "tamis" } },
        });
        site.write("datasette.json", serde_json::json!({ "plugins": plugins }).to_string());
        let (folder, port) = (site.path(""), free_port());
        let server = serve(&program, &folder, port);
        Some(Self { program, folder, port, server })
    }

    /// Where it takes arrays of JSON.
    pub fn url(&self) -> String {
        format!("https://localhost:{}/-/insert/records/lines", self.port)
    }

    /// Kills it, and starts it again where it was.
    #[must_use]
    pub fn killed(self) -> Self {
        self.server.signal("KILL");
        eventually("it is gone", || TcpStream::connect(("127.0.0.1", self.port)).is_err());
        // It opens its file for reading first, and cannot so long as SQLite's journal of a broken transaction is there.
        self.records();
        Self { server: serve(&self.program, &self.folder, self.port), ..self }
    }

    /// How many records it has, and how many different ones by their field `n`.
    ///
    /// # Panics
    /// When its file cannot be read.
    pub fn records(&self) -> (usize, usize) {
        const SCRIPT: &str = "import sqlite3, sys\n\
            print(*sqlite3.connect(sys.argv[1], timeout=60).execute('select count(*), count(distinct n) from lines').fetchone())";
        let mut command = Command::new(self.program.with_file_name("python"));
        command.args(["-c", SCRIPT]).arg(self.folder.join("records.db")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let run = Live::start(command).wait();
        if run.err.contains("no such table") {
            return (0, 0);
        }
        let text = run.text();
        let mut counts = text.split_whitespace().map(|count| count.parse().unwrap_or_else(|_| panic!("{run}")));
        (counts.next().unwrap_or_else(|| panic!("{run}")), counts.next().unwrap_or_else(|| panic!("{run}")))
    }
}

fn serve(program: &PathBuf, folder: &PathBuf, port: u16) -> Live {
    let mut command = Command::new(program);
    command.args(["serve", "records.db", "--create", "--metadata", "datasette.json", "--port", &port.to_string()]);
    command.args(["--ssl-certfile", "server.pem", "--ssl-keyfile", "server.key"]).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = Live::start(command);
    eventually("datasette listens", || {
        assert!(server.runs(), "{}", server.err());
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    server
}
