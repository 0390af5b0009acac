//! What the host decides in code: verdicts and credentials. It may be slow, change its mind, and panic.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use steadfast::{
    AskWhy, Cause, Config, CredentialUse, HttpAnswer, Kind, Phase, Plain, Recovery, Secret, StopCause, Text,
};
use steadfast_driver::{Ask, BuildError, Builder, Client, Item};
use world::{Parts, World, build, take};

/// Somebody who has credentials, and answers when the test says so.
#[derive(Clone, Default)]
struct Vault(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    asked: Vec<Ask>,
    answer: Option<Result<Secret, Text>>,
    waker: Option<Waker>,
}

/// One answer; counted while it is alive.
struct Answering {
    vault: Vault,
    alive: Arc<AtomicUsize>,
}

impl Vault {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap()
    }

    fn answer(&self, answer: Result<&str, &'static str>) {
        let mut inside = self.lock();
        inside.answer = Some(answer.map(Secret::from).map_err(Text::from_static));
        let waker = inside.waker.take();
        drop(inside);
        waker.into_iter().for_each(Waker::wake);
    }

    fn why(&self) -> Vec<AskWhy> {
        self.lock().asked.iter().map(|ask| ask.why).collect()
    }
}

impl Future for Answering {
    type Output = Result<Secret, Text>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut inside = self.vault.lock();
        inside.answer.take().map_or_else(
            || {
                inside.waker = Some(cx.waker().clone());
                Poll::Pending
            },
            Poll::Ready,
        )
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, SeqCst);
    }
}

/// A session whose dialer needs a credential; how many questions are open is counted.
fn asking(world: &World, vault: &Vault) -> (Parts, Arc<AtomicUsize>) {
    let alive = Arc::<AtomicUsize>::default();
    let (vault, count) = (vault.clone(), Arc::clone(&alive));
    let parts = build(at_dial(world).credentials(move |ask| {
        vault.lock().asked.push(ask);
        count.fetch_add(1, SeqCst);
        Answering { vault: vault.clone(), alive: Arc::clone(&count) }
    }));
    (parts, alive)
}

fn at_dial(world: &World) -> Builder<Plain, World, World> {
    let mut config = Config::default();
    config.credentials.when = CredentialUse::AtDial;
    world.builder().config(config)
}

fn refusal(status: u16) -> Cause {
    Cause::Http(Box::new(HttpAnswer { status, ..HttpAnswer::default() }))
}

fn errors(items: Vec<Item<steadfast::Frame, steadfast::Never>>) -> Vec<(Kind, Text)> {
    let error = |item| if let Item::Error(error) = item { Some((error.kind, error.message)) } else { None };
    items.into_iter().filter_map(error).collect()
}

fn is_stopped(client: &Client<Plain>) -> bool {
    client.phase() == Phase::Stopped(StopCause::Failed)
}

#[test]
fn an_attempt_waits_for_its_credential() {
    let (world, vault) = (World::new(), Vault::default());
    let ((client, _events, mut driver), alive) = asking(&world, &vault);
    assert!(driver.run().is_pending());
    assert_eq!((vault.why(), world.dials()), (vec![AskWhy::First], 0));
    vault.answer(Ok("hunter2"));
    assert_eq!(driver.wakes.take(), 1);
    world.accept();
    assert!(driver.run().is_pending());
    assert_eq!(client.phase(), Phase::Online);
    assert_eq!(world.credentials(), [Some(Secret::from("hunter2"))]);
    assert_eq!(alive.load(SeqCst), 0);
}

#[test]
fn a_refused_credential_is_asked_for_again_and_then_it_is_over() {
    let (world, vault) = (World::new(), Vault::default());
    let ((client, _events, mut driver), _) = asking(&world, &vault);
    for _ in 0..2 {
        vault.answer(Ok("stale"));
        world.refuse(refusal(401));
        world.pass(Duration::from_secs(60));
        assert!(driver.run().is_pending());
    }
    assert_eq!(vault.why(), [AskWhy::First, AskWhy::Refused]);
    assert!(is_stopped(&client));
}

#[test]
fn a_host_that_has_none_is_asked_again_later() {
    let (world, vault) = (World::new(), Vault::default());
    let ((client, mut events, mut driver), _) = asking(&world, &vault);
    vault.answer(Err("the vault is sealed"));
    assert!(driver.run().is_pending());
    assert_eq!(client.phase(), Phase::Waiting);
    let told = errors(take(&mut events));
    assert!(matches!(&told[..], [(Kind::AuthenticationFailed, why)] if why.as_str().contains("sealed")), "{told:?}");
    world.pass(Duration::from_secs(60));
    assert!(driver.run().is_pending());
    assert_eq!(vault.why().len(), 2);
    assert_eq!(world.dials(), 0);
}

#[test]
fn a_host_that_says_nothing_has_failed_and_its_future_is_dropped() {
    let (world, vault) = (World::new(), Vault::default());
    let ((client, mut events, mut driver), alive) = asking(&world, &vault);
    assert!(driver.run().is_pending());
    assert_eq!(alive.load(SeqCst), 1);
    world.pass(Config::default().credentials.answer_timeout);
    assert!(driver.run().is_pending());
    assert_eq!((client.phase(), alive.load(SeqCst)), (Phase::Waiting, 0));
    assert!(matches!(errors(take(&mut events))[..], [(Kind::Timeout, _)]));
}

#[test]
fn a_question_is_void_when_the_attempt_is() {
    let (world, vault) = (World::new(), Vault::default());
    let ((client, _events, mut driver), alive) = asking(&world, &vault);
    assert!(driver.run().is_pending());
    client.stop();
    assert!(driver.run().is_pending());
    assert_eq!(alive.load(SeqCst), 0);
    vault.answer(Ok("too late"));
    assert!(driver.run().is_pending());
    assert_eq!(world.dials(), 0);
}

#[test]
fn dropping_the_driver_drops_the_question() {
    let (world, vault) = (World::new(), Vault::default());
    let ((_client, _events, mut driver), alive) = asking(&world, &vault);
    assert!(driver.run().is_pending());
    assert_eq!(alive.load(SeqCst), 1);
    drop(driver);
    assert_eq!(alive.load(SeqCst), 0);
}

#[test]
fn whoever_is_asked_may_use_a_handle() {
    let world = World::new();
    let handle = Arc::<Mutex<Option<Client<Plain>>>>::default();
    let theirs = Arc::clone(&handle);
    let (client, _events, mut driver) = build(at_dial(&world).credentials(move |_| {
        let client = theirs.lock().unwrap().clone().unwrap();
        client.send("while we are asked").unwrap();
        async move { Ok(Secret::from(client.phase().to_string())) }
    }));
    *handle.lock().unwrap() = Some(client.clone());
    world.accept();
    assert!(driver.run().is_pending());
    assert_eq!(world.left(0), ["while we are asked"]);
    handle.lock().unwrap().take();
}

#[test]
fn a_host_that_panics_has_no_credential() {
    let (world, fuse) = (World::new(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&fuse);
    let (client, mut events, mut driver) = build(at_dial(&world).credentials(move |_| {
        let turn = count.fetch_add(1, SeqCst);
        assert!(turn != 0, "a planned panic, when it is asked");
        async move {
            assert!(turn != 1, "a planned panic, while it answers");
            Ok(Secret::from("hunter2"))
        }
    }));
    for _ in 0..2 {
        assert!(driver.run().is_pending());
        let told = errors(take(&mut events));
        assert!(matches!(&told[..], [(_, why)] if why.as_str().contains("panicked")), "{told:?}");
        world.pass(Duration::from_secs(60));
    }
    world.accept();
    assert!(driver.run().is_pending());
    assert_eq!((client.phase(), fuse.load(SeqCst)), (Phase::Online, 3));
}

#[test]
fn a_session_that_would_ask_nobody_is_not_built() {
    let mut config = Config::default();
    config.credentials.asked = true;
    let built = World::new().builder().config(config).build();
    assert_eq!(built.err(), Some(BuildError::NobodyToAsk));
}

#[test]
fn the_hosts_verdict_comes_first() {
    let world = World::new();
    let verdict = |cause: &Cause| matches!(cause, Cause::Http(_)).then_some(Recovery::Fatal);
    let (client, _events, mut driver) = build(world.builder().classify(verdict));
    world.refuse(refusal(503));
    assert!(driver.run().is_pending());
    assert!(is_stopped(&client));
}

#[test]
fn a_verdict_that_panics_is_none() {
    let world = World::new();
    let (client, _events, mut driver) = build(world.builder().classify(|_| panic!("a planned panic")));
    world.refuse(refusal(503));
    assert!(driver.run().is_pending());
    assert_eq!(client.phase(), Phase::Waiting, "as the table has it");
    world.pass(Duration::from_secs(60));
    world.accept();
    assert!(driver.run().is_pending());
    assert_eq!(client.phase(), Phase::Online);
}
