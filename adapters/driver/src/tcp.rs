//! How is the peer reached? By name and TCP.

mod race;

use std::{borrow::Cow, future::Future, io, net::SocketAddr, pin::Pin, str::from_utf8};

use steadfast::{Attempt, Cause, Text, Timestamp};

use crate::{
    Address, BadAddress, Clock, Dial, Dialer, MaybeTls, Net, Proxy, Routing, Upgrade, Upgrading, Wristwatch, Ws,
};
#[cfg(feature = "tls")]
use crate::{BuildError, Securing, Trust};

/// The most redirects of one attempt. A server behind a balancer needs one, or two.
const REDIRECTS: u8 = 5;

/// The dialer for `ws://` and `wss://`: it resolves the name, connects with TCP or through a [`Proxy`], secures that with
/// TLS if the URL says so, and does the handshake.
#[derive(Clone, Debug)]
pub struct Tcp<N> {
    net: N,
    upgrade: Upgrade,
    proxy: Option<Proxy>,
    /// How often a server may send us elsewhere in one attempt.
    redirects: u8,
    #[cfg(feature = "tls")]
    trust: Trust,
}

impl<N: Net> Tcp<N> {
    /// Dials this URL. A `wss://` server has to be one that the machine trusts, unless something else is
    /// [set](crate::Builder::trust).
    ///
    /// # Errors
    ///
    /// The URL makes no sense, or asks for TLS, which this build has not.
    pub fn to(url: &str) -> Result<Self, BadAddress> {
        let address: Address = url.parse()?;
        Ok(Self {
            net: N::default(),
            #[cfg(not(feature = "tls"))]
            upgrade: Upgrade::to(address.without_tls()?),
            #[cfg(feature = "tls")]
            upgrade: Upgrade::to(address),
            proxy: None,
            redirects: 0,
            #[cfg(feature = "tls")]
            trust: Trust::platform(),
        })
    }

    /// A link to this address.
    async fn open(&self, upgrade: &Upgrade, address: &Address, attempt: &Attempt) -> Dial<Ws<MaybeTls<N::Stream>>> {
        let (stream, peer) = self.reach(address, attempt).await?;
        let io = self.secure(stream, address).await?;
        let (link, mut handshake) = upgrade.over_to(address, io, attempt, now).await?;
        handshake.address = Some(peer.to_string().into());
        Ok((link, handshake))
    }

    /// A connection that leads to the server, and the address that it was made to.
    async fn reach(&self, address: &Address, attempt: &Attempt) -> Result<(N::Stream, SocketAddr), Cause> {
        match self.proxy.as_ref().and_then(|proxy| proxy.hop_to(address)) {
            Some(hop) => hop.open(&self.net, address, attempt, now).await,
            None => open_tcp(&self.net, address, attempt).await,
        }
    }

    #[cfg(not(feature = "tls"))]
    async fn secure(&self, io: N::Stream, address: &Address) -> Result<MaybeTls<N::Stream>, Cause> {
        if address.is_secure() {
            // An endpoint of the session's; the URL of the dialer was looked at when it was made.
            return Err(Cause::Impossible(format!("endpoint {address}: {}", BadAddress::NoTls).into()));
        }
        Ok(MaybeTls::Plain(io))
    }

    #[cfg(feature = "tls")]
    async fn secure(&self, io: N::Stream, address: &Address) -> Result<MaybeTls<N::Stream>, Cause> {
        if !address.is_secure() {
            return Ok(MaybeTls::Plain(io));
        }
        self.trust.open(io, address.host()).await.map(MaybeTls::Tls)
    }
}

impl<N> Upgrading for Tcp<N> {
    fn upgrade(&mut self) -> &mut Upgrade {
        &mut self.upgrade
    }
}

impl<N> Routing for Tcp<N> {
    fn proxy(&mut self, proxy: Proxy) {
        self.proxy = Some(proxy);
    }

    fn follow_redirects(&mut self) {
        self.redirects = REDIRECTS;
    }
}

#[cfg(feature = "tls")]
impl<N> Securing for Tcp<N> {
    fn trust(&mut self, trust: Trust) {
        self.trust = trust;
    }
}

impl<N: Net> Dialer for Tcp<N> {
    type Transport = Ws<MaybeTls<N::Stream>>;
    type Dial = Pin<Box<dyn Future<Output = Dial<Self::Transport>> + Send>>;

    #[cfg(feature = "tls")]
    fn check(&self) -> Result<(), BuildError> {
        if self.upgrade.address().is_secure() { self.trust.check().map_err(BuildError::Trust) } else { Ok(()) }
    }

    fn dial(&mut self, attempt: Attempt) -> Self::Dial {
        let tcp = self.clone();
        Box::pin(async move {
            let mut address = tcp.upgrade.address_for(&attempt)?.into_owned();
            let mut upgrade = Cow::Borrowed(&tcp.upgrade);
            for _ in 0..tcp.redirects {
                let cause = match tcp.open(&upgrade, &address, &attempt).await {
                    Ok(open) => return Ok(open),
                    Err(cause) => cause,
                };
                let next = location(&cause).and_then(|location| address.moved(location)).ok_or(cause)?;
                if !address.shares(&next) {
                    upgrade = Cow::Owned(upgrade.to_a_stranger());
                }
                address = next;
            }
            tcp.open(&upgrade, &address, &attempt).await
        })
    }
}

/// Where the server says that its WebSocket is (RFC 9110 section 15.4). A proxy does not know that.
fn location(cause: &Cause) -> Option<&str> {
    let Cause::Http(answer) = cause else { return None };
    let is_redirect = matches!(answer.status, 301 | 302 | 303 | 307 | 308) && !answer.proxy;
    let (_, location) = answer.headers.iter().filter(|_| is_redirect).find(|(name, _)| name.as_str() == "location")?;
    from_utf8(location).ok().map(str::trim)
}

fn now() -> Timestamp {
    Wristwatch::new().now()
}

/// Resolves the name and opens a TCP connection; gives it and the address that it leads to.
///
/// The addresses of the name are tried as RFC 8305 says: IPv6 and IPv4 take turns, the next one begins when one has failed or
/// 250 ms have passed, and the first connection is taken. Each attempt starts with another address, so one that takes a
/// connection and then swallows everything cannot use up the time of every attempt.
///
/// # Errors
///
/// [`Cause::Unresolved`], [`Cause::Unreachable`], or [`Cause::Broken`] where the system itself is short of
/// something.
///
/// # Cancel safety
///
/// Dropping the future gives the attempt up; a look-up of a name that has begun ends in the background.
pub async fn open_tcp<N: Net>(net: &N, address: &Address, attempt: &Attempt) -> Result<(N::Stream, SocketAddr), Cause> {
    let found = net.resolve(address.host(), address.port()).await.map_err(|error| unresolved(address, &error))?;
    let addresses = race::in_turn(found, attempt.attempt);
    if addresses.is_empty() {
        return Err(unresolved(address, &"it has no addresses"));
    }
    race::connect(net, &addresses).await.map_err(|error| cause_of(&error))
}

/// The cause for a stream that could not be opened.
#[must_use]
pub fn cause_of(error: &io::Error) -> Cause {
    use io::ErrorKind::{
        AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable, NotFound, TimedOut,
    };
    let message = Text::from(error.to_string());
    let nobody_there = matches!(
        error.kind(),
        AddrNotAvailable | ConnectionRefused | HostUnreachable | NetworkDown | NetworkUnreachable | NotFound | TimedOut
    );
    if nobody_there { Cause::Unreachable(message) } else { Cause::Broken(message) }
}

fn unresolved(address: &Address, why: &dyn std::fmt::Display) -> Cause {
    Cause::Unresolved(format!("{}: {why}", address.host()).into())
}

#[cfg(test)]
mod tests {
    use std::{
        task::{Context, Poll},
        time::Duration,
    };

    use super::*;
    use crate::{Countdown, Io};

    /// A runtime without a network.
    #[derive(Clone, Debug, Default)]
    struct Nowhere;

    impl Net for Nowhere {
        type Stream = Self;
        type Countdown = Self;

        async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
            Err(io::ErrorKind::Unsupported.into())
        }

        async fn connect(&self, _: SocketAddr) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    impl Io for Nowhere {
        fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_write(&mut self, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Pending
        }
    }

    impl Countdown for Nowhere {
        fn set(&mut self, _: Duration) {}

        fn poll(&mut self, _: &mut Context<'_>) -> Poll<()> {
            Poll::Pending
        }
    }

    #[test]
    fn what_cannot_be_dialled_is_refused_before_anything_is() {
        assert!(Tcp::<Nowhere>::to("ws://localhost:9001/").is_ok());
        assert_eq!(Tcp::<Nowhere>::to("localhost:9001").err(), Some(BadAddress::NoScheme));
        assert_eq!(Tcp::<Nowhere>::to("wss://localhost").is_ok(), cfg!(feature = "tls"));
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn a_build_without_tls_says_which_feature_it_lacks() {
        let bad = Tcp::<Nowhere>::to("wss://localhost").expect_err("there is no TLS");
        assert_eq!(bad, BadAddress::NoTls);
        assert!(bad.to_string().contains("feature `tls`"), "{bad}");
    }

    #[test]
    fn nobody_there_is_not_the_same_as_a_broken_stream() {
        assert!(matches!(cause_of(&io::ErrorKind::ConnectionRefused.into()), Cause::Unreachable(_)));
        assert!(matches!(cause_of(&io::ErrorKind::NotFound.into()), Cause::Unreachable(_)));
        assert!(matches!(cause_of(&io::ErrorKind::ConnectionReset.into()), Cause::Broken(_)));
        assert!(matches!(cause_of(&io::Error::from_raw_os_error(24)), Cause::Broken(_)));
    }
}
