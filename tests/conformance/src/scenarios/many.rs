//! A thousand sessions at once, in one process with their server.

use std::{fs, thread, time::Duration};

use futures_util::future::join_all;
use steadfast::{Plain, StopCause};
use steadfast_driver::Drain;

use crate::{
    adapters::Adapter,
    app::{AGES, App, task, tuned},
    server::{Peer, Server},
};

const MANY: usize = 1_000;
/// What one may take, with its peer, in a debug build.
const EACH: usize = 96 << 10;
/// Within this time they come back.
const SPREAD: Duration = Duration::from_secs(2);

/// The memory of this process, in bytes; 0 where that cannot be asked.
fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|pages| pages.split(' ').nth(1)?.parse::<usize>().ok());
    pages.unwrap_or_default() * rustix::param::page_size()
}

fn start<'a, A: Adapter>(adapter: &'a A, server: &Server) -> Vec<App<'a, A, Plain>> {
    let (mut tasks, mut apps) = (Vec::new(), Vec::new());
    for _ in 0..MANY {
        // Not all of them in one moment: the system queues few connections.
        let config = tuned(|config| (config.retry.base, config.retry.cap) = (SPREAD, SPREAD));
        let (client, events, driver) = A::connect(&server.url()).config(config).build().unwrap();
        let (task, driver) = task(driver);
        tasks.push(task);
        apps.push(App { adapter, client, events, driver });
    }
    adapter.spawn_all(tasks);
    apps
}

pub(super) fn a_thousand_sessions_are_bounded_in_memory<A: Adapter>(adapter: &A) {
    let (before, server) = (resident(), Server::bind());
    let mut apps = start(adapter, &server);
    let mut peers: Vec<Peer> = (0..MANY).map(|_| server.accept()).collect();
    apps.iter_mut().for_each(|app| drop(app.online()));
    for round in ["1", "2", "3"] {
        apps.iter().for_each(|app| assert!(app.send(round).is_ok()));
        for peer in &mut peers {
            assert_eq!(peer.hear(), round);
            peer.say(round);
        }
        apps.iter_mut().for_each(|app| assert_eq!(app.text(), round));
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < MANY * EACH, "{} bytes for each", grown / MANY);
    let served = thread::spawn(|| peers.into_iter().for_each(|peer| assert_eq!(peer.goodbye(), Some(1000))));
    let causes = adapter.wait(join_all(apps.iter().map(|app| app.client.close(Drain::within(AGES)))));
    assert!(causes.into_iter().all(|cause| cause == StopCause::User));
    served.join().unwrap();
}

pub(super) fn a_thousand_sessions_come_back_after_a_restart<A: Adapter>(adapter: &A) {
    let server = Server::bind();
    let mut apps = start(adapter, &server);
    let peers: Vec<Peer> = (0..MANY).map(|_| server.accept()).collect();
    apps.iter_mut().for_each(|app| drop(app.online()));
    drop(peers);
    let _peers: Vec<Peer> = (0..MANY).map(|_| server.accept()).collect();
    apps.iter_mut().for_each(|app| drop(app.online()));
}
