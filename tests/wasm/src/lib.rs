//! The whole of a driver over a transport that is none.

use std::{
    cell::Cell,
    future::Future,
    pin::pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use steadfast::{Attempt, Cause, CloseCode, Frame, Handshake, Plain, Protocol, Timestamp, protocol::json::Json};
use steadfast_driver::{Builder, Clock, Dial, Dialer, Runtime, Sleep, Transport};

/// A page without a clock: it is always the beginning.
struct Page;

impl Clock for Page {
    fn now(&self) -> Timestamp {
        Timestamp::ZERO
    }
}

impl Runtime for Page {
    type Sleep = Never;

    fn sleep(&self) -> Never {
        Never
    }
}

/// A timer that does not fire.
struct Never;

impl Sleep for Never {
    fn arm(&mut self, _: Timestamp) {}

    fn poll_due(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// A link to nobody. The `Rc` keeps it on its thread.
struct Nobody(Rc<Cell<u64>>);

impl Transport for Nobody {
    const PINGS: bool = false;

    fn feed(&mut self, _: Frame) {
        self.0.set(self.0.get() + 1);
    }

    fn close(&mut self, _: CloseCode, _: &str) {}

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut Vec<Frame>, _: usize) -> Poll<Result<(), Cause>> {
        Poll::Pending
    }

    fn left(&self) -> u64 {
        self.0.get()
    }

    fn fed(&self) -> u64 {
        self.0.get()
    }
}

fn dialer() -> impl Dialer<Transport = Nobody> {
    |_: Attempt| async { Dial::Ok((Nobody(Rc::default()), Handshake::default())) }
}

/// One poll of a driver that speaks `protocol`; whether it is over.
fn poll<P: Protocol>(protocol: P, message: impl Into<P::Message>) -> bool {
    let builder = Builder::new(Page, Ok(dialer())).protocol(protocol);
    let Ok((client, _events, driver)) = builder.build() else { return true };
    let _ = client.send(message);
    pin!(driver).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// Keeps all of it from being thrown away by the linker.
#[unsafe(no_mangle)]
pub extern "C" fn steadfast_polls() -> bool {
    poll(Plain, "hello") || poll(Json::new(7), steadfast::protocol::json::Message::bare("hello"))
}
