//! Who is the server? A certificate authority that is made on the fly and has issued one certificate.

use std::{error::Error, net::Ipv4Addr, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

use crate::Failure;

/// The certificate of a server on this machine, its key, and the root to trust. All of it is forgotten with it.
#[derive(Clone, Debug)]
pub struct Identity {
    root: String,
    chain: String,
    key: String,
}

impl Identity {
    /// Makes an authority, and has it issue a certificate for 127.0.0.1.
    ///
    /// # Errors
    ///
    /// There is no randomness for the keys.
    pub fn new() -> Result<Self, Failure> {
        make().map_err(|error| Failure::new(format!("cannot make a certificate: {error}")))
    }

    /// The certificate of the authority, as PEM.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The server's certificate and its key, as one PEM file.
    pub(super) fn pem(&self) -> String {
        format!("{}{}", self.chain, self.key)
    }

    /// What a server needs to be this one.
    pub(super) fn acceptor(&self) -> Result<TlsAcceptor, Box<dyn Error>> {
        let chain: Result<_, _> = CertificateDer::pem_slice_iter(self.chain.as_bytes()).collect();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain?, PrivateKeyDer::from_pem_slice(self.key.as_bytes())?)?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn make() -> Result<Identity, rcgen::Error> {
    let mut params = CertificateParams::new([])?;
    params.distinguished_name.push(DnType::CommonName, "steadfast demo");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let mut params = CertificateParams::new([Ipv4Addr::LOCALHOST.to_string()])?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let chain = params.signed_by(&key, &authority)?.pem();
    Ok(Identity { root: authority.pem(), chain, key: key.serialize_pem() })
}
