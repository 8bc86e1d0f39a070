//! Certificates, good and bad, of an authority that nobody knows unless told.

use std::io::Write;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::NamedTempFile;

/// The names under which a server on loopback is called.
pub const LOOPBACK: &[&str] = &["127.0.0.1", "localhost"];

/// Who signs.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// When a certificate counts.
#[derive(Clone, Copy)]
pub enum Validity {
    /// Now.
    Current,
    /// Long ago.
    Expired,
    /// Not for a long time.
    Future,
}

impl Authority {
    /// A new one.
    pub fn new() -> Authority {
        let mut params = params(&[]);
        params
            .distinguished_name
            .push(DnType::CommonName, "it's authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, key()).expect("an authority"))
    }

    /// A server of these names.
    pub fn certify(&self, names: &[&str], validity: Validity) -> Arc<ServerConfig> {
        let mut params = params(names);
        let (from, to) = match validity {
            Validity::Current => (2000, 4000),
            Validity::Expired => (2000, 2001),
            Validity::Future => (3999, 4000),
        };
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        let key = key();
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        server(certificate.der().clone(), &key)
    }

    /// The authority's own certificate as PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A file of it.
    pub fn file(&self) -> NamedTempFile {
        file(self.pem().as_bytes())
    }
}

/// A server on loopback that vouches for itself.
pub fn self_signed() -> Arc<ServerConfig> {
    let key = key();
    let certificate = params(LOOPBACK).self_signed(&key).expect("a certificate");
    server(certificate.der().clone(), &key)
}

/// A file of this content.
pub fn file(content: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(content).expect("its content");
    file
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).expect("names")
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn server(certificate: CertificateDer<'static>, key: &KeyPair) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate with its key");
    Arc::new(config)
}
