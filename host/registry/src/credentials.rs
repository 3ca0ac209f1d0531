//! Who we are to a registry: from the environment, or from docker's configuration file. Nothing of it is ever printed.
//!
//! Credentials belong to one registry and are sent to no other.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::Error;
use crate::read::read_at_most;

/// The registry (`host` or `host:port`) that the two variables below are for.
pub const REGISTRY_VARIABLE: &str = "TAMIS_REGISTRY";
/// The user's name.
pub const USER_VARIABLE: &str = "TAMIS_REGISTRY_USER";
/// The password or access token.
pub const PASSWORD_VARIABLE: &str = "TAMIS_REGISTRY_PASSWORD";
/// Largest configuration file of docker that is read.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// What proves who we are.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A user and a password.
    Password {
        /// The user's name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token that buys access tokens (docker's `identitytoken`).
    Identity(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(not shown)")
    }
}

impl Credentials {
    /// The value of an `Authorization` header for basic authentication; an identity token has none.
    pub(crate) fn basic(&self) -> Option<String> {
        match self {
            Self::Password { user, password } => Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))),
            Self::Identity(_) => None,
        }
    }
}

/// Credentials by registry.
#[derive(Debug, Clone, Default)]
pub struct Keyring(BTreeMap<String, Credentials>);

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, DockerAuth>,
}

#[derive(Deserialize)]
struct DockerAuth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

impl Keyring {
    /// What this process's environment and docker's `config.json` (in `$DOCKER_CONFIG`, otherwise `~/.docker`) hold. The
    /// environment comes first. Credential helpers are not asked.
    ///
    /// # Errors
    /// For a file that is there and cannot be read, and for variables that are set in part.
    pub fn from_environment() -> Result<Self, Error> {
        let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let folder = var("DOCKER_CONFIG").map(PathBuf::from).or_else(|| var("HOME").map(|home| Path::new(&home).join(".docker")));
        let mut keyring = match folder.map(|folder| folder.join("config.json")).filter(|path| path.exists()) {
            Some(path) => Self::from_docker(&path)?,
            None => Self::default(),
        };
        match (var(REGISTRY_VARIABLE), var(USER_VARIABLE), var(PASSWORD_VARIABLE)) {
            (Some(registry), Some(user), Some(password)) => {
                keyring.0.insert(registry, Credentials::Password { user, password });
            }
            (_, None, None) => {}
            _ => {
                let reason = format!("expected all of {REGISTRY_VARIABLE}, {USER_VARIABLE} and {PASSWORD_VARIABLE}, or none");
                return Err(Error::Credentials { place: "environment".to_owned(), reason });
            }
        }
        Ok(keyring)
    }

    /// What docker's configuration file holds under `auths`.
    ///
    /// # Errors
    /// For a file that cannot be read or is not docker's.
    pub fn from_docker(path: &Path) -> Result<Self, Error> {
        let wrong = |reason: &str| Error::Credentials { place: path.display().to_string(), reason: reason.to_owned() };
        let bytes = read_at_most(path, CONFIG_BYTES_MAX)?.ok_or_else(|| wrong("expected docker's config.json of at most 1 MiB"))?;
        // Not serde's message, which may quote a secret.
        let config: DockerConfig = serde_json::from_slice(&bytes).map_err(|_| wrong("expected docker's config.json, with `auths`"))?;
        let mut all = BTreeMap::new();
        for (name, auth) in config.auths {
            if let Some(credentials) = credentials_of(auth).map_err(|()| wrong("expected `auth` to hold base64 of `user:password`"))? {
                all.insert(registry_of(&name).to_owned(), credentials);
            }
        }
        Ok(Self(all))
    }

    /// The credentials for a registry.
    pub fn get(&self, registry: &str) -> Option<&Credentials> {
        self.0.get(registry)
    }
}

/// Docker writes `host`, `host:port` or `https://host/v1/`.
fn registry_of(name: &str) -> &str {
    let rest = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://")).unwrap_or(name);
    rest.split('/').next().unwrap_or(rest)
}

fn credentials_of(auth: DockerAuth) -> Result<Option<Credentials>, ()> {
    if let Some(token) = auth.identitytoken.filter(|token| !token.is_empty()) {
        return Ok(Some(Credentials::Identity(token)));
    }
    if let (Some(user), Some(password)) = (auth.username, auth.password) {
        return Ok(Some(Credentials::Password { user, password }));
    }
    // Docker leaves an empty entry where a helper has the password.
    let Some(encoded) = auth.auth.filter(|auth| !auth.is_empty()) else { return Ok(None) };
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).map_err(drop)?).map_err(drop)?;
    let (user, password) = decoded.trim_end_matches('\0').split_once(':').ok_or(())?;
    Ok(Some(Credentials::Password { user: user.to_owned(), password: password.to_owned() }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Keyring, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, text).unwrap();
        Keyring::from_docker(&path)
    }

    #[test]
    fn docker_writes_credentials_in_several_ways() {
        let keyring = read(
            r#"{ "auths": {
                "a.example": { "auth": "amVhbjpzM2NyM3Q6eA==" },
                "https://b.example:5000/v1/": { "username": "jean", "password": "p" },
                "c.example": { "identitytoken": "t" },
                "d.example": {} },
              "credsStore": "desktop", "HttpHeaders": {} }"#,
        )
        .unwrap();
        let password = |user: &str, password: &str| Credentials::Password { user: user.into(), password: password.into() };
        assert_eq!(keyring.get("a.example"), Some(&password("jean", "s3cr3t:x")));
        assert_eq!(keyring.get("b.example:5000"), Some(&password("jean", "p")));
        assert_eq!(keyring.get("c.example"), Some(&Credentials::Identity("t".into())));
        assert_eq!(keyring.get("d.example"), None);
        assert_eq!(keyring.get("other.example"), None);
    }

    #[test]
    fn nothing_of_them_is_shown() {
        let keyring = read(r#"{ "auths": { "a": { "username": "jean", "password": "s3cr3t" } } }"#).unwrap();
        assert!(!format!("{keyring:?}").contains("s3cr3t"));
        for text in [r#"{ "auths": { "a": "s3cr3t" } }"#, r#"{ "auths": { "a": { "auth": "s3cr3t" } } }"#, "s3cr3t"] {
            let error = read(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error}");
        }
    }
}
