//! An application that is slow, and a server that is not.

use std::{
    thread::{self, JoinHandle},
    time::Duration,
};

use futures_util::FutureExt;
use steadfast::{Outcome, SendOptions, StopCause};
use steadfast_driver::{Drain, Item, Mailbox};
use tungstenite::Message;

use crate::{
    adapters::Adapter,
    app::{AGES, plain, quick, run, tuned},
    server::{Peer, Server},
};

pub(super) fn what_lags_is_counted_and_the_newest_is_there<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = run(adapter, A::connect(&server.url()).config(quick()).mailbox(Mailbox::lag(10, 1 << 20)));
    let mut peer = server.accept();
    (0..1_000).for_each(|n| peer.say(n.to_string()));
    peer.close(1012, "");
    // When it is there again it has read all of that.
    let _peer = server.accept();
    assert_eq!(app.lagged().messages, 990);
    (990..1_000).for_each(|n| assert_eq!(app.text(), n.to_string()));
}

pub(super) fn what_pauses_loses_nothing<A: Adapter>(adapter: &A) {
    const COUNT: usize = 1_000;
    let server = Server::bind();
    let mut app = run(adapter, A::connect(&server.url()).config(quick()).mailbox(Mailbox::pause(10, 1 << 20)));
    let mut peer = server.accept();
    let saying = thread::spawn(move || {
        (0..COUNT).for_each(|n| peer.say(format!("{n:01000}")));
        peer
    });
    (0..COUNT).for_each(|n| assert_eq!(app.text(), format!("{n:01000}")));
    saying.join().unwrap();
}

pub(super) fn a_server_feels_that_reading_is_paused<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = run(adapter, A::connect(&server.url()).config(quick()).mailbox(Mailbox::pause(2, 1 << 20)));
    let mut peer = server.accept();
    app.online();
    peer.0.get_ref().set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut said = 0_usize;
    let error = loop {
        match peer.0.send(Message::binary(vec![7; 256 << 10])) {
            Ok(()) => said += 1,
            Err(error) => break error,
        }
        assert!(said < 1_000, "somebody takes all of it");
    };
    assert!(matches!(error, tungstenite::Error::Io(_) | tungstenite::Error::WriteBufferFull(_)), "{error}");
    for _ in 0..said {
        assert_eq!(app.message().len(), 256 << 10);
    }
}

/// Says something for as long as the client is there.
fn flood(mut peer: Peer, message: Message) -> JoinHandle<u64> {
    thread::spawn(move || {
        let mut said = 0;
        while peer.0.send(message.clone()).is_ok() {
            said += 1;
        }
        said
    })
}

/// The server says this for ever; the application reads nothing, and still all that it wants is done.
fn is_heard<A: Adapter>(adapter: &A, message: Message) {
    let server = Server::bind();
    let mut app = run(adapter, A::connect(&server.url()).config(quick()).mailbox(Mailbox::lag(100, 1 << 20)));
    let peer = server.accept();
    app.online();
    let flood = flood(peer, message);
    for _ in 0..3 {
        assert_eq!(app.sent("a word", SendOptions::default()), Outcome::Written);
    }
    assert_eq!(app.close(), StopCause::User);
    assert!(flood.join().unwrap() > 0);
}

pub(super) fn commands_are_heard_in_a_flood_of_messages<A: Adapter>(adapter: &A) {
    is_heard(adapter, Message::text("much ado"));
}

pub(super) fn commands_are_heard_in_a_flood_of_pings<A: Adapter>(adapter: &A) {
    is_heard(adapter, Message::Ping("?".into()));
}

pub(super) fn an_application_that_keeps_up_misses_nothing_of_a_flood<A: Adapter>(adapter: &A) {
    const COUNT: usize = 20_000;
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    let mut peer = server.accept();
    let saying = thread::spawn(move || {
        for n in 0..COUNT {
            peer.0.write(Message::text(n.to_string())).unwrap();
        }
        peer.0.flush().unwrap();
        peer
    });
    // The default mailbox holds fewer than these, so whoever lags says so.
    let mut next = 0;
    while next < COUNT {
        match app.next().unwrap() {
            Item::Lagged(lagged) => next += usize::try_from(lagged.messages).unwrap(),
            item => {
                if let Some(message) = item.into_message() {
                    assert_eq!(message.as_str(), Some(next.to_string().as_str()));
                    next += 1;
                }
            }
        }
    }
    saying.join().unwrap();
}

pub(super) fn a_session_that_is_paused_can_be_closed<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let config = tuned(|config| config.close_timeout = Duration::from_millis(200));
    let app = run(adapter, A::connect(&server.url()).config(config).mailbox(Mailbox::pause(1, 1 << 20)));
    let mut peer = server.accept();
    ["a", "b", "c"].into_iter().for_each(|text| peer.say(text));
    assert_eq!(app.sent("read by nobody", SendOptions::default()), Outcome::Written);
    assert_eq!(app.wait(app.client.close(Drain::within(AGES))), StopCause::User);
    assert_eq!(app.driver.over(), Some(StopCause::User));
}

pub(super) fn nobody_reads_and_the_session_goes_on<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = run(adapter, A::connect(&server.url()).config(quick()).mailbox(Mailbox::pause(1, 1 << 20)));
    drop(app.events);
    let mut peer = server.accept();
    (0..1_000).for_each(|n| peer.say(n.to_string()));
    app.client.send("still there").unwrap();
    assert_eq!(peer.hear(), "still there");
}

pub(super) fn a_read_that_is_given_up_takes_nothing<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    let mut peer = server.accept();
    app.online();
    for n in 0..200 {
        // Polled once, and dropped.
        let early = app.events.next().now_or_never();
        assert!(early.is_none(), "{early:?}");
        peer.say(n.to_string());
        assert_eq!(app.text(), n.to_string());
    }
}
