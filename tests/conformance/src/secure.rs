//! The server's side of TLS.

use std::{net::TcpStream, sync::Arc};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier},
};

/// A certificate that vouches for itself, its key, and whom a server with it lets in.
#[derive(Clone)]
pub(crate) struct Certificate {
    pem: String,
    der: CertificateDer<'static>,
    key: Arc<KeyPair>,
    guests: Arc<dyn ClientCertVerifier>,
}

impl Certificate {
    /// For this name or address.
    pub(crate) fn of(host: impl Into<String>) -> Self {
        Self::with(host, |_| ())
    }

    /// One whose time is over.
    pub(crate) fn expired(host: impl Into<String>) -> Self {
        Self::with(host, |params| params.not_after = date_time_ymd(2020, 1, 1))
    }

    fn with(host: impl Into<String>, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new([host.into()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let (pem, der) = (certificate.pem(), certificate.der().clone());
        Self { pem, der, key: Arc::new(key), guests: Arc::new(NoClientAuth) }
    }

    /// A server with it lets in who shows this one, and nobody else.
    pub(crate) fn only_for(self, guest: &Self) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(guest.der.clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let guests = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        Self { guests, ..self }
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// Its key, as PEM.
    pub(crate) fn key(&self) -> String {
        self.key.serialize_pem()
    }

    /// TLS on this connection, which begins when it is first read or written.
    pub(crate) fn secure(&self, tcp: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(Arc::clone(&self.guests))
            .with_single_cert(vec![self.der.clone()], key)
            .unwrap();
        StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), tcp)
    }
}
