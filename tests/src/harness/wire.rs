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

/// Starts syslog-ng, in a site's folder. What it knows of an earlier start in this folder, such as how far it read a file, it goes on from.
/// `None`: it is not there; then says which test is skipped.
pub fn syslog_ng(site: &Site, configuration: &str) -> Option<Live> {
    let folder = root().join("target/tools/syslog-ng/usr");
    let program = folder.join("sbin/syslog-ng");
    if !program.is_file() {
        eprintln!("skipped: there is no syslog-ng; `sh tests/servers.sh` unpacks it");
        return None;
    }
    site.write("syslog-ng.conf", configuration);
    let mut command = Command::new(program);
    command.args(["--foreground", "--stderr", "--no-caps", "--cfgfile"]).arg(site.path("syslog-ng.conf"));
    for (option, file) in [("--persist-file", "persist"), ("--pidfile", "pid"), ("--control", "control")] {
        command.arg(option).arg(site.path(&format!("syslog-ng.{file}")));
    }
    command.arg("--module-path").arg(folder.join("lib/syslog-ng/3.38")).env("LD_LIBRARY_PATH", folder.join("lib/syslog-ng"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(Live::start(command))
}

/// rsyslog's configuration that reads `input.log` of a site and forwards it, with certificates where the action asks for them. Its queue
/// goes to disk, and it tries for ever, once a second. When rsyslog ends it forgets what stands in its main queue, the lines that did not fit
/// into the action's queue, and the messages in hand when that queue's time is over: hence no main queue, a large one, and enough time.
pub fn forwarding(site: &Site, action: &str) -> String {
    let at = site.path("").display().to_string().trim_end_matches('/').to_owned();
    format!(
        "global(workDirectory=\"{at}\" DefaultNetstreamDriverCAFile=\"{at}/ca.pem\" DefaultNetstreamDriverCertFile=\"{at}/client.pem\"\n\
         DefaultNetstreamDriverKeyFile=\"{at}/client.key\")\nmain_queue(queue.type=\"Direct\")\nmodule(load=\"imfile\")\nmodule(load=\"omrelp\")\n\
         input(type=\"imfile\" file=\"{at}/input.log\" tag=\"app:\" ruleset=\"out\")\n\
         ruleset(name=\"out\") {{ action({action} target=\"127.0.0.1\" template=\"RSYSLOG_SyslogProtocol23Format\"\n\
         queue.type=\"LinkedList\" queue.size=\"200000\" queue.filename=\"out\" queue.saveOnShutdown=\"on\" queue.timeoutShutdown=\"60000\"\n\
         action.resumeRetryCount=\"-1\" action.resumeInterval=\"1\") }}\n"
    )
}

/// Whether rsyslog can send by RELP. If not, says which test is skipped.
pub fn has_relp() -> bool {
    let has = ["x86_64", "aarch64"].iter().any(|machine| Path::new(&format!("/usr/lib/{machine}-linux-gnu/rsyslog/omrelp.so")).is_file());
    if !has {
        eprintln!("skipped: rsyslog has no RELP; `sh tests/servers.sh` installs it");
    }
    has
}
