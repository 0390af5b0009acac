//! How does a proxy open the way?

use std::{future::poll_fn, io, net::IpAddr};

use steadfast::{Attempt, Cause, HttpAnswer, Text, Timestamp};

use super::{Hop, Speech};
use crate::{
    Address, Io, Net,
    handshake::{exchange, write_all},
    tcp::open_tcp,
    told::cause_of,
    userinfo::Userinfo,
};

/// RFC 1928 and RFC 1929: versions, and what is asked for.
const SOCKS: u8 = 5;
const PASSWORDS: u8 = 1;
const CONNECT: u8 = 1;
const NO_LOGIN: u8 = 0;
const PASSWORD: u8 = 2;
const NOTHING_FITS: u8 = 0xff;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

impl Hop {
    /// A tunnel to this server, and the address of the proxy. `now` is asked only if the proxy names a time to come back.
    pub(crate) async fn open<N: Net>(
        &self,
        net: &N,
        server: &Address,
        attempt: &Attempt,
        now: impl FnOnce() -> Timestamp,
    ) -> Result<(N::Stream, std::net::SocketAddr), Cause> {
        let (mut io, peer) = open_tcp(net, &self.address, attempt).await.map_err(|cause| self.tell(cause))?;
        let opened = self.tunnel(&mut io, server, now).await;
        opened.map(|()| (io, peer)).map_err(|cause| self.tell(cause))
    }

    /// Makes a tunnel of a stream to the proxy. Nothing is read of what stands behind the proxy's answer.
    async fn tunnel<S: Io>(&self, io: &mut S, server: &Address, now: impl FnOnce() -> Timestamp) -> Result<(), Cause> {
        match self.speech {
            Speech::Connect => connect(io, server, self.address.login(), now).await,
            Speech::Socks => socks(io, server, self.address.login()).await,
        }
    }

    /// The cause, which says that it is the proxy of which it speaks.
    fn tell(&self, cause: Cause) -> Cause {
        let said = |why: &Text| Text::from(format!("proxy {}: {why}", self.address.socket()));
        match &cause {
            Cause::Broken(why) => Cause::Broken(said(why)),
            Cause::Unreachable(why) => Cause::Unreachable(said(why)),
            Cause::Unresolved(why) => Cause::Unresolved(said(why)),
            Cause::Denied(why) => Cause::Denied(said(why)),
            Cause::Handshake(why) => Cause::Handshake(said(why)),
            Cause::Impossible(why) => Cause::Impossible(said(why)),
            Cause::Closed { .. } | Cause::Ended | Cause::Tls { .. } | Cause::Http(_) | Cause::Violation { .. } => cause,
        }
    }
}

/// RFC 9110 section 9.3.6.
async fn connect<S: Io>(
    io: &mut S,
    server: &Address,
    login: Option<&Userinfo>,
    now: impl FnOnce() -> Timestamp,
) -> Result<(), Cause> {
    let at = server.socket();
    let login = login.map_or(String::new(), |login| format!("Proxy-Authorization: {}\r\n", login.basic()));
    // One byte at a time: what stands behind the answer is the server's, and cannot be given back.
    let answer = exchange(io, &format!("CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n{login}\r\n"), 1).await?;
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    Err(Cause::Http(Box::new(HttpAnswer { proxy: true, ..answer.into_refusal(io, now).await })))
}

/// RFC 1928, with the credentials of RFC 1929.
async fn socks<S: Io>(io: &mut S, server: &Address, login: Option<&Userinfo>) -> Result<(), Cause> {
    let request = request(server)?;
    let methods: &[u8] = if login.is_some() { &[SOCKS, 2, NO_LOGIN, PASSWORD] } else { &[SOCKS, 1, NO_LOGIN] };
    write(io, methods).await?;
    match (version(read(io).await?)?, login) {
        (NO_LOGIN, _) => {}
        (PASSWORD, Some(login)) => log_in(io, login).await?,
        (NOTHING_FITS, None) => return Err(Cause::Denied("it wants a user name and a password".into())),
        (NOTHING_FITS, Some(_)) => return Err(Cause::Denied("it takes no user name and password".into())),
        (other, _) => return Err(Cause::Handshake(format!("it wants a login ({other}) that was not offered").into())),
    }
    write(io, &request).await?;
    let [status, _] = [version(read(io).await?)?, read::<S, 1>(io).await?[0]];
    answered(status)?;
    // Where the proxy speaks from. Nobody asks.
    let rest = match read(io).await? {
        [IPV4] => 4,
        [IPV6] => 16,
        [NAME] => usize::from(read::<S, 1>(io).await?[0]),
        [_] => return Err(Cause::Handshake("it does not answer in SOCKS5".into())),
    };
    for _ in 0..rest + 2 {
        read::<S, 1>(io).await?;
    }
    Ok(())
}

async fn log_in<S: Io>(io: &mut S, Userinfo { user, password }: &Userinfo) -> Result<(), Cause> {
    let mut bytes = vec![PASSWORDS];
    for text in [user, password] {
        bytes.push(length(text)?);
        bytes.extend(text);
    }
    write(io, &bytes).await?;
    match read(io).await? {
        [_, 0] => Ok(()),
        [_, _] => Err(Cause::Denied("it does not accept the user name or the password".into())),
    }
}

fn request(server: &Address) -> Result<Vec<u8>, Cause> {
    let mut bytes = vec![SOCKS, CONNECT, 0];
    match server.host().parse() {
        Ok(IpAddr::V4(ip)) => {
            bytes.push(IPV4);
            bytes.extend(ip.octets());
        }
        Ok(IpAddr::V6(ip)) => {
            bytes.push(IPV6);
            bytes.extend(ip.octets());
        }
        Err(_) => {
            bytes.extend([NAME, length(server.host().as_bytes())?]);
            bytes.extend(server.host().as_bytes());
        }
    }
    bytes.extend(server.port().to_be_bytes());
    Ok(bytes)
}

fn length(bytes: &[u8]) -> Result<u8, Cause> {
    u8::try_from(bytes.len()).map_err(|_| Cause::Impossible("SOCKS5 takes names of up to 255 bytes".into()))
}

fn version([version, said]: [u8; 2]) -> Result<u8, Cause> {
    if version == SOCKS { Ok(said) } else { Err(Cause::Handshake("it does not speak SOCKS5".into())) }
}

/// RFC 1928 section 6.
fn answered(status: u8) -> Result<(), Cause> {
    Err(match status {
        0 => return Ok(()),
        1 => Cause::Unreachable("general failure".into()),
        2 => Cause::Denied("its rules forbid this server".into()),
        3 => Cause::Unreachable("network unreachable".into()),
        4 => Cause::Unreachable("host unreachable".into()),
        5 => Cause::Unreachable("connection refused".into()),
        6 => Cause::Unreachable("the server is too far away (TTL)".into()),
        7 => Cause::Impossible("it opens no tunnels".into()),
        8 => Cause::Impossible("it does not take this kind of address".into()),
        other => Cause::Unreachable(format!("failure {other}").into()),
    })
}

async fn write<S: Io>(io: &mut S, bytes: &[u8]) -> Result<(), Cause> {
    write_all(io, bytes).await.map_err(|error| cause_of(&error))
}

/// So many bytes and no more.
async fn read<S: Io, const N: usize>(io: &mut S) -> Result<[u8; N], Cause> {
    let (mut bytes, mut count) = ([0; N], 0);
    while count < N {
        match poll_fn(|cx| io.poll_read(cx, &mut bytes[count..])).await {
            Ok(0) => return Err(Cause::Ended),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(Cause::Ended),
            Ok(more) => count += more,
            Err(error) => return Err(cause_of(&error)),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, task::Poll, time::Duration};

    use super::*;
    use crate::wire::{Wire, idle};

    const NOW: Timestamp = Timestamp::ZERO;

    fn open(proxy: &str, server: &str, wire: &mut Wire) -> Result<(), Cause> {
        let (hop, server) = (Hop::parse(proxy).expect(proxy), server.parse().expect(server));
        let mut opening = pin!(hop.tunnel(wire, &server, || NOW));
        for _ in 0..1_000 {
            if let Poll::Ready(opened) = opening.as_mut().poll(&mut idle()) {
                return opened;
            }
        }
        panic!("the proxy is waited for")
    }

    fn said(bytes: impl Into<Vec<u8>>) -> Wire {
        let mut wire = Wire::new();
        wire.arrive(bytes);
        wire
    }

    /// What is still to be read.
    fn rest(mut wire: Wire) -> Vec<u8> {
        let mut bytes = [0; 64];
        let Poll::Ready(Ok(count)) = wire.poll_read(&mut idle(), &mut bytes) else { panic!("nothing is left") };
        bytes[..count].to_vec()
    }

    #[test]
    fn connect_names_the_server_and_leaves_the_rest_to_it() {
        let mut wire = said("HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\nhello");
        open("http://user:word@proxy", "ws://server.example/live", &mut wire).expect("a tunnel");
        let request = "CONNECT server.example:80 HTTP/1.1\r\nHost: server.example:80\r\n\
                       Proxy-Authorization: Basic dXNlcjp3b3Jk\r\n\r\n";
        assert_eq!(String::from_utf8(wire.take_written()).expect("text"), request);
        assert_eq!(rest(wire), b"hello");
        let mut wire = Wire::new();
        wire.trickle(b"HTTP/1.0 299 Sure\n\n");
        open("http://proxy", "wss://[::1]", &mut wire).expect("a tunnel");
        assert!(wire.written.starts_with(b"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n"));
    }

    #[test]
    fn a_refusal_is_told_as_the_proxy_s() {
        let mut wire = said("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nwait");
        let Err(Cause::Http(answer)) = open("http://proxy", "ws://server", &mut wire) else { panic!("it is open") };
        assert!(answer.proxy);
        assert_eq!((answer.status, answer.retry_after), (503, Some(Duration::from_secs(7))));
        assert_eq!(answer.body, "wait");
    }

    #[test]
    fn a_head_without_end_is_refused() {
        let mut wire = said(format!("HTTP/1.1 200 Yes\r\nX: {}", "x".repeat(20_000)));
        let opened = open("http://proxy", "ws://server", &mut wire);
        assert!(matches!(opened, Err(Cause::Handshake(_))), "{opened:?}");
    }

    #[test]
    fn socks_names_the_server_and_leaves_the_rest_to_it() {
        for (address, bound) in [
            ("a.example", &[IPV4, 127, 0, 0, 1, 0, 80][..]),
            ("127.0.0.1", &[IPV6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80]),
            ("[::1]", &[NAME, 2, b'a', b'b', 0, 80]),
        ] {
            let mut wire = said([&[5, 0, 5, 0, 0], bound, b"hello"].concat());
            open("socks5://user:word@proxy", &format!("ws://{address}:258/"), &mut wire).expect("a tunnel");
            let to = match address {
                "a.example" => [&[NAME, 9], &b"a.example"[..]].concat(),
                "127.0.0.1" => vec![IPV4, 127, 0, 0, 1],
                _ => [&[IPV6][..], &[0; 15], &[1]].concat(),
            };
            assert_eq!(wire.take_written(), [&[5, 2, 0, 2, 5, 1, 0][..], &to, &[1, 2]].concat());
            assert_eq!(rest(wire), b"hello");
        }
    }

    #[test]
    fn socks_takes_a_user_and_a_password() {
        let mut wire = Wire::new();
        wire.trickle(&[5, 2, 1, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        open("socks5://user:w%40rd@proxy", "ws://a", &mut wire).expect("a tunnel");
        assert_eq!(wire.take_written(), b"\x05\x02\x00\x02\x01\x04user\x04w@rd\x05\x01\x00\x03\x01a\x00\x50");
        let refused = open("socks5://user:word@proxy", "ws://a", &mut said([5, 2, 1, 1]));
        assert_eq!(refused, Err(Cause::Denied("it does not accept the user name or the password".into())));
        let refused = open("socks5://proxy", "ws://a", &mut said([5, 0xff]));
        assert_eq!(refused, Err(Cause::Denied("it wants a user name and a password".into())));
    }

    #[test]
    fn each_answer_of_socks_has_words_and_a_cause() {
        for status in 1..=9 {
            let cause = open("socks5://proxy", "ws://a", &mut said([5, 0, 5, status, 0])).expect_err("no tunnel");
            let (Cause::Unreachable(why) | Cause::Denied(why) | Cause::Impossible(why)) = &cause else {
                panic!("{cause:?}")
            };
            assert!(!why.is_empty());
            assert_eq!(matches!(cause, Cause::Denied(_)), status == 2, "{cause:?}");
            assert_eq!(matches!(cause, Cause::Impossible(_)), status == 7 || status == 8, "{cause:?}");
        }
    }

    #[test]
    fn what_is_not_socks_is_said() {
        for bytes in [&b"HT"[..], &[5, 1], &[5, 0, 4, 0], &[5, 0, 5, 0, 0, 9]] {
            let refused = open("socks5://proxy", "ws://a", &mut said(bytes));
            assert!(matches!(refused, Err(Cause::Handshake(_))), "{refused:?}");
        }
        let mut wire = said([5]);
        wire.end();
        assert_eq!(open("socks5://proxy", "ws://a", &mut wire), Err(Cause::Ended));
    }
}
