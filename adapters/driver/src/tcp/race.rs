//! Which of a host's addresses is it? The first that answers (RFC 8305).

use std::{
    future::{Future, poll_fn},
    io, mem,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use crate::{Countdown, Net};

/// How long an address is waited for before the next one is tried as well (RFC 8305 section 5).
const NEXT_AFTER: Duration = Duration::from_millis(250);

/// The addresses in the order in which they are tried: IPv6 and IPv4 take turns, so that a family which leads nowhere
/// costs one wait. Each attempt, counted from 1, begins with another one.
pub(super) fn in_turn(found: Vec<SocketAddr>, attempt: u64) -> Vec<SocketAddr> {
    let mut addresses = interleaved(found);
    let count = u64::try_from(addresses.len()).unwrap_or(u64::MAX);
    let first = attempt.saturating_sub(1).checked_rem(count).unwrap_or_default();
    addresses.rotate_left(usize::try_from(first).unwrap_or_default());
    addresses
}

/// RFC 8305 section 4. The resolver's order is kept within a family, and its first address is the first.
fn interleaved(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first = found.first().map(SocketAddr::is_ipv6);
    let (one, other): (Vec<_>, Vec<_>) = found.into_iter().partition(|address| Some(address.is_ipv6()) == first);
    let mut other = other.into_iter();
    let mut all: Vec<_> = one.into_iter().flat_map(|address| [Some(address), other.next()]).flatten().collect();
    all.extend(other);
    all
}

/// The first connection that can be had, or the last error. The next address is tried when one has failed or the newest has
/// had its time; those before go on beside it.
pub(super) async fn connect<N: Net>(net: &N, addresses: &[SocketAddr]) -> io::Result<(N::Stream, SocketAddr)> {
    let mut rest = addresses.iter();
    let (mut running, mut next) = (Vec::new(), N::Countdown::default());
    let mut last = io::ErrorKind::AddrNotAvailable.into();
    poll_fn(|cx| {
        loop {
            let before = running.len();
            if let Some(won) = poll_all(&mut running, &mut last, cx) {
                return Poll::Ready(Ok(won));
            }
            if rest.as_slice().is_empty() {
                let is_over = running.is_empty();
                return if is_over {
                    Poll::Ready(Err(mem::replace(&mut last, io::ErrorKind::Other.into())))
                } else {
                    Poll::Pending
                };
            }
            let is_free = running.is_empty() || running.len() < before;
            if !is_free && next.poll(cx).is_pending() {
                return Poll::Pending;
            }
            running.extend(
                rest.next().map(|&address| {
                    Box::pin(async move { net.connect(address).await.map(|stream| (stream, address)) })
                }),
            );
            next.set(NEXT_AFTER);
        }
    })
    .await
}

/// Gives what the first of them has that has something. Those that have failed are taken out.
fn poll_all<T, F>(running: &mut Vec<Pin<Box<F>>>, last: &mut io::Error, cx: &mut Context<'_>) -> Option<T>
where
    F: Future<Output = io::Result<T>>,
{
    let mut at = 0;
    while let Some(one) = running.get_mut(at) {
        match one.as_mut().poll(cx) {
            Poll::Ready(Ok(won)) => return Some(won),
            Poll::Ready(Err(error)) => {
                *last = error;
                drop(running.remove(at));
            }
            Poll::Pending => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::{
        cell::{Cell, RefCell},
        pin::pin,
        task::Waker,
    };

    use super::*;
    use crate::Io;

    thread_local! {
        /// Milliseconds. Each test has a thread of its own.
        static NOW: Cell<u64> = const { Cell::new(0) };
        /// Which ports were tried, and when.
        static TRIED: RefCell<Vec<(u64, u16)>> = const { RefCell::new(Vec::new()) };
    }

    /// The port says what becomes of an address: it answers after so many milliseconds, refuses if they are odd, and
    /// swallows everything from 10,000 on.
    #[derive(Clone, Debug, Default)]
    struct Net;

    impl crate::Net for Net {
        type Stream = Stream;
        type Countdown = Alarm;

        async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
            Err(io::ErrorKind::Unsupported.into())
        }

        async fn connect(&self, address: SocketAddr) -> io::Result<Stream> {
            let port = address.port();
            TRIED.with_borrow_mut(|tried| tried.push((NOW.get(), port)));
            let mut alarm = Alarm::default();
            alarm.set(Duration::from_millis(if port < 10_000 { port.into() } else { u64::MAX / 2 }));
            poll_fn(|cx| alarm.poll(cx)).await;
            if port % 2 == 0 { Ok(Stream) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
        }
    }

    #[derive(Debug)]
    struct Stream;

    impl Io for Stream {
        fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_write(&mut self, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Pending
        }
    }

    #[derive(Debug, Default)]
    struct Alarm(Option<u64>);

    impl Countdown for Alarm {
        fn set(&mut self, after: Duration) {
            self.0 = Some(NOW.get() + u64::try_from(after.as_millis()).expect("not for ever"));
        }

        fn poll(&mut self, _: &mut Context<'_>) -> Poll<()> {
            if NOW.get() >= self.0.expect("it was set") { Poll::Ready(()) } else { Poll::Pending }
        }
    }

    fn address(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    /// Which port it is and when, or which error; and who was tried when.
    fn race(ports: &[u16]) -> (Result<u16, io::ErrorKind>, u64, Vec<(u64, u16)>) {
        let addresses: Vec<_> = ports.iter().copied().map(address).collect();
        let mut connecting = pin!(connect(&Net, &addresses));
        NOW.set(0);
        loop {
            if let Poll::Ready(done) = connecting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                let done = done.map(|(_, address)| address.port()).map_err(|error| error.kind());
                return (done, NOW.get(), TRIED.take());
            }
            assert!(NOW.get() < 5_000, "nobody wins");
            NOW.set(NOW.get() + 1);
        }
    }

    #[test]
    fn one_that_answers_is_the_only_one_that_is_tried() {
        assert_eq!(race(&[100, 0]), (Ok(100), 100, vec![(0, 100)]));
    }

    #[test]
    fn one_that_fails_is_followed_at_once() {
        assert_eq!(race(&[1, 101, 20]), (Ok(20), 122, vec![(0, 1), (1, 101), (102, 20)]));
    }

    #[test]
    fn one_that_is_slow_is_joined_by_the_next_and_may_still_win() {
        assert_eq!(race(&[10_000, 100]), (Ok(100), 350, vec![(0, 10_000), (250, 100)]));
        assert_eq!(race(&[300, 100]), (Ok(300), 300, vec![(0, 300), (250, 100)]));
        assert_eq!(race(&[10_000, 10_000, 40]), (Ok(40), 540, vec![(0, 10_000), (250, 10_000), (500, 40)]));
    }

    #[test]
    fn one_that_fails_late_lets_the_next_begin() {
        assert_eq!(race(&[301, 10_000, 20]), (Ok(20), 321, vec![(0, 301), (250, 10_000), (301, 20)]));
    }

    #[test]
    fn when_all_have_failed_the_last_error_tells() {
        let (done, at, tried) = race(&[501, 1]);
        assert_eq!((done, at, tried.len()), (Err(io::ErrorKind::ConnectionRefused), 501, 2));
        assert_eq!(race(&[]), (Err(io::ErrorKind::AddrNotAvailable), 0, vec![]));
    }

    #[test]
    fn each_attempt_begins_with_another_address() {
        let addresses: Vec<_> = (1..=3).map(address).collect();
        let firsts = [1, 2, 3, 4, u64::MAX].map(|attempt| in_turn(addresses.clone(), attempt)[0].port());
        assert_eq!(firsts, [1, 2, 3, 1, 3]);
        assert_eq!(in_turn(addresses, 2).len(), 3);
        assert!(in_turn(vec![], 1).is_empty());
    }

    #[test]
    fn the_families_take_turns() {
        let six = |port| SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port));
        let ports = |found: Vec<SocketAddr>| in_turn(found, 1).iter().map(SocketAddr::port).collect::<Vec<_>>();
        assert_eq!(ports(vec![six(1), six(2), six(3), address(4)]), [1, 4, 2, 3]);
        assert_eq!(ports(vec![address(1), six(2), six(3), six(4)]), [1, 2, 3, 4]);
        assert_eq!(ports(vec![six(1), six(2), address(3), address(4), address(5)]), [1, 3, 2, 4, 5]);
    }
}
