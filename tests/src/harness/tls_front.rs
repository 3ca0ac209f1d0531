//! stunnel, which speaks TLS in front of a server that does not.

use super::Site;
use super::port::connect;
use std::process::{Child, Command, Stdio};

/// It is killed when the value goes.
pub struct TlsFront {
    child: Child,
    port: u16,
}

impl TlsFront {
    /// Listens at one port and connects to another; shows a certificate of the site's (`server`, `elsewhere`) and, if it `demands` one,
    /// lets in only clients with one of the site's authority. `None`, with a message: there is no stunnel.
    pub fn start(site: &Site, port: u16, to: u16, certificate: &str, demands: bool) -> Option<Self> {
        let path = |name: &str| site.path(name).display().to_string();
        let mut config = format!(
            "foreground = yes\npid =\n[tls]\naccept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{to}\ncert = {}\nkey = {}\n",
            path(&format!("{certificate}.pem")),
            path(&format!("{certificate}.key"))
        );
        if demands {
            config.push_str(&format!("CAfile = {}\nverifyChain = yes\nrequireCert = yes\n", path("ca.pem")));
        }
        let config = site.write(&format!("stunnel-{port}.conf"), config);
        let mut command = Command::new("stunnel");
        command.arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(child) = command.spawn() else {
            eprintln!("skipped: there is no stunnel; `sh tests/servers.sh` installs it");
            return None;
        };
        let front = Self { child, port };
        drop(connect(port));
        Some(front)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
