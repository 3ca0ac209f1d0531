//! JetStream of NATS.

pub(crate) mod sink;
pub(crate) mod source;

use crate::client::all_shown;
use crate::door::Seldom;
use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, Event, ServerAddr};
use std::sync::Arc;
use std::time::Duration;
use tamis_config::{ClientTls, NatsAuth, Text};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How to reach servers.
struct Servers<'a> {
    servers: &'a [Text],
    tls: Option<&'a ClientTls>,
    auth: &'a NatsAuth,
}

impl Servers<'_> {
    /// What is wrong with the configuration, as far as it can be seen without a server.
    fn check(&self) -> Result<Vec<ServerAddr>, String> {
        if let Some(tls) = self.tls {
            for path in [&tls.ca, &tls.certificate, &tls.key].into_iter().flatten() {
                std::fs::File::open(path.as_str()).map_err(|error| crate::cannot_read("the PEM file", path, error))?;
            }
        }
        if let Some(path) = &self.auth.credentials {
            std::fs::File::open(path.as_str()).map_err(|error| crate::cannot_read("the credentials", path, error))?;
        }
        let address = |text: &Text| {
            let bad = |error| format!("`{}` is no server: {error}; write `nats://host:port`", text.shown());
            text.as_str().parse::<ServerAddr>().map_err(bad)
        };
        self.servers.iter().map(address).collect()
    }

    /// A client, which connects in the background and again whenever it has to.
    async fn connect(&self, name: &str) -> Result<Client, String> {
        let options = self.options(name).await?.retry_on_initial_connect();
        options.connect(self.check()?).await.map_err(|error| error.to_string())
    }

    /// Connects once and leaves again.
    async fn reach(&self, name: &str) -> Result<(), String> {
        let failed = |error: &dyn std::fmt::Display| format!("`{}`: {error}", all_shown(self.servers));
        let refused = |error: ConnectError| match error.kind() {
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
                failed(&format_args!("{error}: it does not know who asks: look at `auth`"))
            }
            ConnectErrorKind::Tls => failed(&format_args!("{error}: look at `tls`")),
            _ => failed(&error),
        };
        let client = self.options(name).await?.connect(self.check()?).await.map_err(refused)?;
        client.drain().await.map_err(|error| failed(&error))
    }

    async fn options(&self, name: &str) -> Result<ConnectOptions, String> {
        let seldom = Arc::new(Seldom::new());
        let mut options = ConnectOptions::new().name(name).connection_timeout(CONNECT);
        options = options.event_callback(move |event| {
            let seldom = Arc::clone(&seldom);
            async move {
                match event {
                    Event::Connected => tracing::info!("NATS: connected"),
                    // Its own end.
                    Event::Closed => {}
                    event if seldom.is_time() => tracing::warn!("NATS: {event}"),
                    event => tracing::debug!("NATS: {event}"),
                }
            }
        });
        if let Some(tls) = self.tls {
            options = options.require_tls(true);
            if let Some(path) = &tls.ca {
                options = options.add_root_certificates(path.as_path().to_path_buf());
            }
            if let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) {
                options = options.add_client_certificate(certificate.as_path().to_path_buf(), key.as_path().to_path_buf());
            }
        }
        let NatsAuth { token, user, password, nkey, credentials } = self.auth;
        if let Some(token) = token {
            options = options.token(token.as_str().to_owned());
        }
        if let (Some(user), Some(password)) = (user, password) {
            options = options.user_and_password(user.as_str().to_owned(), password.as_str().to_owned());
        }
        if let Some(seed) = nkey {
            options = options.nkey(seed.as_str().to_owned());
        }
        if let Some(path) = credentials {
            options = options.credentials_file(path.as_path()).await.map_err(|error| crate::cannot_read("the credentials", path, error))?;
        }
        Ok(options)
    }
}
