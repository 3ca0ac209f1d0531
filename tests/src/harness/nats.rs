//! A real nats-server with JetStream on a free port of loopback.

use super::port::{connect, free_port};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A server. It is killed when the value goes.
pub struct NatsServer {
    child: Child,
    program: PathBuf,
    arguments: Vec<String>,
    port: u16,
    folder: tempfile::TempDir,
    /// What [`NatsServer::api`] is let in with.
    login: Value,
}

impl NatsServer {
    /// Starts one with these arguments besides its own. `None`: it is not installed.
    pub fn start(arguments: &[&str]) -> Option<Self> {
        let program = super::kafka::program("bin/nats-server")?;
        let (folder, port) = (tempfile::tempdir().expect("a temporary folder"), free_port());
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let child = spawn(&program, &arguments, port, &folder);
        drop(connect(port));
        Some(Self { child, program, arguments, port, folder, login: Value::Null })
    }

    /// Starts one with a configuration file. `login`: members of `CONNECT` that [`NatsServer::api`] is let in with, without TLS.
    pub fn configured(site: &super::Site, configuration: &str, login: &Value) -> Option<Self> {
        let file = site.write("nats.conf", configuration);
        let mut server = Self::start(&["-c", file.to_str().expect("a path")])?;
        server.login = login.clone();
        Some(server)
    }

    /// Kills it and starts it again with what it has stored.
    pub fn restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.child = spawn(&self.program, &self.arguments, self.port, &self.folder);
        drop(connect(self.port));
    }

    /// `nats://host:port`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Asks the JetStream API.
    ///
    /// # Panics
    /// When it answers with an error.
    pub fn api(&self, subject: &str, body: &Value) -> Value {
        let mut stream = connect(self.port);
        stream.set_read_timeout(Some(super::TIMEOUT)).expect("a time-out");
        let body = body.to_string();
        let mut connect = serde_json::json!({ "verbose": false });
        if let (Value::Object(connect), Value::Object(login)) = (&mut connect, &self.login) {
            connect.extend(login.clone());
        }
        let lines = format!("CONNECT {connect}\r\nSUB _r.1 1\r\nPUB $JS.API.{subject} _r.1 {}\r\n{body}\r\n", body.len());
        stream.write_all(lines.as_bytes()).expect("a server");
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while !line.starts_with("MSG") {
            line.clear();
            assert!(reader.read_line(&mut line).expect("a server") > 0, "the server hung up");
        }
        let bytes = line.split_whitespace().next_back().and_then(|count| count.parse().ok()).expect("a count");
        let mut answer = vec![0; bytes];
        reader.read_exact(&mut answer).expect("an answer");
        let answer: Value = serde_json::from_slice(&answer).expect("JSON");
        assert!(answer.get("error").is_none(), "{subject}: {answer}");
        answer
    }

    /// Messages in a stream.
    pub fn messages(&self, stream: &str) -> u64 {
        self.api(&format!("STREAM.INFO.{stream}"), &serde_json::json!({}))["state"]["messages"].as_u64().expect("a count")
    }
}

fn spawn(program: &PathBuf, arguments: &Vec<String>, port: u16, folder: &tempfile::TempDir) -> Child {
    let mut command = Command::new(program);
    command.args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"]).arg(folder.path()).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("nats-server starts")
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
