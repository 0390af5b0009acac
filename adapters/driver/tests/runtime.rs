//! Whole conversations under a runtime that is none: thousands of seeds, each with another order of turns, other pieces of
//! bytes, other ends of links, and another await at which each future is dropped.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod fake;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use fake::{Count, Eye, Fake, Habits, START, Server};
use steadfast::{Config, Event, OpId, Phase, SendOptions, StopCause, SubscribeOptions, Text, Topics};
use steadfast_driver::{Builder, Built, Client, Drain, Events, Item, Kept, Mailbox};
use steadfast_sim::{Digest, Toy, each_seed};

const SECOND: Duration = Duration::from_secs(1);
const TOY: Toy = Toy {
    hello: false,
    login: true,
    acks: true,
    pings: steadfast::Pings::Frames,
    topics: Topics::Many,
    confirms: true,
    batches: false,
};

/// One conversation.
#[derive(Clone)]
struct Run {
    fake: Fake,
    eye: Kept<Eye>,
    notes: Arc<Mutex<Notes>>,
}

/// What the application has seen.
#[derive(Default)]
struct Notes {
    /// Of these a ticket or a request told.
    told: BTreeSet<OpId>,
    events: Vec<Item<Text, Text>>,
    /// The events were read to their end.
    has_all: bool,
    is_over: bool,
}

impl Run {
    fn new(seed: u64) -> Self {
        let fake = Fake::new(seed);
        let mut config = Config::default();
        if fake.once_in(3) {
            config.queue.max_messages = 1 + fake.up_to(3) as u32;
        }
        let eye = Kept::new(Eye::new(&fake, TOY, config));
        Self { fake, eye, notes: Arc::default() }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap()
    }
}

impl Run {
    /// A session, its server, and all who use it.
    fn begin(&self, habits: Habits) {
        let fake = &self.fake;
        let mut server = Server::new(fake, &self.eye, TOY, habits);
        server.calm = START.after(60 * SECOND).unwrap();
        server.talks = Some(fake.between(SECOND / 2, 10 * SECOND));
        let (client, events, driver) = self.build(server);
        for name in ["one", "another"] {
            fake.spawn(name, self.clone().talk(client.clone()));
        }
        fake.spawn("reader", self.clone().read(events));
        fake.spawn("closer", self.clone().close(client));
        fake.spawn("driver", self.clone().drive(driver));
    }

    fn build(&self, server: Server) -> Built<Toy, Fake, Server> {
        let fake = self.fake.clone();
        let builder = Builder::new(fake.clone(), Ok(server)).seed(fake.up_to(u64::MAX - 1));
        let builder = builder.config(self.eye.look(|eye| eye.config.clone()));
        let mailbox = Mailbox::pause(1 + fake.up_to(20) as u32, 1_000);
        let builder = builder.protocol(TOY).mailbox(mailbox).watch(self.eye.clone());
        let builder = match fake.once_in(2) {
            true => builder.credential("secret"),
            false => builder.credentials(move |_| {
                let pause = fake.pause(fake.between(Duration::ZERO, SECOND));
                async move {
                    pause.await;
                    Ok("secret".into())
                }
            }),
        };
        builder.build().unwrap()
    }

    /// Mostly to its end; sometimes it is dropped in the middle.
    async fn drive(self, driver: impl Future<Output = StopCause> + Unpin) {
        let fake = &self.fake;
        match fake.up_to(9) {
            0 => drop(fake.within(fake.between(Duration::ZERO, 90 * SECOND), driver).await),
            1 => drop(fake.polls(fake.up_to(30), driver).await),
            _ => drop(driver.await),
        }
        self.notes().is_over = true;
    }

    /// At some time somebody ends it, or just leaves.
    async fn close(self, client: Client<Toy>) {
        let fake = &self.fake;
        fake.pause(fake.between(Duration::ZERO, 100 * SECOND)).await;
        if fake.once_in(2) {
            fake.wait(client.close(Drain::within(fake.between(Duration::ZERO, 5 * SECOND)))).await;
        }
    }

    /// A reader that is slow at times, and that leaves at times.
    async fn read(self, mut events: Events<Toy>) {
        let fake = &self.fake;
        let most = if fake.once_in(8) { fake.up_to(30) } else { u64::MAX };
        for _ in 0..most {
            // Dropped and asked for again, at times.
            let item = match fake.polls(1, events.next()).await {
                Some(item) => item,
                None => events.next().await,
            };
            let Some(item) = item else {
                self.notes().has_all = true;
                return;
            };
            self.notes().events.push(item);
            if fake.once_in(20) {
                fake.pause(fake.between(Duration::ZERO, 5 * SECOND)).await;
            }
        }
    }

    async fn talk(self, client: Client<Toy>) {
        let mut last = OpId(0);
        for number in 0..3 + self.fake.up_to(12) {
            if !self.fake.once_in(3) {
                self.fake.pause(self.fake.between(Duration::ZERO, 10 * SECOND)).await;
            }
            let text = format!("text {number}");
            match self.fake.up_to(12) {
                0 | 1 => last = client.send_with(text, self.options()).unwrap_or(last),
                2..=4 => last = self.send_tracked(&client, text).await.unwrap_or(last),
                5 | 6 => drop(self.fake.wait(client.send_when_ready_with(text, self.options())).await),
                7 | 8 => self.request(&client, text).await,
                9 | 10 => self.subscribe(&client).await,
                11 => drop(client.cancel(last)),
                _ => self.change_mind(&client).await,
            }
        }
    }

    fn options(&self) -> SendOptions {
        let options = match self.fake.up_to(9) {
            0 => SendOptions::volatile(),
            1 => SendOptions::latest("key"),
            2 => SendOptions::bypass(),
            3..=6 => SendOptions::at_least_once(),
            _ => SendOptions::at_most_once(),
        };
        if self.fake.once_in(5) { options.ttl(self.fake.between(SECOND / 10, 20 * SECOND)) } else { options }
    }

    async fn send_tracked(&self, client: &Client<Toy>, text: String) -> Option<OpId> {
        let ticket = client.send_tracked(text, self.options()).ok()?;
        let id = ticket.id();
        self.notes().told.insert(id);
        if let Some(outcome) = self.fake.wait(ticket).await {
            assert_eq!(self.eye.look(|eye| eye.outcomes.get(&id).cloned()), Some(outcome), "of {id}");
        }
        Some(id)
    }

    async fn request(&self, client: &Client<Toy>, text: String) {
        let request = client.request(text);
        let Some(id) = request.id() else { return };
        self.notes().told.insert(id);
        if let Some(answer) = self.fake.wait(request).await {
            assert_eq!(self.eye.look(|eye| eye.answered.contains(&id)), answer.is_ok(), "of {id}: {answer:?}");
        }
    }

    async fn subscribe(&self, client: &Client<Toy>) {
        let topic = ["a", "b", "c"][self.fake.up_to(2) as usize];
        let mailbox = Mailbox::pause(1 + self.fake.up_to(3) as u32, 1_000);
        let Ok(mut topic) = client.subscribe_with(topic, SubscribeOptions::default(), mailbox) else { return };
        for _ in 0..self.fake.up_to(5) {
            // Its tray fills, and at times it is left so.
            self.fake.pause(self.fake.between(Duration::ZERO, 20 * SECOND)).await;
            self.fake.within(self.fake.between(Duration::ZERO, 20 * SECOND), topic.next()).await;
        }
    }

    async fn change_mind(&self, client: &Client<Toy>) {
        let pause = self.fake.pause(self.fake.between(Duration::ZERO, 5 * SECOND));
        match self.fake.up_to(3) {
            0 => client.network_lost(),
            1 => client.suspend(),
            _ => client.stop(),
        }
        pause.await;
        client.network_back();
        client.resume();
        client.connect_now();
    }

    /// Nobody waits any more, and all that happened was told.
    fn check(&self) {
        let asleep = self.fake.run_until(START.after(3_600 * SECOND).unwrap());
        assert!(asleep.is_empty(), "nobody will ever wake {asleep:?}");
        let notes = self.notes();
        self.eye.look(|eye| {
            assert_eq!(eye.checker.violations(), [""; 0]);
            assert_eq!(eye.checker.pending(), 0);
            if notes.has_all {
                assert_eq!(notes.messages(), eye.messages);
                assert_eq!(notes.changes(), eye.changes);
                let told = eye.outcomes.keys().filter(|id| !notes.told.contains(id));
                assert!(told.eq(notes.outcomes().iter()), "{:?}", notes.outcomes());
            }
        });
        assert!(notes.is_over);
    }
}

impl Notes {
    fn said(&self) -> impl Iterator<Item = &Event<Text, Text>> {
        self.events.iter().filter_map(|item| if let Item::Event(event) = item { Some(event) } else { None })
    }

    fn messages(&self) -> Vec<Text> {
        let message = |event: &Event<Text, Text>| {
            if let Event::Message { message, topic: None, .. } = event { Some(message.clone()) } else { None }
        };
        self.said().filter_map(message).collect()
    }

    fn changes(&self) -> usize {
        self.said().filter(|event| matches!(event, Event::Phase(_))).count()
    }

    /// What was told of messages for which nobody had a ticket.
    fn outcomes(&self) -> BTreeSet<OpId> {
        let outcome = |event: &Event<Text, Text>| if let Event::Outcome { id, .. } = event { Some(*id) } else { None };
        self.said().filter_map(outcome).filter(|id| !self.told.contains(id)).collect()
    }
}

#[test]
fn conversations_come_to_a_good_end() {
    each_seed("conversations_come_to_a_good_end", 1..=1_500, |seed| {
        let run = Run::new(seed);
        run.begin(Habits::any(&run.fake));
        run.check();
        // It is only woken when there is something to do, and does it in a few rounds.
        let Count { polls, idle, self_wakes } = run.fake.count("driver");
        let readings = run.fake.readings();
        assert!(idle <= 10 + polls / 4, "{idle} of {polls} polls were for nothing");
        assert!(self_wakes <= 2, "it woke itself {self_wakes} times");
        assert!(readings <= 100 + 8 * polls, "it read the clock {readings} times in {polls} polls");
    });
}

#[test]
fn the_same_seed_is_the_same_conversation() {
    let digest = |seed| {
        let run = Run::new(seed);
        run.eye.look(|eye| eye.digest = Some(Digest::default()));
        run.begin(Habits::any(&run.fake));
        run.check();
        run.eye.look(|eye| eye.digest)
    };
    for seed in 1..=20 {
        assert_eq!(digest(seed), digest(seed), "seed {seed}");
    }
    assert_ne!(digest(1), digest(2));
}

#[test]
fn an_idle_link_wakes_it_twice_an_interval() {
    let run = Run::new(7);
    let server = Server::new(&run.fake, &run.eye, TOY, Habits { room: 10_000, in_pieces: false, slowest: SECOND / 10 });
    let (client, events, driver) = run.build(server);
    run.fake.spawn("driver", async move { assert_eq!(driver.await, StopCause::User) });
    // Until the link counts as stable.
    run.fake.run_until(START.after(10 * SECOND).unwrap());
    let (polls, pings) = (run.fake.count("driver").polls, client.stats().pings);
    run.fake.run_until(START.after(36_000 * SECOND).unwrap());
    let (polls, pings) = (run.fake.count("driver").polls - polls, client.stats().pings - pings);
    assert!(pings >= 1_000 && client.phase() == Phase::Online, "{pings} pings in ten hours");
    assert!(polls <= 2 * pings + 2, "{polls} wake-ups for {pings} pings and their pongs");
    drop(events);
}
