//! Which host is asked, and with what token.

use crate::arguments::Configuration;
use clap::Args;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use tamis_admin::client::{Address, Client, DEFAULT_ADDRESS, Token};
use tamis_config::{Admin, Config, Diagnostics, ProcessEnvironment, Settings};

/// The variable that holds a token.
const TOKEN_VARIABLE: &str = "TAMIS_ADMIN_TOKEN";
/// Bytes of a file that holds a token.
const TOKEN_FILE_BYTES_MAX: u64 = 4 * 1024;

#[derive(Debug, Args)]
pub(crate) struct Target {
    /// Where the host's admin API listens: `host:port` or `unix:/path`. Without it: where `settings.admin` of the configuration says,
    /// else 127.0.0.1:9480.
    #[arg(long, value_name = "ADDRESS", env = "TAMIS_ADMIN")]
    admin: Option<String>,
    /// File that holds the token, where the host asks for one. Without it: the variable TAMIS_ADMIN_TOKEN.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) configuration: Configuration,
}

impl Target {
    /// A client of that host. The error says why there is none.
    pub(super) fn client(&self) -> Result<Client, String> {
        Ok(Client::new(self.address()?, self.token()?))
    }

    /// The host's address. The error says why there is none.
    pub(crate) fn address(&self) -> Result<Address, String> {
        let told = |text: &str| text.parse::<Address>().map_err(|error| error.to_string());
        if let Some(address) = self.admin.as_deref().filter(|address| !address.is_empty()) {
            return told(address);
        }
        let files = self.configuration.origin().read(&mut Diagnostics::new());
        let named = match Config::of(&files, &ProcessEnvironment, &mut Diagnostics::new()).map(|config| config.settings.admin.value) {
            Some(Admin::Off) => "off".to_string(),
            Some(Admin::Address(address)) => address.as_str().to_string(),
            Some(Admin::Unix(path)) => format!("unix:{}", path.as_str()),
            // What is wrong with it is the host's to tell; where the host is may stand in it all the same.
            None => Settings::admin_in(&files).unwrap_or_else(|| DEFAULT_ADDRESS.into()),
        };
        if named == "off" {
            return Err("`settings.admin` of the configuration is `off`: there is no admin API to ask".into());
        }
        told(&named).map_err(|error| match named.ends_with(":0") {
            true => "`settings.admin` leaves the port to the system: give the address that the host logs with `--admin ADDRESS`".into(),
            false => error,
        })
    }

    /// The token, if one is given.
    pub(crate) fn token(&self) -> Result<Option<Token>, String> {
        let token = |text: &str, from: &str| Token::new(text).map(Some).map_err(|error| format!("{from}: {error}"));
        if let Some(path) = &self.token_file {
            let text = small_text(path).map_err(|error| format!("the token file `{}` cannot be read: {error}", path.display()))?;
            return token(&text, &format!("the token file `{}`", path.display()));
        }
        match std::env::var_os(TOKEN_VARIABLE).filter(|text| !text.is_empty()) {
            Some(text) => token(&text.to_string_lossy(), TOKEN_VARIABLE),
            None => Ok(None),
        }
    }
}

fn small_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(TOKEN_FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}
