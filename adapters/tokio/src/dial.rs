//! How is the peer reached? By name and TCP, or over whatever stream the embedder opens.

use std::{future::Future, io, net::SocketAddr, pin::Pin};

use steadfast::{Attempt, Cause, Text};
use steadfast_driver::{Address, BadAddress, Clock, Dial, Dialer, MaybeTls, Upgrade, Upgrading, Ws};
#[cfg(feature = "tls")]
use steadfast_driver::{BuildError, Securing, Trust};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
};

use crate::{Tokio, TokioIo};

/// The dialer for `ws://` and `wss://`: it resolves the name, connects with TCP, secures that with TLS if the URL
/// says so, and does the handshake.
#[derive(Clone, Debug)]
pub struct Tcp {
    upgrade: Upgrade,
    #[cfg(feature = "tls")]
    trust: Trust,
}

impl Tcp {
    /// Dials this URL. A `wss://` server has to be one that the machine trusts, unless something else is
    /// [set](steadfast_driver::Builder::trust).
    ///
    /// # Errors
    ///
    /// The URL makes no sense, or asks for TLS, which this build has not.
    pub fn to(url: &str) -> Result<Self, BadAddress> {
        let address: Address = url.parse()?;
        Ok(Self {
            #[cfg(not(feature = "tls"))]
            upgrade: Upgrade::to(address.without_tls()?),
            #[cfg(feature = "tls")]
            upgrade: Upgrade::to(address),
            #[cfg(feature = "tls")]
            trust: Trust::platform(),
        })
    }

    #[cfg(not(feature = "tls"))]
    async fn secure(&self, stream: TcpStream, address: &Address) -> Result<MaybeTls<TokioIo<TcpStream>>, Cause> {
        if address.is_secure() {
            // An endpoint of the session's; the URL of the dialer was looked at when it was made.
            return Err(Cause::Impossible(format!("endpoint {address}: {}", BadAddress::NoTls).into()));
        }
        Ok(MaybeTls::Plain(TokioIo(stream)))
    }

    #[cfg(feature = "tls")]
    async fn secure(&self, stream: TcpStream, address: &Address) -> Result<MaybeTls<TokioIo<TcpStream>>, Cause> {
        let io = TokioIo(stream);
        if !address.is_secure() {
            return Ok(MaybeTls::Plain(io));
        }
        self.trust.open(io, address.host()).await.map(MaybeTls::Tls)
    }
}

impl Upgrading for Tcp {
    fn upgrade(&mut self) -> &mut Upgrade {
        &mut self.upgrade
    }
}

#[cfg(feature = "tls")]
impl Securing for Tcp {
    fn trust(&mut self, trust: Trust) {
        self.trust = trust;
    }
}

impl Dialer for Tcp {
    type Transport = Ws<MaybeTls<TokioIo<TcpStream>>>;
    type Dial = Pin<Box<dyn Future<Output = Dial<Self::Transport>> + Send>>;

    #[cfg(feature = "tls")]
    fn check(&self) -> Result<(), BuildError> {
        if self.upgrade.address().is_secure() { self.trust.check().map_err(BuildError::Trust) } else { Ok(()) }
    }

    fn dial(&mut self, attempt: Attempt) -> Self::Dial {
        let tcp = self.clone();
        Box::pin(async move {
            let address = tcp.upgrade.address_for(&attempt)?;
            let stream = open_tcp(&address, &attempt).await?;
            let peer = stream.peer_addr().ok();
            let io = tcp.secure(stream, &address).await?;
            let (link, mut handshake) = tcp.upgrade.over(io, &attempt, || Tokio::new().now()).await?;
            handshake.address = peer.map(|peer| peer.to_string().into());
            Ok((link, handshake))
        })
    }
}

/// Resolves the name and opens a TCP connection, with `TCP_NODELAY`: the driver joins small writes itself.
///
/// The addresses of the name are tried in turn. Each attempt starts with another one, so an address that
/// swallows everything cannot use up the time of every attempt.
///
/// # Errors
///
/// [`Cause::Unresolved`], [`Cause::Unreachable`], or [`Cause::Broken`] where the system itself is short of
/// something.
///
/// # Cancel safety
///
/// Dropping the future gives the attempt up; a look-up of a name that has begun ends in the background.
pub async fn open_tcp(address: &Address, attempt: &Attempt) -> Result<TcpStream, Cause> {
    let found = lookup_host((address.host(), address.port())).await.map_err(|error| unresolved(address, &error))?;
    let addresses = in_turn(found.collect(), attempt.attempt);
    if addresses.is_empty() {
        return Err(unresolved(address, &"it has no addresses"));
    }
    let stream = connect(&addresses).await.map_err(|error| cause_of(&error))?;
    stream.set_nodelay(true).map_err(|error| cause_of(&error))?;
    Ok(stream)
}

/// Does the handshake over a stream that the embedder has opened: a Unix socket, a proxy's tunnel.
///
/// ```no_run
/// use steadfast::Attempt;
/// use steadfast_driver::Upgrade;
/// use steadfast_tokio::{cause_of, open_ws};
/// use tokio::net::UnixStream;
///
/// let upgrade = Upgrade::to("ws://localhost/events".parse()?);
/// let dialer = move |attempt: Attempt| {
///     let upgrade = upgrade.clone();
///     async move {
///         let stream = UnixStream::connect("/run/server.sock").await.map_err(|error| cause_of(&error))?;
///         open_ws(stream, &upgrade, &attempt).await
///     }
/// };
/// # fn is_dialer(_: impl steadfast_driver::Dialer) {}
/// # is_dialer(dialer);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`Upgrade::over`].
///
/// # Cancel safety
///
/// Dropping the future drops the stream.
pub async fn open_ws<S>(stream: S, upgrade: &Upgrade, attempt: &Attempt) -> Dial<Ws<TokioIo<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    upgrade.over(TokioIo(stream), attempt, || Tokio::new().now()).await
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

/// The addresses in their order, beginning with another one for each attempt (counted from 1).
fn in_turn(mut addresses: Vec<SocketAddr>, attempt: u64) -> Vec<SocketAddr> {
    let count = u64::try_from(addresses.len()).unwrap_or(u64::MAX);
    let first = attempt.saturating_sub(1).checked_rem(count).unwrap_or_default();
    addresses.rotate_left(usize::try_from(first).unwrap_or_default());
    addresses
}

/// The first connection that can be had, or the last error.
async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::ErrorKind::AddrNotAvailable.into();
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_dialled_is_refused_before_anything_is() {
        assert!(Tcp::to("ws://localhost:9001/").is_ok());
        assert_eq!(Tcp::to("localhost:9001").err(), Some(BadAddress::NoScheme));
        assert_eq!(Tcp::to("wss://localhost").is_ok(), cfg!(feature = "tls"));
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn a_build_without_tls_says_which_feature_it_lacks() {
        let bad = Tcp::to("wss://localhost").expect_err("there is no TLS");
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

    #[test]
    fn each_attempt_begins_with_another_address() {
        let addresses: Vec<SocketAddr> = (1..=3).map(|port| ([127, 0, 0, 1], port).into()).collect();
        let firsts = [1, 2, 3, 4, u64::MAX].map(|attempt| in_turn(addresses.clone(), attempt)[0].port());
        assert_eq!(firsts, [1, 2, 3, 1, 3]);
        assert_eq!(in_turn(addresses, 2).len(), 3);
        assert!(in_turn(vec![], 1).is_empty());
    }
}
