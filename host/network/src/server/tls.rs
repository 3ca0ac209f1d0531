//! TLS of a source that listens, with rustls: 1.2 and 1.3.

use crate::cannot_read;
use crate::client::certificates;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;
use tamis_config::ServerTls;
use tokio_rustls::TlsAcceptor;

/// Reads certificates and key. `tickets`: whether clients are sent some to resume with.
pub(super) fn acceptor(tls: &ServerTls, tickets: bool) -> Result<TlsAcceptor, String> {
    let chain = certificates(&tls.certificate)?;
    let key = PrivateKeyDer::from_pem_file(tls.key.as_str()).map_err(|error| cannot_read("the private key", &tls.key, error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| format!("TLS: {error}"))?;
    let builder = match &tls.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| cannot_read("the authorities", path, error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| cannot_read("the authorities", path, error))?)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| cannot_read("the certificate", &tls.certificate, error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if !tickets {
        config.send_tls13_tickets = 0;
    }
    Ok(TlsAcceptor::from(Arc::new(config)))
}
