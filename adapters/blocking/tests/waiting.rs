//! What threads wait with: who is woken, by whom, and what goes from one thread to another. Nothing sleeps, and every wait
//! ends.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    future::poll_fn,
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc,
    },
    task::Poll,
    thread,
    time::{Duration, Instant},
};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use steadfast::{Event, Frame, Phase, Plain};
use steadfast_blocking::{Countdown, Drain, Item, Late, Recv, Socket, Wait, connect};
use steadfast_driver::Countdown as _;
use tungstenite::accept;

const PATIENCE: Duration = Duration::from_secs(10);

/// Says everything back until the client leaves.
fn echo(stream: impl Read + Write) {
    let mut socket = accept(stream).unwrap();
    while let Ok(message) = socket.read() {
        if message.is_text() && socket.send(message).is_err() {
            break;
        }
    }
}

/// For one client.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    thread::spawn(move || echo(listener.accept().unwrap().0));
    url
}

fn online(socket: &mut Socket<Plain>) {
    while let Some(item) = socket.recv_timeout(PATIENCE).unwrap() {
        if matches!(item, Item::Event(Event::Phase(change)) if change.to == Phase::Online) {
            return;
        }
    }
    panic!("it has ended");
}

fn message(item: Option<Item<Frame, steadfast::Never>>) -> Frame {
    match item {
        Some(Item::Event(Event::Message { message, .. })) => message,
        other => panic!("no message: {other:?}"),
    }
}

#[test]
fn a_session_in_one_piece_goes_from_thread_to_thread() {
    let mut socket = connect(&server()).into_stream().unwrap();
    online(&mut socket);
    for round in ["1", "2", "3"] {
        let there = move || {
            socket.send(round).unwrap();
            assert_eq!(message(socket.recv_timeout(PATIENCE).unwrap()), Frame::from(round));
            socket
        };
        socket = thread::spawn(there).join().unwrap();
        // And on this one in between, where it was before.
        socket.send("here").unwrap();
        assert_eq!(message(socket.recv_timeout(PATIENCE).unwrap()), Frame::from("here"));
    }
    socket.close(Drain::within(PATIENCE)).wait_timeout(PATIENCE).unwrap();
}

#[test]
fn a_handle_on_another_thread_wakes_who_waits() {
    let mut socket = connect(&server()).into_stream().unwrap();
    online(&mut socket);
    let client = socket.client().clone();
    let (say, said) = mpsc::channel();
    let other = thread::spawn(move || said.iter().try_for_each(|text: String| client.send(text).map(|_| ())));
    for round in 0..1_000 {
        // Sometimes it comes while this thread falls asleep, sometimes before.
        say.send(round.to_string()).unwrap();
        assert_eq!(message(socket.recv_timeout(PATIENCE).unwrap()), Frame::from(round.to_string()));
    }
    drop(say);
    other.join().unwrap().unwrap();
}

#[test]
fn who_has_no_time_to_wait_gets_on_all_the_same() {
    let mut socket = connect(&server()).into_stream().unwrap();
    socket.send("hello").unwrap();
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < PATIENCE);
        match socket.recv_timeout(Duration::ZERO) {
            Ok(Some(Item::Event(Event::Message { message, .. }))) => return assert_eq!(message, Frame::from("hello")),
            Ok(Some(_)) => {}
            Ok(None) => panic!("it has ended"),
            // So does a loop that has other things to do.
            Err(Late) => thread::yield_now(),
        }
    }
}

#[test]
fn who_waits_may_wait_within() {
    let mut is_first = true;
    let outer = poll_fn(|cx| {
        if !is_first {
            return Poll::Ready(());
        }
        is_first = false;
        // The one outside is woken while the one within waits.
        cx.waker().wake_by_ref();
        let mut timer = Countdown::default();
        timer.set(Duration::from_millis(1));
        poll_fn(|cx| timer.poll(cx)).wait();
        Poll::Pending
    });
    let start = Instant::now();
    assert_eq!(outer.wait_timeout(PATIENCE), Ok(()));
    assert!(start.elapsed() < PATIENCE, "only the deadline has woken it");
}

#[test]
fn who_waits_within_takes_nothing_from_who_waits_without() {
    let mut is_first = true;
    let outer = poll_fn(|cx| {
        if !is_first {
            return Poll::Ready(());
        }
        is_first = false;
        cx.waker().wake_by_ref();
        let is_done = Arc::new(AtomicBool::new(false));
        poll_fn(|cx| {
            if is_done.load(SeqCst) {
                return Poll::Ready(());
            }
            let (is_done, waker) = (Arc::clone(&is_done), cx.waker().clone());
            thread::spawn(move || {
                is_done.store(true, SeqCst);
                waker.wake();
            });
            Poll::Pending
        })
        .wait();
        Poll::Pending
    });
    let start = Instant::now();
    assert_eq!(outer.wait_timeout(PATIENCE), Ok(()));
    assert!(start.elapsed() < PATIENCE, "only the deadline has woken it");
}

#[test]
fn drivers_in_a_collection_go_to_another_thread_with_the_next_message() {
    let (client, mut events, driver) = connect(&server()).build().unwrap();
    let mut drivers: FuturesUnordered<_> = [driver].into_iter().collect();
    let mut is_online = false;
    while !is_online {
        assert_eq!(drivers.next().wait_timeout(Duration::from_millis(1)), Err(Late));
        while let Ok(Some(item)) = events.recv_timeout(Duration::ZERO) {
            is_online |= matches!(item, Item::Event(Event::Phase(change)) if change.to == Phase::Online);
        }
    }
    let other = thread::spawn(move || drivers.next().wait());
    client.send("moved").unwrap();
    assert_eq!(message(events.recv_timeout(PATIENCE).unwrap()), Frame::from("moved"));
    client.close(Drain::within(PATIENCE)).wait_timeout(PATIENCE).unwrap();
    assert!(other.join().unwrap().is_some());
}

#[test]
fn a_timer_wakes_the_thread_that_has_polled_it_last() {
    let mut timer = Countdown::default();
    timer.set(Duration::from_millis(20));
    let early = poll_fn(|cx| timer.poll(cx)).wait_timeout(Duration::ZERO);
    assert_eq!(early, Err(Late));
    let there = move || poll_fn(|cx| timer.poll(cx)).wait_timeout(PATIENCE);
    assert_eq!(thread::spawn(there).join().unwrap(), Ok(()));
}

#[test]
fn a_timer_is_over_until_it_is_set_again() {
    let mut timer = Countdown::default();
    timer.set(Duration::from_millis(1));
    for _ in 0..2 {
        assert_eq!(poll_fn(|cx| timer.poll(cx)).wait_timeout(PATIENCE), Ok(()));
    }
    timer.set(PATIENCE);
    assert_eq!(poll_fn(|cx| timer.poll(cx)).wait_timeout(Duration::ZERO), Err(Late));
}

#[test]
fn another_executor_is_told_that_it_cannot() {
    let mut socket = connect(&server()).into_stream().unwrap();
    let start = Instant::now();
    let error = loop {
        assert!(start.elapsed() < PATIENCE);
        match socket.next().now_or_never() {
            Some(Some(Item::Error(error))) => break error.to_string(),
            Some(item) => assert!(item.is_some(), "it has ended"),
            // The name is resolved on another thread.
            None => thread::yield_now(),
        }
    };
    assert!(error.contains("steadfast-blocking"), "{error}");
    // Where it is waited for it goes on.
    online(&mut socket);
}

#[cfg(unix)]
#[test]
fn a_unix_socket_is_a_link_too() {
    use std::os::unix::net::UnixListener;

    use steadfast::Attempt;
    use steadfast_blocking::{ThreadIo, Upgrade, cause_of, over};
    use steadfast_driver::{Clock, Wristwatch};

    let path = std::env::temp_dir().join(format!("steadfast-blocking-{}", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || echo(listener.accept().unwrap().0));
    let upgrade = Upgrade::to("ws://localhost/".parse().unwrap());
    let at = path.clone();
    let dialer = move |attempt: Attempt| {
        let (upgrade, at) = (upgrade.clone(), at.clone());
        async move {
            let stream = mio::net::UnixStream::connect(at).map_err(|error| cause_of(&error))?;
            upgrade.over(ThreadIo::new(stream), &attempt, || Wristwatch::new().now()).await
        }
    };
    let mut socket = over(dialer).into_stream().unwrap();
    socket.send("hello").unwrap();
    let mut items = std::iter::from_fn(|| socket.recv_timeout(PATIENCE).unwrap());
    let echoed = items.find(|item| matches!(item, Item::Event(Event::Message { .. })));
    assert_eq!(message(echoed), Frame::from("hello"));
    std::fs::remove_file(path).unwrap();
}
