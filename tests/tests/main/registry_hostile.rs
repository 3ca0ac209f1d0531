//! Registries that lie, stall, flood, and send us elsewhere.

use std::io::Write;
use std::process::Command;
use tamis_tests::harness::{Live, RawServer, Run, Site, USER, answer};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The digest of nothing.
const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn manifest(size: u64) -> String {
    format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{MANIFEST}\",\
         \"config\":{{\"mediaType\":\"application/vnd.wasm.config.v0+json\",\"digest\":\"{DIGEST}\",\"size\":2}},\
         \"layers\":[{{\"mediaType\":\"application/wasm\",\"digest\":\"{DIGEST}\",\"size\":{size}}}]}}"
    )
}

fn pull(address: &str, set: impl Fn(&mut Command)) -> (Site, Run) {
    let site = Site::new();
    let mut command = site.command(["plugin", "pull", &format!("oci://{address}/team/tenant:1"), "--out", "x.wasm"]);
    command.env("HOME", site.path("nobody"));
    set(&mut command);
    let run = Live::start(command).wait();
    (site, run)
}

#[track_caller]
fn refused(server: &RawServer, says: &str) -> Run {
    let (site, run) = pull(&server.address(), |_| {});
    assert!(matches!(run.code, Some(1 | 3)), "{run}");
    assert!(run.err.contains(says), "expected `{says}`: {run}");
    assert!(!run.err.contains('\u{1b}'), "{run}");
    assert!(!site.path("x.wasm").exists());
    run
}

fn is_blob(head: &str) -> bool {
    head.contains("/blobs/")
}

#[test]
fn other_bytes_than_asked_for_are_not_used() {
    let server = RawServer::start(|head, stream| match is_blob(head) {
        true => answer(stream, 200, "", b"evil"),
        false => answer(stream, 200, "", manifest(4).as_bytes()),
    });
    refused(&server, "sent other bytes, and they are not used");
    let (_, run) = pull(&server.address(), |_| {});
    assert_eq!(run.code, Some(1));
    let site = Site::new();
    let pinned = format!("oci://{}/team/tenant@{DIGEST}", server.address());
    let run = site.run(["plugin", "pull", &pinned]);
    assert!(run.code == Some(1) && run.err.contains("sent other bytes"), "{run}");
}

#[test]
fn a_body_without_end_is_cut() {
    for length in ["", "Content-Length: 99999999999\r\n"] {
        let server = RawServer::start(move |head, stream| {
            if !is_blob(head) {
                return answer(stream, 200, "", manifest(1000).as_bytes());
            }
            write!(stream, "HTTP/1.1 200 said\r\n{length}Connection: close\r\n\r\n")?;
            loop {
                stream.write_all(&[7; 65_536])?;
            }
        });
        refused(&server, "is larger than 1000 bytes");
    }
    let server = RawServer::start(|_, stream| {
        write!(stream, "HTTP/1.1 200 said\r\nConnection: close\r\n\r\n")?;
        loop {
            stream.write_all(&[b' '; 65_536])?;
        }
    });
    refused(&server, "is larger than 4194304 bytes");
    let server = RawServer::start(|_, stream| {
        write!(stream, "HTTP/1.1 200 said\r\n")?;
        loop {
            stream.write_all(b"x-more: and more\r\n")?;
        }
    });
    refused(&server, "cannot be reached");
    let server = RawServer::start(|_, stream| answer(stream, 200, "", manifest(u64::MAX).as_bytes()));
    refused(&server, "is larger than 1073741824 bytes");
}

#[test]
fn what_is_no_answer_is_told() {
    for body in ["{}", "<html>", "{\"schemaVersion\":2,\"manifests\":[]}"] {
        let server = RawServer::start(move |_, stream| answer(stream, 200, "", body.as_bytes()));
        refused(&server, "expected an OCI image manifest");
    }
    for (status, body, says) in [
        (404, "", "is not in the registry"),
        (500, "{\"errors\":[{\"message\":\"\\u001b[2Jgone\"}]}", "answered 500"),
        (403, "", "does not allow it (403"),
        (304, "", "a redirection without an address"),
    ] {
        let server = RawServer::start(move |_, stream| answer(stream, status, "", body.as_bytes()));
        refused(&server, says);
    }
    let server = RawServer::start(|_, stream| stream.write_all(b"HTTP/1.1 200 said\r\nContent-Length: 100\r\n\r\nhalf"));
    refused(&server, "the answer broke off");
    drop(server);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (_, run) = pull(&closed, |_| {});
    assert_eq!(run.code, Some(3), "{run}");
    assert!(run.err.contains("cannot be reached"), "{run}");
}

fn authenticated(command: &mut Command, registry: &str) {
    command.env("TAMIS_REGISTRY", registry).env("TAMIS_REGISTRY_USER", USER.0).env("TAMIS_REGISTRY_PASSWORD", USER.1);
}

#[test]
fn a_redirection_to_another_host_carries_no_credentials() {
    let elsewhere = RawServer::start(|_, stream| answer(stream, 200, "", b""));
    let target = format!("http://{}/blob", elsewhere.address());
    let server = RawServer::start(move |head, stream| {
        let authorized = head.to_lowercase().contains("authorization: basic ");
        match (authorized, is_blob(head)) {
            (false, _) => answer(stream, 401, "WWW-Authenticate: Basic realm=\"r\"\r\n", b""),
            (true, true) => answer(stream, 307, &format!("Location: {target}\r\n"), b""),
            (true, false) => answer(stream, 200, "", manifest(0).as_bytes()),
        }
    });
    let (site, run) = pull(&server.address(), |command| authenticated(command, &server.address()));
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(site.read("x.wasm"), b"");
    let heads = elsewhere.heads();
    assert_eq!(heads.len(), 1, "{heads:?}");
    assert!(!heads[0].to_lowercase().contains("authorization"), "{heads:?}");
}

#[test]
fn redirections_end_and_lead_nowhere_without_tls() {
    for (location, says) in [
        ("/v2/again", "more than 5 redirections"),
        ("http://registry.example/x", "without TLS"),
        ("file:///etc/passwd", "a redirection without an address"),
        ("https://user@registry.example/x", "not https://host"),
    ] {
        let server = RawServer::start(move |_, stream| answer(stream, 302, &format!("Location: {location}\r\n"), b""));
        refused(&server, says);
        assert!(server.heads().len() <= 6, "{location}");
    }
}

#[test]
fn a_token_is_fetched_with_the_credentials_and_used_without_them() {
    let tokens = RawServer::start(|_, stream| answer(stream, 200, "", b"{\"token\":\"a-token\"}"));
    let realm = format!("http://{}/token", tokens.address());
    let server = RawServer::start(move |head, stream| {
        if !head.to_lowercase().contains("authorization: bearer a-token") {
            let challenge = format!("WWW-Authenticate: Bearer realm=\"{realm}\",service=\"r\",scope=\"repository:team/tenant:pull\"\r\n");
            return answer(stream, 401, &challenge, b"");
        }
        if is_blob(head) { answer(stream, 200, "", b"") } else { answer(stream, 200, "", manifest(0).as_bytes()) }
    });
    let (_, run) = pull(&server.address(), |command| authenticated(command, &server.address()));
    assert_eq!(run.code, Some(0), "{run}");
    let asked = tokens.heads();
    assert_eq!(asked.len(), 1, "one token serves for all: {asked:?}");
    assert!(asked[0].starts_with("GET /token?scope=repository%3Ateam%2Ftenant%3Apull&service=r "), "{asked:?}");
    assert!(asked[0].to_lowercase().contains("authorization: basic "), "{asked:?}");
    assert!(server.heads().iter().all(|head| !head.to_lowercase().contains("basic ")), "the registry gets the token alone");
    // Without credentials the token is asked for all the same: public plugins are read so.
    let (_, run) = pull(&server.address(), |_| {});
    assert_eq!(run.code, Some(0), "{run}");
    assert!(!tokens.heads()[1].to_lowercase().contains("authorization"));
}

#[test]
fn a_token_that_breaks_the_header_is_not_sent() {
    let server = RawServer::start(|head, stream| {
        if head.starts_with("GET /token") {
            return answer(stream, 200, "", b"{\"token\":\"a\\r\\nx-evil: 1\"}");
        }
        let host = head.lines().find_map(|line| line.strip_prefix("host: ").or_else(|| line.strip_prefix("Host: "))).unwrap_or_default();
        answer(stream, 401, &format!("WWW-Authenticate: Bearer realm=\"http://{host}/token\"\r\n"), b"")
    });
    refused(&server, "a token or an address that cannot be sent");
    assert!(server.heads().iter().all(|head| !head.contains("x-evil")));
}

#[test]
fn other_hosts_are_spoken_to_with_tls_alone() {
    // 127.0.0.2 is not one of the names for which TLS is left out.
    let server = RawServer::start_on("127.0.0.2:0", |_, stream| answer(stream, 200, "", b"{}"));
    let (_, run) = pull(&server.address(), |_| {});
    assert_eq!(run.code, Some(3), "{run}");
    assert_eq!(server.heads(), [""; 0], "nothing was said in clear");
    let (_, run) = pull(&server.address(), |command| {
        command.env("TAMIS_REGISTRY_PLAIN_HTTP", server.address());
    });
    assert!(run.err.contains("expected an OCI image manifest"), "{run}");
}
