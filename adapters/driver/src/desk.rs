//! Where what topics say waits for their subscribers: a tray for each, all of them under one lock.
//!
//! The driver sorts what a round brought under that lock, once. What has no subscriber goes on to the inbox. Under it no
//! waker is called, and no message dropped; a message is copied there for all its subscribers but the last.

mod rooms;
mod tray;

use std::{
    collections::{BTreeMap, VecDeque},
    mem::replace,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use steadfast::{Event, TopicNews};

use rooms::Rooms;
pub(crate) use tray::Letter;
use tray::Tray;

use crate::{
    Item, Mailbox, Update,
    inbox::{Brought, Room},
    mailbox::EVENTS_MAX,
    queue::Queue,
    sync::{Mutex, MutexGuard},
    weights::of_news,
};

pub(crate) struct Desk<I, T> {
    state: Mutex<State<I, T>>,
}

struct State<I, T> {
    /// Who gets what a topic says. No list is empty.
    routes: BTreeMap<T, Vec<Key>>,
    trays: Vec<Slot<I, T>>,
    free: Vec<u32>,
    rooms: Rooms,
    /// The driver, if it waits for a subscriber to catch up.
    driver: Option<Waker>,
}

/// Which tray. A key is never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    at: u32,
    life: u32,
}

struct Slot<I, T> {
    life: u32,
    tray: Option<Tray<I, T>>,
}

/// What a round brought, in order.
pub(crate) enum Mail<I, T> {
    /// From here on, this tray gets what its topic says.
    Join(Key),
    /// A message or a snapshot, and how many bytes it counts for.
    Message(Event<I, T>, u32),
    Other(Item<I, T>),
}

/// What is to be done when the lock is released.
pub(crate) struct After<I, T> {
    pub(crate) dead: Vec<Letter<I>>,
    /// Topics that a tray wants no longer.
    pub(crate) unwanted: Vec<T>,
    /// Ids of messages that count as taken.
    pub(crate) taken: Vec<Bytes>,
}

impl<I, T: Clone + Ord> Desk<I, T> {
    pub(crate) fn new() -> Self {
        let (routes, rooms) = (BTreeMap::new(), Rooms::new());
        let state = State { routes, trays: Vec::new(), free: Vec::new(), rooms, driver: None };
        Self { state: Mutex::new(state) }
    }

    /// A new tray, with what is news to its reader. Nothing else comes into it before its [`Mail::Join`].
    pub(crate) fn open(
        &self,
        topic: T,
        limits: Mailbox,
        is_latest: bool,
        copy: fn(&I) -> I,
        first: Option<TopicNews>,
    ) -> Key {
        let mut tray = Tray {
            topic,
            copy,
            limits,
            is_latest,
            queue: Queue::new(),
            reader: None,
            is_full: false,
            is_open: true,
            is_counted: true,
        };
        if let Some(news) = first {
            let bytes = of_news(&news);
            tray.queue.push_other(tray.queue.place(), news, bytes);
        }
        let mut state = self.lock();
        state.rooms.enter(&mut tray);
        let at = state.free.pop().unwrap_or_else(|| {
            state.trays.push(Slot { life: 0, tray: None });
            u32::try_from(state.trays.len() - 1).unwrap_or(u32::MAX)
        });
        let slot = &mut state.trays[at as usize];
        slot.tray = Some(tray);
        Key { at, life: slot.life }
    }

    /// Sorts what a round brought: into the trays, and what is not for them (or not for them alone) into `brought`.
    pub(crate) fn sort(
        &self,
        mail: &mut Vec<Mail<I, T>>,
        brought: &mut Brought<I, T>,
        after: &mut After<I, T>,
        woken: &mut Vec<Waker>,
    ) {
        let mut state = self.lock();
        for mail in mail.drain(..) {
            match mail {
                Mail::Join(key) => state.join(key),
                Mail::Message(event, bytes) => {
                    if let Some(event) = state.deliver(event, bytes, after, woken) {
                        brought.message(event, bytes);
                    }
                }
                Mail::Other(item) => {
                    if let Item::Event(Event::Topic { topic, news }) = &item {
                        state.tell(topic, news, after, woken);
                    }
                    brought.other(item);
                }
            }
        }
    }

    /// How much may be read from the link; pending while a subscriber has to catch up.
    pub(crate) fn poll_room(&self, cx: &Context<'_>, most: usize) -> Poll<Room> {
        let waker = cx.waker().clone();
        let mut state = self.lock();
        if state.rooms.full > 0 {
            let former = state.driver.replace(waker);
            drop(state);
            drop(former);
            return Poll::Pending;
        }
        let frames = state.rooms.messages().map_or(most, |room| (room as usize).clamp(1, most));
        Poll::Ready(Room { frames, bytes: state.rooms.bytes() })
    }

    /// Moves letters into `batch`, which is empty; `Ready(false)` if nothing more comes.
    pub(crate) fn poll_take(&self, key: Key, cx: Option<&Context<'_>>, batch: &mut VecDeque<Letter<I>>) -> Poll<bool> {
        let waker = cx.map(|cx| cx.waker().clone());
        let mut state = self.lock();
        let State { trays, rooms, driver, .. } = &mut *state;
        let Some(tray) = find(trays, key) else { return Poll::Ready(false) };
        rooms.leave(tray);
        tray.take(batch);
        rooms.enter(tray);
        let is_empty = batch.is_empty();
        // Who only looks takes nobody's place.
        let waits = is_empty && waker.is_some();
        let former = if waits { replace(&mut tray.reader, waker) } else { None };
        let is_open = tray.is_open;
        let driver = if rooms.full == 0 { driver.take() } else { None };
        drop(state);
        drop(former);
        if let Some(driver) = driver {
            driver.wake();
        }
        if is_empty && is_open { Poll::Pending } else { Poll::Ready(!is_empty) }
    }

    /// Its reader has gone. What is left of the tray is to be dropped outside all locks.
    pub(crate) fn close(&self, key: Key) -> Option<Left<I, T>> {
        let mut state = self.lock();
        let slot = state.trays.get_mut(key.at as usize).filter(|slot| slot.life == key.life)?;
        let tray = slot.tray.take()?;
        slot.life = slot.life.wrapping_add(1);
        state.free.push(key.at);
        state.rooms.leave(&tray);
        if let Some(keys) = state.routes.get_mut(&tray.topic) {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                state.routes.remove(&tray.topic);
            }
        }
        let driver = if state.rooms.full == 0 { state.driver.take() } else { None };
        Some(Left { is_counted: tray.is_counted, driver, _tray: tray })
    }

    /// Nothing more comes, for anybody.
    pub(crate) fn end(&self, woken: &mut Vec<Waker>) {
        let mut state = self.lock();
        let State { trays, rooms, .. } = &mut *state;
        for tray in trays.iter_mut().filter_map(|slot| slot.tray.as_mut()) {
            rooms.leave(tray);
            (tray.is_open, tray.is_counted) = (false, false);
            woken.extend(tray.reader.take());
        }
        woken.extend(state.driver.take());
        state.routes.clear();
    }

    /// What a panic under it left behind is whole: a message that was not copied is not there.
    fn lock(&self) -> MutexGuard<'_, State<I, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find<I, T>(trays: &mut [Slot<I, T>], key: Key) -> Option<&mut Tray<I, T>> {
    trays.get_mut(key.at as usize).filter(|slot| slot.life == key.life)?.tray.as_mut()
}

impl<I, T: Clone + Ord> State<I, T> {
    fn join(&mut self, key: Key) {
        if let Some(tray) = find(&mut self.trays, key).filter(|tray| tray.is_open) {
            self.routes.entry(tray.topic.clone()).or_default().push(key);
        }
    }

    /// A message goes to all who want its topic; it comes back if nobody does.
    fn deliver(
        &mut self,
        event: Event<I, T>,
        bytes: u32,
        after: &mut After<I, T>,
        woken: &mut Vec<Waker>,
    ) -> Option<Event<I, T>> {
        let Self { routes, trays, rooms, .. } = self;
        let Some((last, others)) = topic_of(&event).and_then(|topic| routes.get(topic)?.split_last()) else {
            return Some(event);
        };
        let update = if let Event::Message { message, mark, link, .. } = event {
            Update::Message { message, mark, link }
        } else if let Event::Snapshot { message, .. } = event {
            Update::Snapshot(message)
        } else {
            return Some(event);
        };
        let is_shared = !others.is_empty() && update.wants_ack().is_some();
        let receipt = is_shared.then(Arc::default);
        for key in others {
            if let Some(tray) = find(trays, *key) {
                let letter = Letter { update: update.copy(tray.copy), receipt: receipt.clone() };
                tray.put(letter, bytes, rooms, after, woken);
            }
        }
        if let Some(tray) = find(trays, *last) {
            tray.put(Letter { update, receipt }, bytes, rooms, after, woken);
        }
        None
    }

    /// News go to all who want the topic. If they say that it is over, nothing more comes.
    fn tell(&mut self, topic: &T, news: &TopicNews, after: &mut After<I, T>, woken: &mut Vec<Waker>) {
        let Self { routes, trays, rooms, .. } = self;
        let Some(keys) = routes.get(topic) else { return };
        let is_end = is_end(news);
        for key in keys {
            let Some(tray) = find(trays, *key) else { continue };
            let place = tray.queue.place();
            tray.queue.drop_oldest_other(EVENTS_MAX, &mut Vec::new());
            tray.queue.push_other(place, news.clone(), of_news(news));
            woken.extend(tray.reader.take());
            if is_end {
                rooms.leave(tray);
                tray.is_open = false;
                after.unwanted.extend(replace(&mut tray.is_counted, false).then(|| tray.topic.clone()));
            }
        }
        if is_end {
            routes.remove(topic);
        }
    }
}

fn topic_of<I, T>(event: &Event<I, T>) -> Option<&T> {
    if let Event::Message { topic, .. } = event {
        topic.as_ref()
    } else if let Event::Snapshot { topic, .. } = event {
        Some(topic)
    } else {
        None
    }
}

/// Whether nothing more comes of the topic, until it is subscribed to anew.
fn is_end(news: &TopicNews) -> bool {
    matches!(news, TopicNews::Ended { .. } | TopicNews::Refused { retry_at: None, .. })
}

/// What is left of a tray.
pub(crate) struct Left<I, T> {
    /// Whether the session still has to learn that nobody wants its topic here.
    pub(crate) is_counted: bool,
    /// The driver, if it waited for this one.
    pub(crate) driver: Option<Waker>,
    _tray: Tray<I, T>,
}

impl<I, T> After<I, T> {
    pub(crate) fn is_owed(&self) -> bool {
        !(self.unwanted.is_empty() && self.taken.is_empty())
    }
}

impl<I, T> Default for After<I, T> {
    fn default() -> Self {
        Self { dead: Vec::new(), unwanted: Vec::new(), taken: Vec::new() }
    }
}
