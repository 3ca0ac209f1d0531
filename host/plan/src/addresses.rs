//! Addresses that two of a host would listen at.

use crate::codes;
use std::net::IpAddr;
use tamis_config::{Admin, Config, Diagnostic, Diagnostics, Located, Sink, Source, SyslogTransport, Text};

/// Somebody who listens.
struct Listener<'a> {
    /// Who, in words.
    who: String,
    address: Located<Text>,
    tcp: bool,
    udp: bool,
    /// Where the section of whoever listens begins, for an address that no file holds.
    section: Option<&'a tamis_config::Place>,
}

/// Reports addresses that two would listen at, by the text alone: names are not looked up.
pub(crate) fn check(config: &Config, findings: &mut Diagnostics) {
    let mut known: Vec<Listener<'_>> = Vec::new();
    for listener in listeners(config) {
        if let Some(first) = known.iter().find(|first| clash(first, &listener)) {
            findings.push(told(first, &listener));
        }
        known.push(listener);
    }
}

fn listeners(config: &Config) -> Vec<Listener<'_>> {
    let mut all = Vec::new();
    for (name, source) in &config.sources {
        let (tcp, udp) = match &source.value {
            Source::Syslog(syslog) => (syslog.transport != SyslogTransport::Udp, syslog.transport != SyslogTransport::Tcp),
            _ => (true, false),
        };
        let who = |address| Listener { who: format!("source `{name}`"), address, tcp, udp, section: Some(&source.place) };
        all.extend(source.value.addresses().into_iter().map(who));
    }
    for (name, sink) in &config.sinks {
        if let Sink::Prometheus(prometheus) = &sink.value {
            let address = prometheus.listen.clone();
            all.push(Listener { who: format!("sink `{name}`"), address, tcp: true, udp: false, section: Some(&sink.place) });
        }
    }
    let admin = &config.settings.admin;
    if let Admin::Address(address) = &admin.value {
        let address = Located::new(address.clone(), admin.place.clone());
        let who = if admin.place.line > 0 { "the admin API" } else { "the admin API by default" };
        // First: whoever else wants its address is told so there.
        all.insert(0, Listener { who: who.to_owned(), address, tcp: true, udp: false, section: None });
    }
    all
}

fn clash(one: &Listener<'_>, other: &Listener<'_>) -> bool {
    let (Some((host, port)), Some((other_host, other_port))) = (parts(&one.address), parts(&other.address)) else { return false };
    // The system gives each who asks for port 0 another one.
    port != 0 && port == other_port && ((one.tcp && other.tcp) || (one.udp && other.udp)) && overlap(host, other_host)
}

fn parts(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some((host, port.parse().ok()?))
}

/// Whether what comes to one of two hosts may come to the other. `[::]` takes what comes by IPv4, too, unless the system was told otherwise.
fn overlap(one: &str, other: &str) -> bool {
    if one.eq_ignore_ascii_case(other) {
        return true;
    }
    let loopback = |host: &str, ip: IpAddr| host.eq_ignore_ascii_case("localhost") && (ip.is_loopback() || ip.is_unspecified());
    match (one.parse::<IpAddr>(), other.parse::<IpAddr>()) {
        (Ok(one), Ok(other)) => one == other || takes(one, other) || takes(other, one),
        (Ok(ip), Err(_)) => loopback(other, ip),
        (Err(_), Ok(ip)) => loopback(one, ip),
        (Err(_), Err(_)) => false,
    }
}

/// Whether one is any address, the other one's among them.
fn takes(any: IpAddr, other: IpAddr) -> bool {
    match any {
        IpAddr::V4(any) => any.is_unspecified() && other.is_ipv4(),
        IpAddr::V6(any) => any.is_unspecified(),
    }
}

fn told(first: &Listener<'_>, second: &Listener<'_>) -> Diagnostic {
    let (one, other) = (first.address.shown(), second.address.shown());
    let at = if one == other { format!("`{one}`") } else { format!("`{one}` and `{other}`, which overlap") };
    let who = match first.who == second.who {
        true => format!("{} would listen twice", first.who),
        false => format!("{} and {} would both listen", first.who, second.who),
    };
    let finding = Diagnostic::error(codes::SHARED_ADDRESS, format!("{who} at {at}")).help("give one of them another port");
    let place = |listener: &Listener<'_>| {
        let written = Some(&listener.address.place).filter(|place| place.line > 0);
        written.or(listener.section).cloned()
    };
    match (place(first), place(second)) {
        (Some(first), Some(second)) => finding.at(&second).related(&first, "the first one is here"),
        (None, Some(only)) | (Some(only), None) => {
            finding.at(&only).help("give one of them another port: `settings: { admin: … }` has that of the admin API")
        }
        (None, None) => finding,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_overlap() {
        for (one, other, expected) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("0.0.0.0", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("::", "10.0.0.1", true),
            ("::", "::1", true),
            ("::", "0.0.0.0", true),
            ("::1", "0.0.0.0", false),
            ("::1", "0:0::1", true),
            ("localhost", "LOCALHOST", true),
            ("localhost", "127.0.0.1", true),
            ("localhost", "0.0.0.0", true),
            ("localhost", "10.0.0.1", false),
            ("a.example", "b.example", false),
        ] {
            assert_eq!((overlap(one, other), overlap(other, one)), (expected, expected), "{one} {other}");
        }
    }
}
