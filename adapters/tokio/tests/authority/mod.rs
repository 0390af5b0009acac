//! A certificate authority of the tests' own, and servers that use what it issues. No code of `steadfast` is in here.

use std::{net::SocketAddr, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier},
    },
    server::TlsStream,
};

/// Who issues certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
pub(crate) struct Issued {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new([]).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, key()).expect("a root"))
    }

    /// Its own certificate.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a server of this name or address.
    pub(crate) fn server(&self, name: &str) -> Issued {
        self.issue(name, |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth])
    }

    /// A certificate for a client.
    pub(crate) fn client(&self) -> Issued {
        self.issue("client", |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth])
    }

    pub(crate) fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a good name");
        change(&mut params);
        let key = key();
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Issued { chain: certificate.pem(), key: key.serialize_pem() }
    }

    /// Has a server ask its clients for a certificate of this authority.
    pub(crate) fn judge(&self) -> Arc<dyn ClientCertVerifier> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("a root");
        let provider = Arc::new(aws_lc_rs::default_provider());
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().expect("a judge")
    }
}

impl Issued {
    /// What a server needs to be the one of this certificate.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor_that_asks(Arc::new(NoClientAuth))
    }

    pub(crate) fn acceptor_that_asks(&self, judge: Arc<dyn ClientCertVerifier>) -> TlsAcceptor {
        let chain = CertificateDer::pem_slice_iter(self.chain.as_bytes()).map(|found| found.expect("a certificate"));
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("both versions")
            .with_client_cert_verifier(judge)
            .with_single_cert(chain.collect(), key)
            .expect("a server");
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A server of one connection, on a loopback address. What a failed handshake was is its result.
pub(crate) async fn serve<F>(
    acceptor: TlsAcceptor,
    serve: impl FnOnce(TlsStream<TcpStream>) -> F + Send + 'static,
) -> (SocketAddr, JoinHandle<std::io::Result<()>>)
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        serve(acceptor.accept(stream).await?).await;
        Ok(())
    });
    (address, served)
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}
