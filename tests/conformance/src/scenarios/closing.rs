//! The end that is asked for: close, drain and stop in every phase.

use std::{
    thread,
    time::{Duration, Instant},
};

use futures_util::{FutureExt, future::join};
use serde_json::json;
use steadfast::{
    Dropped, Outcome, Phase, Protocol, SendOptions, StopCause, Why,
    protocol::json::{Json, Login, Message},
};
use steadfast_driver::Drain;

use crate::{
    adapters::Adapter,
    app::{AGES, App, MOMENT, json, patient, plain, quick, task, tuned, with},
    server::Server,
};

const STOPPED: Phase = Phase::Stopped(StopCause::User);

/// It ends, on its own account, and says nothing after that.
fn ends<A: Adapter, P: Protocol>(mut app: App<'_, A, P>, drain: Duration) {
    let cause = app.wait(app.client.close(Drain::within(drain)));
    assert_eq!((cause, app.driver.over()), (StopCause::User, Some(StopCause::User)));
    app.rest();
    assert_eq!(app.phase(), STOPPED);
}

pub(super) fn the_last_words_leave_before_the_goodbye<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = plain(adapter, &server.url());
    let mut peer = server.accept();
    app.send("last words").unwrap();
    let closing = thread::spawn(move || {
        assert_eq!(peer.hear(), "last words");
        assert_eq!(peer.goodbye(), Some(1000));
    });
    assert_eq!(app.close(), StopCause::User);
    closing.join().unwrap();
    assert_eq!(app.send("too late").unwrap_err().why, Why::Stopped);
    ends(app, AGES);
}

pub(super) fn while_it_dials<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    let _silent = server.tcp();
    app.until(Phase::Connecting);
    ends(app, AGES);
}

pub(super) fn while_it_dials_with_something_to_send<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = plain(adapter, &server.url());
    let _silent = server.tcp();
    let ticket = app.send_tracked("never", SendOptions::default()).unwrap();
    let began = Instant::now();
    assert_eq!(app.wait(app.client.close(Drain::within(MOMENT))), StopCause::User);
    assert!(began.elapsed() >= MOMENT);
    assert_eq!(app.wait(ticket), Outcome::Dropped(Dropped::Stopped));
    ends(app, AGES);
}

pub(super) fn while_it_waits<A: Adapter>(adapter: &A) {
    let mut app = with(adapter, &Server::bind().away().url(), patient());
    app.until(Phase::Waiting);
    ends(app, AGES);
}

pub(super) fn while_it_logs_in<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = json(adapter, &server.url(), Json::default().login(Login::default()));
    let peer = server.accept();
    app.until(Phase::Authenticating);
    let peer = thread::spawn(move || peer.goodbye());
    ends(app, MOMENT);
    peer.join().unwrap();
}

pub(super) fn while_it_restores<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = json(adapter, &server.url(), Json::default());
    let mut topic = app.subscribe("kitchen").unwrap();
    app.send(Message::bare("order")).unwrap();
    let peer = server.accept();
    app.until(Phase::Restoring);
    let peer = thread::spawn(move || peer.goodbye());
    ends(app, MOMENT);
    peer.join().unwrap();
    while adapter.wait(topic.next()).is_some() {}
}

pub(super) fn while_it_is_suspended<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    let peer = server.accept();
    app.online();
    app.suspend();
    peer.goodbye();
    app.until(Phase::Suspended);
    ends(app, AGES);
}

pub(super) fn when_it_has_given_up<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    server.refuse(404, &[]);
    app.failed();
    assert_eq!(app.close(), StopCause::Failed);
    assert_eq!(app.driver.over(), Some(StopCause::Failed));
}

pub(super) fn before_the_driver_runs<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let (client, events, driver) = A::connect(&server.url()).config(quick()).build().unwrap();
    client.send("all the same").unwrap();
    let closing = thread::spawn({
        let client = client.clone();
        move || client.close(Drain::within(AGES)).now_or_never()
    });
    assert_eq!(closing.join().unwrap(), None);
    let (task, driver) = task(driver);
    adapter.spawn(task);
    let mut peer = server.accept();
    assert_eq!(peer.hear(), "all the same");
    assert_eq!(peer.goodbye(), Some(1000));
    ends(App { adapter, client, events, driver }, AGES);
}

pub(super) fn what_is_not_acknowledged_is_waited_for<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = json(adapter, &server.url(), Json::default().acks(true));
    let ticket = app.send_tracked(Message::bare("order"), SendOptions::at_least_once()).unwrap();
    let served = thread::spawn(move || {
        let id = server.accept().hear_json()["id"].clone();
        // Not on this link; but the next one comes, in the middle of the drain.
        let mut peer = server.accept();
        assert_eq!(peer.hear_json()["id"], id);
        peer.say(json!({"type": "ack", "id": id}).to_string());
        peer.goodbye()
    });
    assert_eq!(app.close(), StopCause::User);
    assert_eq!(app.wait(ticket), Outcome::Acked);
    assert_eq!(served.join().unwrap(), Some(1000));
}

pub(super) fn without_time_what_waits_is_dropped<A: Adapter>(adapter: &A) {
    let app = plain(adapter, &Server::bind().away().url());
    let tickets: Vec<_> = (0..10).map(|_| app.send_tracked("x", SendOptions::default()).unwrap()).collect();
    app.wait(app.client.close(Drain::within(Duration::ZERO)));
    for ticket in tickets {
        assert_eq!(app.wait(ticket), Outcome::Dropped(Dropped::Stopped));
    }
    ends(app, AGES);
}

pub(super) fn a_server_that_does_not_answer_the_goodbye_is_left<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = with(adapter, &server.url(), tuned(|config| config.close_timeout = MOMENT));
    let _frozen = server.accept();
    app.online();
    let began = Instant::now();
    assert_eq!(app.close(), StopCause::User);
    assert!(began.elapsed() >= MOMENT, "{:?}", began.elapsed());
    ends(app, AGES);
}

pub(super) fn goodbyes_that_cross_are_one<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    let mut peer = server.accept();
    app.online();
    let serving = thread::spawn(move || {
        peer.close(1001, "we too");
        peer.goodbye()
    });
    assert_eq!(app.close(), StopCause::User);
    assert!(matches!(serving.join().unwrap(), Some(1000 | 1001)));
    ends(app, AGES);
}

pub(super) fn twice_at_once<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    let peer = server.accept();
    app.online();
    let peer = thread::spawn(move || peer.goodbye());
    let (one, other) = app.wait(join(app.client.close(Drain::within(AGES)), app.client.close(Drain::within(AGES))));
    assert_eq!((one, other, peer.join().unwrap()), (StopCause::User, StopCause::User, Some(1000)));
    ends(app, AGES);
}

pub(super) fn a_closed_session_does_not_start_again<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let app = plain(adapter, &server.url());
    drop(server.accept());
    app.close();
    app.connect_now();
    assert_eq!((app.phase(), app.driver.over()), (STOPPED, Some(StopCause::User)));
}

pub(super) fn a_stopped_session_starts_again<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    for round in ["1", "2", "3"] {
        let mut peer = server.accept();
        app.online();
        app.send(round).unwrap();
        assert_eq!(peer.hear(), round);
        app.stop();
        assert_eq!(peer.goodbye(), Some(1000));
        app.until(STOPPED);
        assert_eq!(app.send("not now").unwrap_err().why, Why::Stopped);
        app.connect_now();
    }
    let _peer = server.accept();
    app.online();
}

pub(super) fn a_stop_while_it_dials<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut app = plain(adapter, &server.url());
    let mut silent = server.tcp();
    app.stop();
    app.until(STOPPED);
    // The attempt is gone.
    std::io::copy(&mut silent, &mut std::io::sink()).unwrap();
    app.connect_now();
    let _peer = server.accept();
    app.online();
}

pub(super) fn the_last_handle_says_goodbye<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let App { client, driver, .. } = plain(adapter, &server.url());
    let other = client.clone();
    drop(client);
    other.send("last words").unwrap();
    drop(other);
    let mut peer = server.accept();
    assert_eq!(peer.hear(), "last words");
    assert_eq!(peer.goodbye(), Some(1000));
    assert_eq!(driver.over(), Some(StopCause::User));
}

pub(super) fn the_last_handle_without_a_link<A: Adapter>(adapter: &A) {
    let App { client, driver, mut events, .. } = with(adapter, &Server::bind().away().url(), patient());
    drop(client);
    assert_eq!(driver.over(), Some(StopCause::User));
    while adapter.wait(events.next()).is_some() {}
}

pub(super) fn one_owner_spawns_nothing<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut socket = A::connect(&server.url()).config(quick()).into_stream().unwrap();
    let served = thread::spawn(move || {
        let mut peer = server.accept();
        assert_eq!(peer.hear(), "hello");
        peer.say("and back");
        peer.goodbye()
    });
    socket.send("hello").unwrap();
    let text = adapter.wait(async {
        loop {
            if let Some(message) = socket.next().await.expect("it goes on").into_message() {
                break message;
            }
        }
    });
    assert_eq!(text.as_str(), Some("and back"));
    adapter.wait(socket.close(Drain::within(AGES)));
    assert_eq!(served.join().unwrap(), Some(1000));
}
