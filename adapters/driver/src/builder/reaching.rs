//! How is the server reached, and what is it told when a link opens?

use steadfast::Protocol;

use super::Builder;
use crate::{BuildError, Upgrade, Upgrading};

impl<P: Protocol, R, D: Upgrading> Builder<P, R, D> {
    /// Adds a header to the request that opens a link.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        self.change(|upgrade| upgrade.header(name, value).map_err(BuildError::Header))
    }

    /// Sends the credential in this header of the request that opens a link, behind this prefix: see
    /// [`Upgrade::credential_header`]. A credential that was to be used at the login is now used there instead
    /// ([`CredentialPolicy::when`](steadfast::CredentialPolicy::when)); for both, set [`CredentialUse::Both`](steadfast::CredentialUse::Both).
    ///
    /// A dialer that has no headers, or needs a credential elsewhere, finds it in
    /// [`Attempt::credential`](steadfast::Attempt::credential).
    #[must_use]
    pub fn credential_header(self, name: &str, prefix: &str) -> Self {
        let mut this = self.change(|upgrade| upgrade.credential_header(name, prefix).map_err(BuildError::Header));
        this.choices.is_shown_at_dial = true;
        this
    }

    /// Asks for a header of the answer: it will be among
    /// [`Handshake::headers`](steadfast::Handshake::headers).
    #[must_use]
    pub fn want(self, name: &str) -> Self {
        self.change(|upgrade| Ok(upgrade.want(name)))
    }

    fn change(self, change: impl FnOnce(Upgrade) -> Result<Upgrade, BuildError>) -> Self {
        let dialer = self.dialer.and_then(|mut dialer| {
            *dialer.upgrade() = change(dialer.upgrade().clone())?;
            Ok(dialer)
        });
        Self { dialer, ..self }
    }
}

#[cfg(all(feature = "tls", not(all(target_family = "wasm", target_os = "unknown"))))]
impl<P: Protocol, R, D: crate::Securing> Builder<P, R, D> {
    /// Whom to trust that it is the server, and what to show it; whom the machine trusts, unless something else is
    /// set. For `wss://` only.
    #[must_use]
    pub fn trust(self, trust: crate::Trust) -> Self {
        let dialer = self.dialer.map(|mut dialer| {
            dialer.trust(trust);
            dialer
        });
        Self { dialer, ..self }
    }
}

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
impl<P: Protocol, R, D: crate::Routing> Builder<P, R, D> {
    /// Reaches the server through this proxy. Without it there is none, whatever the environment says: see
    /// [`Proxy::from_env`](crate::Proxy::from_env).
    #[must_use]
    pub fn proxy(self, proxy: crate::Proxy) -> Self {
        let dialer = self.dialer.map(|mut dialer| {
            dialer.proxy(proxy);
            dialer
        });
        Self { dialer, ..self }
    }

    /// Goes where the server says that its WebSocket is: a 301, 302, 303, 307 or 308 with a `Location` is followed, up to five
    /// of them an attempt, and `http` there means `ws`. Nothing leads from `wss://` to `ws://`. What is not followed is a
    /// failure like any other status ([`Cause::Http`](steadfast::Cause::Http)).
    ///
    /// To another origin goes nothing that was set here: no headers, no credential header, no user of the URL. (The same host
    /// with TLS instead of without, both at their usual ports, is the same origin.) But **a login in a message goes to
    /// whoever is at the end of it**, and so does what is sent; that is why it is off unless this is called. The next attempt
    /// begins at the first address again.
    #[must_use]
    pub fn follow_redirects(self) -> Self {
        let dialer = self.dialer.map(|mut dialer| {
            dialer.follow_redirects();
            dialer
        });
        Self { dialer, ..self }
    }
}
