//! Whom do we believe, and who do we say we are?

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use rustls::{
    ClientConfig, ConfigBuilder, Error, RootCertStore, WantsVerifier,
    client::WantsClientCert,
    crypto::aws_lc_rs,
    pki_types::{
        CertificateDer, PrivateKeyDer, ServerName,
        pem::{self, PemObject},
    },
};
use rustls_platform_verifier::Verifier;
use steadfast::Cause;

use super::Tls;
use crate::Io;

/// Whom a client believes that it is who it says, and who the client says it is.
///
/// ```
/// use steadfast_driver::{BadTrust, Trust};
///
/// # let made = rcgen::generate_simple_self_signed(["client.example".to_owned()])?;
/// # let (company, client, key) = (made.cert.pem(), made.cert.pem(), made.signing_key.serialize_pem());
/// // Each of them is the text of a PEM file.
/// let our_authority_too = Trust::platform().and(&company)?;
/// let our_authority_alone = Trust::only(&company)?;
/// let with_a_client_certificate = our_authority_alone.identity(&client, &key)?;
/// assert_eq!(Trust::only("something else").err(), Some(BadTrust::NoCertificate));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// There is no way to switch checking off. For a server that signs for itself, its own certificate is the root:
/// `Trust::only`.
///
/// Clones share what was read and the tickets with which a link comes back faster, so make one and clone it.
/// The machine's roots are read once, when they are first needed; an application that runs for years and wants
/// to see new ones makes a new `Trust`.
#[derive(Clone)]
pub struct Trust(Arc<Inner>);

struct Inner {
    settings: Settings,
    ready: OnceLock<Result<Arc<ClientConfig>, BadTrust>>,
}

#[derive(Clone)]
struct Settings {
    platform: bool,
    roots: Vec<CertificateDer<'static>>,
    identity: Option<Arc<Identity>>,
}

struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Trust {
    /// Whom the machine trusts: on Windows, macOS, iOS and Android the system judges each certificate itself, with
    /// all that its administrator has set; elsewhere its files of root certificates count (`SSL_CERT_FILE` and
    /// `SSL_CERT_DIR` name others).
    ///
    /// On Android the application has to introduce itself to the system first: see the documentation of
    /// `rustls-platform-verifier`.
    #[must_use]
    pub fn platform() -> Self {
        Self::new(Settings { platform: true, roots: Vec::new(), identity: None })
    }

    /// These root certificates and nobody else. `pem` is the text of a PEM file with one or more.
    ///
    /// # Errors
    ///
    /// There is no certificate in it, or one that cannot be a root.
    pub fn only(pem: impl AsRef<[u8]>) -> Result<Self, BadTrust> {
        Self::new(Settings { platform: false, roots: Vec::new(), identity: None }).and(pem)
    }

    /// These root certificates, too.
    ///
    /// # Errors
    ///
    /// There is no certificate in it, or one that cannot be a root.
    pub fn and(&self, pem: impl AsRef<[u8]>) -> Result<Self, BadTrust> {
        let mut settings = self.0.settings.clone();
        settings.roots.extend(certificates(pem.as_ref())?);
        roots(&settings.roots)?;
        Ok(Self::new(settings))
    }

    /// Shows the server a certificate, if it asks for one. `chain` is a PEM file with the client's certificate and
    /// those between it and the root, in this order; `key` is one with the private key (PKCS 8, PKCS 1 or SEC 1,
    /// not encrypted). Both may be the same file.
    ///
    /// # Errors
    ///
    /// One of them is missing or broken, or they do not belong together.
    pub fn identity(&self, chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Self, BadTrust> {
        let chain = certificates(chain.as_ref())?;
        let key = PrivateKeyDer::from_pem_slice(key.as_ref()).map_err(|error| broken(&error, BadTrust::NoKey))?;
        let identity = Identity { chain, key };
        identity.show(versions().with_root_certificates(RootCertStore::empty()))?;
        Ok(Self::new(Settings { identity: Some(Arc::new(identity)), ..self.0.settings.clone() }))
    }

    /// Whether it can work at all. [`open`](Self::open) asks first; asking earlier tells the developer earlier.
    ///
    /// # Errors
    ///
    /// The machine has no root certificates.
    pub fn check(&self) -> Result<(), BadTrust> {
        self.config().map(|_| ())
    }

    /// Does the handshake with the server that has this name, or this IP address, over an open stream.
    ///
    /// # Errors
    ///
    /// [`Cause::Tls`], with `certificate` set if it is the server's certificate that was not accepted;
    /// [`Cause::Broken`] if the stream ended or broke; [`Cause::Impossible`] if trying again cannot help.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the stream. It has no deadline of its own.
    pub async fn open<S: Io>(&self, io: S, host: &str) -> Result<Tls<S>, Cause> {
        let config = self.config().map_err(|bad| Cause::Impossible(bad.to_string().into()))?;
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Cause::Impossible(format!("no certificate can be for the name {host:?}").into()))?;
        Tls::open(io, config, name).await
    }

    fn new(settings: Settings) -> Self {
        Self(Arc::new(Inner { settings, ready: OnceLock::new() }))
    }

    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, BadTrust> {
        self.0.ready.get_or_init(|| self.0.settings.config().map(Arc::new)).clone()
    }
}

impl Default for Trust {
    fn default() -> Self {
        Self::platform()
    }
}

impl fmt::Debug for Trust {
    /// The key is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { platform, roots, identity } = &self.0.settings;
        let mut shown = f.debug_struct("Trust");
        shown.field("platform", platform).field("roots", &roots.len()).field("identity", &identity.is_some()).finish()
    }
}

impl Settings {
    fn config(&self) -> Result<ClientConfig, BadTrust> {
        let builder = if self.platform {
            let provider = versions().crypto_provider().clone();
            let verifier = Verifier::new_with_extra_roots(self.roots.iter().cloned(), provider);
            let verifier = verifier.map_err(|error| BadTrust::Platform(error.to_string()))?;
            versions().dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        } else {
            versions().with_root_certificates(roots(&self.roots)?)
        };
        match &self.identity {
            Some(identity) => identity.show(builder),
            None => Ok(builder.with_no_client_auth()),
        }
    }
}

impl Identity {
    fn show(&self, builder: ConfigBuilder<ClientConfig, WantsClientCert>) -> Result<ClientConfig, BadTrust> {
        let config = builder.with_client_auth_cert(self.chain.clone(), self.key.clone_key());
        config.map_err(|error| {
            let is_other = matches!(error, Error::InconsistentKeys(_));
            if is_other { BadTrust::WrongKey } else { BadTrust::Identity(error.to_string()) }
        })
    }
}

/// TLS 1.2 and 1.3, with one provider of cryptography whatever else is in the program. The default of the process
/// belongs to the application, and asking for it panics where there are two.
fn versions() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider supports both versions")
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, BadTrust> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| broken(&error, BadTrust::NoCertificate))?;
    if found.is_empty() { Err(BadTrust::NoCertificate) } else { Ok(found) }
}

/// What is wrong with a PEM file; `nothing` if it holds nothing of the kind.
fn broken(error: &pem::Error, nothing: BadTrust) -> BadTrust {
    use pem::Error;
    match error {
        Error::NoItemsFound => nothing,
        Error::MissingSectionEnd { .. } => BadTrust::Pem("a section has no end (-----END ...-----)".into()),
        Error::IllegalSectionStart { .. } => BadTrust::Pem("a section begins wrongly (-----BEGIN ...-----)".into()),
        Error::Base64Decode(_) => BadTrust::Pem("a section holds something else than base64".into()),
        Error::Io(_) | Error::SectionTooLarge | _ => BadTrust::Pem(error.to_string()),
    }
}

fn roots(certificates: &[CertificateDer<'static>]) -> Result<RootCertStore, BadTrust> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone()).map_err(|error| BadTrust::Root(error.to_string()))?;
    }
    Ok(roots)
}

/// What is wrong with settings for TLS, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadTrust {
    /// The text holds no certificate.
    NoCertificate,
    /// The text holds no private key that can be read.
    NoKey,
    /// The text is broken.
    Pem(String),
    /// A certificate cannot be a root.
    Root(String),
    /// The client's certificate or its key cannot be used.
    Identity(String),
    /// The key belongs to another certificate.
    WrongKey,
    /// The machine has no root certificates.
    Platform(String),
}

impl fmt::Display for BadTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCertificate => {
                f.write_str("there is no certificate: give the text of a PEM file (-----BEGIN CERTIFICATE-----)")
            }
            Self::NoKey => f.write_str(
                "there is no private key: give the text of a PEM file (-----BEGIN PRIVATE KEY-----), not encrypted",
            ),
            Self::Pem(why) => write!(f, "the PEM file is broken: {why}"),
            Self::Root(why) => write!(f, "a certificate cannot be a root: {why}"),
            Self::Identity(why) => write!(f, "the client certificate cannot be used: {why}"),
            Self::WrongKey => f.write_str("the private key belongs to another certificate than the client's"),
            Self::Platform(why) => write!(
                f,
                "this machine has no root certificates ({why}): install them (the package ca-certificates), or trust \
                 roots of your own"
            ),
        }
    }
}

impl std::error::Error for BadTrust {}
