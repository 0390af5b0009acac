//! Reports: what a transport saw.

use alloc::{boxed::Box, vec::Vec};

use bytes::Bytes;

use super::{Actions, Link, LinkId, Place, Session, Stage, lifecycle::Parting, slot_of, tell, tell_passing};
use crate::{Cause, CloseCode, Frame, Protocol, Recovery, Text, Timestamp, error::Failure, part::Login};

/// All that a transport can say about a link. Not `non_exhaustive`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[repr(u64)]
pub enum Report {
    /// The link is open.
    Up(Box<Handshake>),
    /// A frame came. Pings and pongs only as signs of life: the transport answers pings by itself.
    Frame(Frame),
    /// So many frames of this link, counted since `Up`, are with the operating system.
    Flushed {
        /// How many, all in all.
        frames: u64,
    },
    /// A write that had been blocked has moved: the peer's host took something. Or a part of a frame came.
    Progress,
    /// The driver holds reading back because the application is slow.
    Paused,
    /// It reads again.
    Resumed,
    /// The link is gone, or could not be had.
    Down(Box<Down>),
}

/// The end of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Down {
    /// Why.
    pub cause: Cause,
    /// Frames after the first so many, counted since `Up`, have certainly not left.
    pub left: u64,
    /// What the host, asked by the driver, wants done about it. It comes before the protocol and the table.
    pub verdict: Option<Recovery>,
}

/// What was negotiated when a link opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct Handshake {
    /// The subprotocol that the server took.
    pub subprotocol: Option<Text>,
    /// The address of the peer.
    pub address: Option<Text>,
    /// The headers of the answer that the host asked for.
    #[cfg_attr(feature = "serde", serde(with = "crate::serial::headers"))]
    pub headers: Vec<(Text, Bytes)>,
    /// Whether this transport can send ping frames. (A browser cannot.)
    pub pings: bool,
}

impl Default for Handshake {
    fn default() -> Self {
        Self { subprotocol: None, address: None, headers: Vec::new(), pings: true }
    }
}

impl<P: Protocol> Session<P> {
    /// [`report`](Self::report) of a frame.
    #[inline(always)]
    pub(super) fn report_frame(&mut self, now: Timestamp, id: LinkId, frame: Frame, out: &mut Actions<P>) -> bool {
        let place = self.place_of(id);
        match place {
            Some(place) => self.on_frame(now, place, frame, out),
            None => self.stats.stale += 1,
        }
        place.is_some()
    }

    /// A report changes what is the case. `false`: one of a link that is gone changes nothing but a counter.
    #[inline(always)]
    pub(super) fn report(&mut self, now: Timestamp, id: LinkId, report: Report, out: &mut Actions<P>) -> bool {
        let Some(place) = self.place_of(id) else {
            self.stats.stale += 1;
            return false;
        };
        match report {
            Report::Up(handshake) => self.on_up(now, place, *handshake, out),
            Report::Frame(frame) => self.on_frame(now, place, frame, out),
            Report::Flushed { frames } => self.on_flushed(now, place, frames, out),
            Report::Progress => self.on_progress(now, place),
            Report::Paused => self.on_held_back(now, place, true),
            Report::Resumed => self.on_held_back(now, place, false),
            Report::Down(down) => self.on_down(now, place, *down, out),
        }
        true
    }

    fn on_progress(&mut self, now: Timestamp, place: Place) {
        if let Some(heartbeat) = self.slot(place).as_deref_mut().and_then(Link::heartbeat) {
            heartbeat.on_progress(now);
        }
    }

    /// The driver reads no longer, or again. A link that is not online yet remembers it.
    fn on_held_back(&mut self, now: Timestamp, place: Place, paused: bool) {
        let (greeting, login) = (self.config.greeting_timeout, self.config.login_timeout);
        let answer = self.config.subscriptions.answer_timeout;
        let Some(link) = self.slot(place) else { return };
        link.paused = paused;
        if let Some(heartbeat) = link.heartbeat() {
            heartbeat.on_held_back(now, paused);
        }
        if !paused {
            // Nobody could hear the answers.
            link.topics.put_off(now.after(answer));
            if let Some(under_way) = link.login() {
                let timeout = if under_way.waits_for_greeting() { greeting } else { login };
                *under_way.deadline_mut() = now.after(timeout);
            }
        }
    }

    fn on_up(&mut self, now: Timestamp, place: Place, handshake: Handshake, out: &mut Actions<P>) {
        let Some(link) = self.link.as_mut().filter(|link| place == Place::Link && link.is_dialing()) else {
            self.stats.unexpected += 1;
            return;
        };
        let (needs_login, hello) = (link.abilities.login || link.abilities.hello, link.abilities.hello);
        link.can_ping = handshake.pings;
        let timeout = if hello { self.config.greeting_timeout } else { self.config.login_timeout };
        link.stage = Stage::LoggingIn(Login::new(now.after(timeout), hello));
        if let Err(complaint) = self.protocol.up(&mut link.protocol, &handshake, link.limits) {
            let code = complaint.close.unwrap_or(CloseCode::PROTOCOL);
            return self.lose(now, Failure::Unfit(complaint), None, Parting::Close(code), out);
        }
        if !needs_login {
            self.go_in(now, out);
        }
    }

    /// So many frames of this link are with the operating system.
    fn on_flushed(&mut self, now: Timestamp, place: Place, frames: u64, out: &mut Actions<P>) {
        if let Some(link) = self.slot(place) {
            link.flushing = false;
            link.flights.on_flushed(frames);
            if link.topics.awaits_flush() {
                self.on_topics_flushed(now, out);
            }
        }
        self.pass_on_flushed(now, place, out);
    }

    /// Tells the outbox how far messages have been flushed.
    pub(super) fn pass_on_flushed(&mut self, now: Timestamp, place: Place, out: &mut Actions<P>) {
        let link = slot_of(&mut self.link, &mut self.next, &mut self.leaving, place);
        let Some(link) = link else { return };
        if let Some(pacing) = &mut self.holds.pacing {
            pacing.on_flushed(now, link.id.0, link.flights.flushed());
        }
        if let Some(place) = link.flights.take_flushed() {
            self.seeing.queueing.on_flushed(place.first(), now);
            self.activity.on_message(now);
            self.outbox.on_flushed(place, &mut tell(&mut self.stats, &mut self.dedup, out));
        }
        link.topics.ended.on_flushed(link.flights.flushed());
        if !link.lane.is_empty() {
            let end = &mut tell_passing(&mut self.stats, self.outbox.dead(), out);
            link.lane.on_flushed(link.flights.flushed(), end);
        }
    }

    fn on_down(&mut self, now: Timestamp, place: Place, down: Down, out: &mut Actions<P>) {
        let Down { cause, left, verdict } = down;
        match place {
            Place::Link => self.lose(now, Failure::Wire(cause), verdict, Parting::Gone { left }, out),
            Place::Next => self.next = None,
            Place::Leaving => {
                if let (Cause::Closed { code, reason }, None) = (&cause, verdict) {
                    let asked = self.protocol.comeback(*code, reason.as_str()).wait();
                    self.stay_away(now, asked);
                }
                self.end_leaving(now, left, matches!(cause, Cause::Closed { .. }), out);
            }
        }
    }
}

const _: () = assert!(size_of::<super::Input<Frame>>() <= 64);
