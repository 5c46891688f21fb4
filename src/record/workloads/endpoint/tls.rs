//! Whom the client trusts: the system's roots, those of a PEM file, and a certificate of that file itself.
//!
//! A certificate that `openssl req -x509` makes for a server under development is its own authority, and webpki refuses an
//! authority as a server. Who names exactly this certificate trusts it, as curl does.

use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// TLS with the system's root certificates, and those of a PEM file.
pub(super) fn connector(roots: &str) -> Result<TlsConnector, String> {
    let mut store = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    store.add_parsable_certificates(system.certs);
    let mut named = Vec::new();
    if !roots.is_empty() {
        let unreadable = |e| format!("{roots} cannot be read as PEM certificates: {e}");
        for certificate in CertificateDer::pem_file_iter(roots).map_err(unreadable)? {
            let certificate = certificate.map_err(unreadable)?;
            let added = store.add(certificate.clone());
            added.map_err(|e| format!("{roots} holds a certificate that cannot be used: {e}"))?;
            named.push(certificate);
        }
    }
    if store.is_empty() {
        let text = "the system has no root certificates for TLS; install them (the package ca-certificates) or set ca";
        return Err(text.into());
    }
    let provider = Arc::new(ring::default_provider());
    let broken = |e: &dyn std::fmt::Display| format!("TLS does not start: {e}");
    let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone())
        .build()
        .map_err(|e| broken(&e))?;
    let verifier = Trusted { usual, named, provider: provider.clone() };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| broken(&e))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The usual judgement; where that refuses, a certificate that the person named is good for the names in it.
#[derive(Debug)]
struct Trusted {
    usual: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Trusted {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged =
            self.usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        if judged.is_ok() || !self.named.iter().any(|named| named == end_entity) {
            return judged;
        }
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
