//! Real senders of syslog, the forward protocol and Lumberjack: rsyslog, and clients of `tests/wire`.

use super::{Live, Site, root};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A client of `tests/wire` with these arguments. `None`: what it needs is not installed; then says which test is skipped.
pub fn wire_client(script: &str, arguments: &[&str]) -> Option<Command> {
    let root = root();
    let (program, needed): (PathBuf, PathBuf) = if script.ends_with(".py") {
        (root.join("target/tools/servers/bin/python"), root.join("target/tools/servers/installed.txt"))
    } else {
        ("node".into(), root.join("target/tools/wire/installed.json"))
    };
    if !needed.is_file() {
        eprintln!("skipped: there is nothing to run {script} with; `sh tests/servers.sh` installs it");
        return None;
    }
    let mut command = Command::new(program);
    command.arg(root.join("tests/wire").join(script)).args(arguments);
    command.env("WIRE_MODULES", root.join("target/tools/wire/node_modules"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(command)
}

/// Starts rsyslog with a configuration, in a site's folder. `None`: it is not installed, or without TLS; then says which test is skipped.
pub fn rsyslog(site: &Site, configuration: &str) -> Option<Live> {
    let program = Path::new("/usr/sbin/rsyslogd");
    if !program.is_file() {
        eprintln!("skipped: there is no rsyslogd; `sh tests/servers.sh` installs it");
        return None;
    }
    site.write("rsyslog.conf", configuration);
    let mut command = Command::new(program);
    command.args(["-n", "-f"]).arg(site.path("rsyslog.conf")).arg("-i").arg(site.path("rsyslog.pid"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(Live::start(command))
}
