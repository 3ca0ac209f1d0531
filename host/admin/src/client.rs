//! A client of the API, for the operator's commands: one request a connection, with limits on time and on what comes back.

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// Where the API listens by default.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:9480";
/// How long connecting may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the answer to something that is only read may take.
pub const READ_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the answer to a change may take: longer than the host waits for it.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of an answer.
pub const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of a token.
const TOKEN_BYTES_MAX: usize = 512;

/// Where a host's API listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// On `host:port`.
    Tcp(String),
    /// On the Unix socket of this path.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Address {
    type Err = ClientError;

    fn from_str(text: &str) -> Result<Self, ClientError> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty() && !path.contains('\0')) {
            return Ok(Self::Unix(path.into()));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(|| ClientError::NoAddress(text.into()))?;
        let sound = host != "unix" && !host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic() && !b"/@?#".contains(&b));
        match port.parse::<u16>() {
            Ok(port) if port > 0 && sound => Ok(Self::Tcp(text.into())),
            _ => Err(ClientError::NoAddress(text.into())),
        }
    }
}

/// A token. It is not shown.
#[derive(Clone)]
pub struct Token(HeaderValue);

impl Token {
    /// Takes the text of a token, without the space around it.
    ///
    /// # Errors
    /// When it holds what no token does.
    pub fn new(text: &str) -> Result<Self, ClientError> {
        let text = text.trim();
        let sound = !text.is_empty() && text.len() <= TOKEN_BYTES_MAX && text.bytes().all(|b| b.is_ascii_graphic());
        let mut value = sound.then(|| HeaderValue::try_from(format!("Bearer {text}")).ok()).flatten().ok_or(ClientError::NoToken)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// The value of the header `Authorization`; not to be shown.
    pub fn header(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is none.
    #[error("`{}` is no address: `host:port` or `unix:/path` was expected, as in `127.0.0.1:9480`", .0.escape_debug())]
    NoAddress(String),
    /// The token is none.
    #[error("that is no token: visible ASCII characters were expected, {TOKEN_BYTES_MAX} at most")]
    NoToken,
    /// Nobody answers there.
    #[error("the host cannot be reached on {address}: {error}")]
    Unreachable {
        /// Where.
        address: String,
        /// Why.
        error: io::Error,
    },
    /// Somebody answers, but not as the API does.
    #[error("what answers on {address} is not a Tamis admin API: {reason}")]
    Strange {
        /// Where.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// It takes too long.
    #[error("no answer from {address} within {} s", .within.as_secs())]
    Late {
        /// Where.
        address: String,
        /// How long was waited.
        within: Duration,
    },
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Asks a host.
#[derive(Debug, Clone)]
pub struct Client {
    address: Address,
    token: Option<Token>,
}

impl Client {
    /// A client of the host at an address.
    pub fn new(address: Address, token: Option<Token>) -> Self {
        Self { address, token }
    }

    /// Where it asks.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The failure of an answer that no host gives.
    pub fn strange(&self, reason: impl Into<String>) -> ClientError {
        ClientError::Strange { address: self.address.to_string(), reason: reason.into() }
    }

    /// Whether it shows a token.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Reads.
    ///
    /// # Errors
    /// When there is no answer; one that says no is an answer.
    pub async fn get(&self, path: &str) -> Result<Answer, ClientError> {
        self.ask(Method::GET, path, READ_TIMEOUT).await
    }

    /// Asks for a change. `parameters` become the query.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn post(&self, path: &str, parameters: &[(&str, String)]) -> Result<Answer, ClientError> {
        self.ask(Method::POST, &format!("{path}{}", query(parameters)), WRITE_TIMEOUT).await
    }

    async fn ask(&self, method: Method, path: &str, within: Duration) -> Result<Answer, ClientError> {
        let address = || self.address.to_string();
        let late = |within| move |_| ClientError::Late { address: self.address.to_string(), within };
        let unreachable = |error| ClientError::Unreachable { address: self.address.to_string(), error };
        let asked = async {
            match &self.address {
                Address::Tcp(to) => {
                    let connection = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(to)).await;
                    self.talk(connection.map_err(late(CONNECT_TIMEOUT))?.map_err(unreachable)?, method, path, to).await
                }
                Address::Unix(socket) => {
                    let connection = tokio::time::timeout(CONNECT_TIMEOUT, UnixStream::connect(socket)).await;
                    self.talk(connection.map_err(late(CONNECT_TIMEOUT))?.map_err(unreachable)?, method, path, "localhost").await
                }
            }
        };
        let answer = tokio::time::timeout(within, asked).await.map_err(late(within))??;
        if answer.status < 200 {
            return Err(ClientError::Strange { address: address(), reason: format!("status {}", answer.status) });
        }
        Ok(answer)
    }

    async fn talk<C>(&self, connection: C, method: Method, path: &str, host: &str) -> Result<Answer, ClientError>
    where
        C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let strange = |reason: String| ClientError::Strange { address: self.address.to_string(), reason };
        let http = |error: hyper::Error| strange(error.to_string());
        let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(connection)).await.map_err(http)?;
        let driver = tokio::spawn(driver);
        let mut request = Request::builder().method(method).uri(path).header(HOST, host);
        if let Some(Token(token)) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| strange(error.to_string()))?;
        let answered = async {
            let answer = sender.send_request(request).await.map_err(http)?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body =
                body.map_err(|error| strange(format!("its answer ends early or has more than {ANSWER_BYTES_MAX} bytes: {error}")))?;
            Ok(Answer { status, body: body.to_bytes().into() })
        };
        let answer = answered.await;
        driver.abort();
        answer
    }
}

/// `?name=value&…` with everything encoded that has a meaning of its own; nothing without parameters.
fn query(parameters: &[(&str, String)]) -> String {
    let mut text = String::new();
    for (name, value) in parameters {
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                text.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[test]
    fn addresses() {
        for good in ["127.0.0.1:9480", "[::1]:1", "host.example:65535"] {
            assert_eq!(good.parse::<Address>().unwrap().to_string(), good);
        }
        assert_eq!("unix:/a b".parse::<Address>().unwrap(), Address::Unix("/a b".into()));
        for bad in ["", "host", "host:", ":1", "host:0", "host:x", "host:65536", "unix:", "http://host:80", "a b:1", "a/b:1", "unix:\0:1"] {
            assert!(bad.parse::<Address>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn parameters_are_encoded() {
        let parameters = [("why", "a b&c=d é".to_string()), ("to", "4".to_string())];
        assert_eq!(query(&parameters), "?why=a%20b%26c%3Dd%20%C3%A9&to=4");
        assert_eq!(query(&[]), "");
    }

    #[test]
    fn a_token_has_one_line_and_is_not_shown() {
        let token = Token::new(" abc\n").unwrap();
        assert_eq!(token.0.as_bytes(), b"Bearer abc");
        assert!(!format!("{token:?} {:?}", Client::new("a:1".parse().unwrap(), Some(token.clone()))).contains("abc"));
        for bad in ["", " ", "a b", "a\nb", "é", &"x".repeat(TOKEN_BYTES_MAX + 1)] {
            assert!(Token::new(bad).is_err(), "{bad:?}");
        }
    }

    /// What the client makes of a server that says this and hangs up.
    async fn said(answer: Vec<u8>) -> Result<Answer, ClientError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = connection.read(&mut request).await;
            let _ = connection.write_all(&answer).await;
        });
        Client::new(address.parse().unwrap(), None).get("/v1/status").await
    }

    #[tokio::test]
    async fn what_is_not_the_api_is_told_apart() {
        let answer = said(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".into()).await.unwrap();
        assert_eq!((answer.status, answer.json()), (200, serde_json::json!({})));
        for strange in [&b"SSH-2.0-x\r\n\r\n"[..], b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"] {
            assert!(matches!(said(strange.into()).await, Err(ClientError::Strange { .. })), "{}", strange.escape_ascii());
        }
        let mut large = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        large.resize(ANSWER_BYTES_MAX + 100, b'x');
        assert!(matches!(said(large).await, Err(ClientError::Strange { .. })));
    }

    #[tokio::test]
    async fn nobody_there() {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
        for address in [gone.as_str(), "unix:/nowhere/admin.sock"] {
            let error = Client::new(address.parse().unwrap(), None).get("/livez").await.unwrap_err();
            assert!(matches!(error, ClientError::Unreachable { .. }) && error.to_string().contains(address), "{error}");
        }
    }
}
