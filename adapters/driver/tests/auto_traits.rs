//! What may go to another thread, be used by several at once, and be moved while it is polled? Checked when this is
//! compiled; when it is run, that no public type was left out.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use std::{
    io,
    net::SocketAddr,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use steadfast::{Attempt, Frame, MessageLog, Never, Plain, SendOptions, StopCause};
use steadfast_driver::{
    Address, Ask, BadAddress, BadHeader, BadProxy, BadTrust, BuildError, Builder, Built, Client, Clock, Dial, Drain,
    Driver, Events, Io, Item, Kept, Lagged, Latest, Mailbox, MaybeTls, Native, NotEmitted, Proxy, Request,
    RequestError, Socket, SubscribeError, Subscribed, Subscription, Tcp, Ticket, Timer, Tls, Trust, Update, Upgrade,
    Wristwatch, Ws,
};
use world::{World, toy::Toy};

/// Each of these types is all of this, or this does not compile. Their names are kept.
macro_rules! each {
    ($names:ident is $first:path $(, $more:path)*: $($type:ty),+ $(,)?) => {
        const $names: &[&str] = {
            const fn holds<T: $first $(+ $more)* + 'static>() {}
            $(holds::<$type>();)+
            &[$(stringify!($type)),+]
        };
    };
}

each! { OF_ALL_THREADS is Send, Sync, Unpin:
    Address, Ask, BadAddress, BadHeader, BadProxy, BadTrust, BuildError, Client<Plain>, Client<Toy>, Drain, Events<Plain>,
    Events<Toy>, Item<Frame, Never>, Kept<MessageLog>, Lagged, Latest<Toy>, Mailbox, MaybeTls<Wire>, Native<Wire>,
    NotEmitted, Proxy, Request<Toy>, RequestError<Frame>, SubscribeError, Subscribed<char>, Subscription<Toy>, Tcp<Wire>,
    Ticket<Plain>, Timer<Wire>, Tls<Wire>, Trust, Update<String>, Upgrade, Wristwatch, Ws<Wire>,
}
each! { OF_ONE_THREAD_AT_A_TIME is Send, Unpin:
    Builder<Plain, World, World>, Built<Plain, World, World>, Dial<Ws<Wire>>, Driver<Plain, Native<Wire>, Tcp<Wire>>,
    Driver<Toy, World, World>, Socket<Plain, Native<Wire>, Tcp<Wire>>,
}
const TRAITS: &[&str] =
    &["Clock", "Countdown", "Dialer", "Io", "Net", "Routing", "Runtime", "Securing", "Sleep", "Transport", "Upgrading"];

#[test]
fn no_public_type_is_left_out() {
    let known = [OF_ALL_THREADS, OF_ONE_THREAD_AT_A_TIME, TRAITS].concat();
    let known: Vec<_> = known.iter().map(|name| name.split('<').next().unwrap().trim()).collect();
    let exported = include_str!("../src/lib.rs").split("pub use ").skip(1).map(|rest| rest.split(';').next().unwrap());
    let words = exported.flat_map(|list| list.split(|c: char| !(c.is_alphanumeric() || c == '_')));
    let types: Vec<_> =
        words.filter(|word| word.contains(char::is_uppercase) && word.contains(char::is_lowercase)).collect();
    assert!(types.len() > 40, "{types:?}");
    let left_out: Vec<_> = types.iter().filter(|name| !known.contains(name)).collect();
    assert!(left_out.is_empty(), "{left_out:?}");
}

/// What is waited for may be waited for by a task that moves between threads.
#[expect(dead_code, reason = "to be compiled")]
fn futures(client: &Client<Toy>, events: &mut Events<Toy>, topic: &mut Subscription<Toy>, latest: &mut Latest<Toy>) {
    fn is_sent(_: impl Send) {}
    is_sent(client.send_when_ready("a"));
    is_sent(client.send_when_ready_with("a", SendOptions::default()));
    is_sent(client.close(Drain::within(Duration::ZERO)));
    is_sent((events.next(), topic.next(), latest.changed()));
}

#[expect(dead_code, reason = "to be compiled")]
fn futures_of_a_socket(mut socket: Socket<Plain, Native<Wire>, Tcp<Wire>>) {
    fn is_sent(_: impl Send) {}
    is_sent(socket.next());
    is_sent(socket.close(Drain::within(Duration::ZERO)));
}

/// A dialer that stays on its thread makes a driver that does.
#[expect(dead_code, reason = "to be compiled")]
fn a_driver_need_not_be_sent(world: World, here: Rc<Upgrade>) -> impl Future<Output = StopCause> + Unpin {
    let dialer = move |attempt: Attempt| {
        let here = Rc::clone(&here);
        async move { here.over(Wire, &attempt, || Wristwatch::new().now()).await }
    };
    Builder::new(world, Ok(dialer)).build().unwrap().2
}

/// A network of nothing.
#[derive(Clone, Copy, Default)]
struct Wire;

impl steadfast_driver::Net for Wire {
    type Stream = Self;
    type Countdown = Self;

    async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(Vec::new())
    }

    async fn connect(&self, _: SocketAddr) -> io::Result<Self> {
        Ok(Self)
    }
}

impl steadfast_driver::Countdown for Wire {
    fn set(&mut self, _: Duration) {}

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Io for Wire {
    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_write(&mut self, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
}
