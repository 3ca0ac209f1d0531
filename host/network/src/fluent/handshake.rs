//! What both sides show each other before the first message: that they know a key, without sending it.

use super::message::put_text;
use super::scan::Scan;
use crate::server::inbox::Inbox;
use crate::server::{Context, Stream};
use rmpv::ValueRef;
use rmpv::decode::read_value_ref_with_max_depth;
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;
use tamis_config::FluentSecurity;
use tokio::io::{AsyncWrite, AsyncWriteExt, ReadHalf};

/// Bytes of the client's answer.
const PING_BYTES_MAX: usize = 8 * 1024;
const NONCE_BYTES: usize = 16;

/// What the server says of itself, anew for each connection.
struct Salts {
    nonce: [u8; NONCE_BYTES],
    /// For the user's password.
    auth: [u8; NONCE_BYTES],
}

/// Shakes hands. `Err`: what is counted, and the connection ends.
pub(super) async fn shake<W: AsyncWrite + Unpin>(
    inbox: &mut Inbox<ReadHalf<Box<dyn Stream>>>,
    writer: &mut W,
    security: &FluentSecurity,
    context: &Context,
) -> Result<(), &'static str> {
    let salts = Salts::new().ok_or("handshake_failed")?;
    let written = async |writer: &mut W, bytes: Vec<u8>| {
        let all = writer.write_all(&bytes).await;
        all.and(writer.flush().await).map_err(|_| "handshake_failed")
    };
    written(writer, helo(security, &salts)).await?;
    let mut scan = Scan::default();
    let end = loop {
        match scan.end(inbox.filled(), PING_BYTES_MAX) {
            Ok(Some(end)) => break end,
            Ok(None) => inbox.more(scan.least() + 1, context).await.map_err(|_| "handshake_failed")?,
            Err(_) => return Err("handshake_failed"),
        }
    };
    let judged = judge(inbox.filled().get(..end).unwrap_or_default(), security, &salts);
    inbox.consume(end);
    match judged {
        Ok(pong) => written(writer, pong).await,
        Err(reason) => {
            written(writer, refusal(reason)).await?;
            Err("unauthorized")
        }
    }
}

impl Salts {
    fn new() -> Option<Self> {
        let mut salts = Self { nonce: [0; NONCE_BYTES], auth: [0; NONCE_BYTES] };
        let random = rustls::crypto::ring::default_provider().secure_random;
        random.fill(&mut salts.nonce).ok()?;
        random.fill(&mut salts.auth).ok()?;
        Some(salts)
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&[0xc4, u8::try_from(bytes.len()).unwrap_or(u8::MAX)]);
    out.extend_from_slice(bytes);
}

/// `["HELO", {nonce, auth, keepalive}]`; an empty `auth` asks for no user.
fn helo(security: &FluentSecurity, salts: &Salts) -> Vec<u8> {
    let mut bytes = vec![0x92];
    put_text(&mut bytes, b"HELO");
    bytes.push(0x83);
    put_text(&mut bytes, b"nonce");
    put_bytes(&mut bytes, &salts.nonce);
    put_text(&mut bytes, b"auth");
    put_bytes(&mut bytes, if security.users.is_empty() { b"" } else { &salts.auth });
    put_text(&mut bytes, b"keepalive");
    bytes.push(0xc3);
    bytes
}

/// `["PONG", false, reason, "", ""]`
fn refusal(reason: &str) -> Vec<u8> {
    let mut bytes = vec![0x95];
    put_text(&mut bytes, b"PONG");
    bytes.push(0xc2);
    put_text(&mut bytes, reason.as_bytes());
    put_text(&mut bytes, b"");
    put_text(&mut bytes, b"");
    bytes
}

/// Looks at `["PING", hostname, salt, digest, user, digest of the password]`; gives `["PONG", true, "", hostname, digest]`.
fn judge(mut ping: &[u8], security: &FluentSecurity, salts: &Salts) -> Result<Vec<u8>, &'static str> {
    const FORM: &str = "expected PING";
    let Ok(ValueRef::Array(parts)) = read_value_ref_with_max_depth(&mut ping, 16) else { return Err(FORM) };
    let part = |at: usize| match parts.get(at) {
        Some(ValueRef::String(text)) => Ok(text.as_bytes()),
        Some(ValueRef::Binary(bytes)) => Ok(*bytes),
        _ => Err(FORM),
    };
    if part(0)? != b"PING" {
        return Err(FORM);
    }
    let (hostname, salt) = (part(1)?, part(2)?);
    let key = security.shared_key.as_bytes();
    if hostname == security.hostname.as_bytes() {
        return Err("both sides give themselves the same hostname");
    }
    if !is_digest(part(3)?, &[salt, hostname, &salts.nonce, key]) {
        return Err("shared_key mismatch");
    }
    if !security.users.is_empty() {
        let user = part(4)?;
        // A user that there is not takes as long as one that there is.
        let known = std::str::from_utf8(user).ok().and_then(|user| security.users.get(user));
        let is_right = is_digest(part(5)?, &[&salts.auth, user, known.map_or(b"".as_slice(), |password| password.as_bytes())]);
        if known.is_none() || !is_right {
            return Err("username/password mismatch");
        }
    }
    let mut pong = vec![0x95];
    put_text(&mut pong, b"PONG");
    pong.push(0xc3);
    put_text(&mut pong, b"");
    put_text(&mut pong, security.hostname.as_bytes());
    put_text(&mut pong, digest(&[salt, security.hostname.as_bytes(), &salts.nonce, key]).as_bytes());
    Ok(pong)
}

fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha512::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_digest(shown: &[u8], parts: &[&[u8]]) -> bool {
    digest(parts).as_bytes().ct_eq(shown).into()
}
