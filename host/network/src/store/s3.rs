//! Objects in S3.

use super::encode::{Columns, NdjsonFile, ParquetFile};
use super::keys::Keys;
use super::{Form, ObjectSink, Unfinished};
use crate::cannot_read;
use crate::client::{certificates, shown};
use object_store::aws::AmazonS3Builder;
use object_store::client::{HttpClient, HttpConnector};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use reqwest::redirect::Policy;
use std::time::Duration;
use tamis_config::{Concurrency, ObjectFormat, PathTemplate, S3Sink as Config};
use tamis_nodes::sinks::{OpenError, Opened};

/// How long a connection may take, unless an object may take less.
const CONNECT: Duration = Duration::from_secs(5);

/// Makes the sink. Nothing is sent yet.
pub(crate) fn open(config: &Config) -> Result<Opened, OpenError> {
    let sink = ObjectSink::s3(config).map_err(OpenError::Network)?;
    Ok(Opened::Batches { delivery: Box::new(sink), concurrency: Concurrency::Fixed(config.concurrency), batch: (&config.batch).into() })
}

impl ObjectSink {
    fn s3(config: &Config) -> Result<Self, String> {
        // The host tries again, and knows when it ends.
        let retry = RetryConfig { backoff: BackoffConfig::default(), max_retries: 0, retry_timeout: Duration::ZERO };
        let path_style = config.path_style.unwrap_or(config.endpoint.is_some());
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(config.bucket.as_str())
            .with_region(config.region.as_str())
            .with_virtual_hosted_style_request(!path_style)
            .with_retry(retry)
            .with_client_options(content_types())
            .with_http_connector(Connector(client(config)?));
        if let Some(endpoint) = &config.endpoint {
            builder = builder.with_endpoint(address(endpoint, &config.bucket, path_style)).with_allow_http(true);
        }
        builder = match (&config.access_key, &config.secret_key) {
            (Some(key), Some(secret)) => builder.with_access_key_id(key.as_str()).with_secret_access_key(secret.as_str()),
            _ => builder.with_skip_signature(true),
        };
        if let Some(token) = &config.session_token {
            builder = builder.with_token(token.as_str());
        }
        let store = builder.build().map_err(|error| format!("cannot make a client of S3: {error}"))?;
        let form = match config.format {
            ObjectFormat::Ndjson => Form::Ndjson(NdjsonFile(config.compression)),
            ObjectFormat::Parquet => {
                let columns = Columns { schema: &config.schema, rest: config.rest(), known: &config.known };
                Form::Parquet(ParquetFile::new(columns, config.compression, config.row_group()))
            }
        };
        let address = match &config.endpoint {
            Some(endpoint) => format!("{}/{}", shown(endpoint).trim_end_matches('/'), config.bucket.shown()),
            None => format!("s3://{}", config.bucket.shown()),
        };
        let (timeout, unfinished) = (Some(config.timeout), Unfinished::default());
        Ok(Self { store: Box::new(store), keys: keys(config)?, form, timeout, unfinished, address })
    }
}

/// The keys that the configuration describes.
fn keys(config: &Config) -> Result<Keys, String> {
    let text = config.key.trim_matches('/');
    let wrong = |error: &dyn std::fmt::Display| format!("`key` makes no key: {error}");
    let template = PathTemplate::parse(text).map_err(|error| wrong(&error))?;
    let (base, template) = match template.is_template() {
        false => (text.replace("%%", "%"), None),
        true => (template.base.clone(), Some(template)),
    };
    object_store::path::Path::parse(&base).map_err(|error| wrong(&error))?;
    Ok(Keys::new(&base, template, config.time_field.as_ref()))
}

/// Where requests go: with the bucket in front of the host, where it is not to stand in the path.
fn address(endpoint: &str, bucket: &str, path_style: bool) -> String {
    let endpoint = endpoint.trim_end_matches('/');
    match endpoint.split_once("://") {
        Some((scheme, host)) if !path_style => format!("{scheme}://{bucket}.{host}"),
        _ => endpoint.to_owned(),
    }
}

fn content_types() -> ClientOptions {
    [
        ("ndjson", "application/x-ndjson"),
        ("gz", "application/gzip"),
        ("zst", "application/zstd"),
        ("parquet", "application/vnd.apache.parquet"),
    ]
    .into_iter()
    .fold(ClientOptions::new(), |options, (extension, kind)| options.with_content_type_for_suffix(extension, kind))
}

/// Gives the client that was made for the sink.
#[derive(Debug)]
struct Connector(reqwest::Client);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

/// A client that goes where it is told to, by no proxy and no redirection.
fn client(config: &Config) -> Result<reqwest::Client, String> {
    // Fails where there is one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .http1_only()
        .pool_max_idle_per_host(config.concurrency as usize)
        .connect_timeout(CONNECT.min(config.timeout))
        .timeout(config.timeout)
        .user_agent(concat!("tamis/", env!("CARGO_PKG_VERSION")));
    let is_plain = config.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    builder = match &config.tls.ca {
        Some(path) => {
            let read = |der: rustls::pki_types::CertificateDer<'_>| reqwest::Certificate::from_der(&der);
            let all = certificates(path)?.into_iter().map(read).collect::<Result<Vec<_>, _>>();
            builder.tls_certs_only(all.map_err(|error| cannot_read("the authorities", path, error))?)
        }
        // Without TLS the system need not know any.
        None if is_plain => builder.tls_certs_only([]),
        None => builder,
    };
    builder
        .build()
        .map_err(|error| format!("cannot make a client of S3: {error:?}; without certificates of the system, give `tls: {{ ca: … }}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (endpoint, path_style, expected) in
            [("http://127.0.0.1:9000/", true, "http://127.0.0.1:9000"), ("https://s3.example.com", false, "https://logs.s3.example.com")]
        {
            assert_eq!(address(endpoint, "logs", path_style), expected);
        }
    }
}
