//! Certificates of an authority of the test's own.

use super::Site;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// `ca.pem`, `server.pem` and `server.key` for `localhost` and `127.0.0.1`, `client.pem` and `client.key`, `elsewhere.pem` and
/// `elsewhere.key` of a server of another name; and `stranger.pem` and `stranger.key`, signed by nobody else.
#[derive(Debug)]
pub struct Certificates;

impl Certificates {
    /// Writes them into a site's folder.
    pub fn write(site: &Site) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        // A name of its own: a certificate that has the name of its issuer passes for one that signed itself.
        params.distinguished_name.push(DnType::CommonName, "an authority of the tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().expect("a key");
        let authority = params.self_signed(&key).expect("a certificate");
        site.write("ca.pem", authority.pem());
        let issuer = Issuer::new(params, key);
        let here = || vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        for (name, usage, names) in [
            ("server", ExtendedKeyUsagePurpose::ServerAuth, here()),
            ("client", ExtendedKeyUsagePurpose::ClientAuth, here()),
            ("elsewhere", ExtendedKeyUsagePurpose::ServerAuth, vec!["elsewhere.example".to_owned()]),
        ] {
            let mut params = CertificateParams::new(names).expect("parameters");
            params.extended_key_usages = vec![usage];
            let key = KeyPair::generate().expect("a key");
            site.write(&format!("{name}.pem"), params.signed_by(&key, &issuer).expect("a certificate").pem());
            site.write(&format!("{name}.key"), key.serialize_pem());
        }
        let key = KeyPair::generate().expect("a key");
        let stranger = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters").self_signed(&key).expect("a certificate");
        site.write("stranger.pem", stranger.pem());
        site.write("stranger.key", key.serialize_pem());
        Self
    }
}
