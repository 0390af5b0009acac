//! Links begin and end here: the first half of settling.

use alloc::boxed::Box;
use core::time::Duration;

use super::{
    Action, Actions, End, Link, LinkId, LinkOf, Session, Stage, StopCause, Wants, link::Owed, tell, tell_passing,
    waiting::with_wait,
};
use crate::{
    CloseCode, Comeback, Error, Limits, Protocol, Recovery, Resumed, Text, Timestamp, Tuning,
    error::{self, Charge, Circumstances, Failure, Notes, Verdict, classify},
    part::{Activity, Flights, Lane, Mercy, Names, Network, Refusal, Round, Standings},
};

/// How a failed link is parted from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Parting {
    /// It is gone; frames after the first `left` have not left.
    Gone { left: u64 },
    /// It is dropped at once.
    Abort,
    /// The peer is told why.
    Close(CloseCode),
}

/// The longest reason of a Close frame, in bytes (RFC 6455 section 5.5: 125 with the code).
const REASON_MAX: usize = 123;

impl<P: Protocol> Session<P> {
    /// Compares what is wanted with what is the case.
    pub(super) fn lifecycle(&mut self, now: Timestamp, out: &mut Actions<P>) {
        self.leave_if_unwanted(now, out);
        match self.wants.end {
            Some(end) => self.wind_down(now, end, out),
            None => self.dial_if_due(now, out),
        }
    }

    /// Whether there shall be a link.
    pub(super) fn wants_link(&self) -> bool {
        let is_over = self.facts.ended.is_some() || self.wants.end.is_some_and(|end| end.at_once);
        self.is_missed() && !is_over
    }

    /// Whether the application misses a link while there is none.
    pub(super) const fn is_missed(&self) -> bool {
        self.wants.online && !self.network.is_suspended() && !self.activity.is_asleep()
    }

    fn dial_if_due(&mut self, now: Timestamp, out: &mut Actions<P>) {
        if self.dial_at().is_some_and(|at| at <= now && at < Timestamp::MAX) {
            self.dial(now, out);
        }
    }

    fn dial(&mut self, now: Timestamp, out: &mut Actions<P>) {
        self.last_link += 1;
        let (id, attempt) = (LinkId(self.last_link), self.backoff.failures().saturating_add(1));
        self.facts.last_dial = Some(now);
        (self.facts.retry_at, self.facts.is_asked) = (None, false);
        self.facts.resumed = Resumed::Fresh;
        self.wants.elsewhere = false;
        self.proof.on_dial();
        self.forget_pace();
        self.link = Some(Box::new(Link {
            id,
            attempt,
            stage: Stage::Dialing { deadline: None },
            credential: self.credentials.current().cloned(),
            limits: Limits { max_message: self.config.max_message, heard_max: self.config.heard_max },
            abilities: self.protocol.abilities(),
            protocol: P::Link::default(),
            flights: Flights::new(self.config.window),
            lane: Lane::new(),
            owed: Owed::default(),
            topics: Standings::new(),
            names: Names::default(),
            tuning: Tuning::default(),
            can_ping: true,
            paused: false,
            flushing: false,
            has_reported: false,
            mercy: Mercy::default(),
            comeback: Comeback::Whenever,
            unanswered_logins: 0,
        }));
        self.ask_or_open(now, out);
    }

    /// The session shall end: when all is sent, or at once.
    fn wind_down(&mut self, now: Timestamp, end: End, out: &mut Actions<P>) {
        // Nobody knows when what waits could go out; what has may be answered until the link is gone.
        let is_stuck = self.network.is_suspended() && self.link.is_none() && self.leaving.is_none();
        if end.at_once || !self.wants.online || is_stuck {
            if !self.config.keep_on_stop {
                self.outbox.drop_waiting(&mut tell(&mut self.stats, &mut self.dedup, out));
            }
        } else if self.kept().0 > 0 || !self.taken.is_empty() {
            return self.dial_if_due(now, out);
        }
        self.wants.end = Some(End { at_once: true, ..end });
        if self.link.is_some() {
            return self.leave_for_now(now, out);
        }
        if self.leaving.is_none() {
            self.stop(end.cause, out);
        }
    }

    /// Nothing is left to be done. What the application said of this life counts no longer.
    fn stop(&mut self, cause: StopCause, out: &mut Actions<P>) {
        if !self.config.keep_on_stop {
            self.outbox.end_all(&mut tell(&mut self.stats, &mut self.dedup, out));
        }
        self.taken.clear();
        self.wants = Wants::default();
        self.network = Network::default();
        self.activity = Activity::new(self.config.connect.lazy);
        // A wait that the server asked for holds for those who stop and come again, too. Only "connect now" overrules it.
        self.facts.retry_at = self.facts.retry_at.filter(|_| self.facts.is_asked);
        self.facts.ended = Some(cause);
    }

    /// The link is not wanted any more, though nothing is wrong with it.
    pub(super) fn leave_for_now(&mut self, now: Timestamp, out: &mut Actions<P>) {
        let asked = self.link.as_ref().and_then(|link| link.comeback.wait());
        self.leave(now, CloseCode::NORMAL, Text::default(), out);
        self.stay_away(now, asked);
    }

    /// Says goodbye to the link. It may still tell what was written, acknowledged and said, until its deadline.
    pub(super) fn leave(&mut self, now: Timestamp, code: CloseCode, reason: Text, out: &mut Actions<P>) {
        self.say_bye(now, out);
        let Some(mut link) = self.link.take() else { return };
        if !link.is_open() {
            out.push(Action::Abort(link.id));
            return;
        }
        self.note_suspects(&link);
        self.keep_topics(&mut link);
        link.lane.drop_waiting(&mut tell_passing(&mut self.stats, self.outbox.dead(), out));
        let code = if code.is_sendable() { code } else { CloseCode::NORMAL };
        out.push(Action::Close { link: link.id, code, reason: reason.cut(REASON_MAX) });
        let (deadline, was_logged_in) = (now.after(self.config.close_timeout), link.is_logged_in());
        link.stage = Stage::Closing { deadline, was_logged_in, suspect: self.outbox.suspect() };
        self.leaving = Some(link);
    }

    /// The link that was leaving is gone. A peer that said goodbye back has read all that came before ours.
    pub(super) fn end_leaving(&mut self, now: Timestamp, left: u64, answered: bool, out: &mut Actions<P>) {
        if let Some(link) = self.leaving.take() {
            if let Stage::Closing { was_logged_in: true, suspect, .. } = link.stage {
                let since = self.outbox.suspect().saturating_sub(suspect);
                self.facts.suspect += if answered { 0 } else { since };
            }
            self.let_go(now, *link, left, out);
            self.end_unwanted(out);
        }
        self.end_what_stays_behind(out);
    }

    /// What became of what a link was given.
    fn let_go(&mut self, now: Timestamp, mut link: LinkOf<P>, left: u64, out: &mut Actions<P>) {
        let left = left.max(link.flights.flushed());
        if let Some(pacing) = &mut self.holds.pacing {
            pacing.on_lost(now, link.id.0, left);
        }
        self.outbox.on_lost(link.flights.first_unsent(left), &mut tell(&mut self.stats, &mut self.dedup, out));
        link.lane.on_lost(left, &mut tell_passing(&mut self.stats, self.outbox.dead(), out));
    }

    /// How much this link has written without proof that it was read.
    fn note_suspects(&mut self, link: &LinkOf<P>) {
        if link.is_online() {
            self.facts.suspect = self.outbox.suspect();
        }
    }

    /// The link, or the attempt, has failed: who is to blame, and what now?
    pub(super) fn lose(
        &mut self,
        now: Timestamp,
        failure: Failure,
        host: Option<Recovery>,
        parting: Parting,
        out: &mut Actions<P>,
    ) {
        self.note_stability(now);
        let failure = self.veiled(failure);
        let Some(link) = &self.link else { return };
        let was_logged_in = link.was_logged_in();
        let verdict = self.judge(now, &failure, host);
        let asked = verdict.asked;
        let (reason, charge) = (verdict.message.clone(), failure.charge());
        let (recovery, wait, round) = self.account(now, &verdict, asked, host.is_some());
        self.tell_error(failure, verdict, recovery, asked, out);
        self.part(now, parting, charge, reason, out);
        self.schedule(now, recovery, wait, round);
        if was_logged_in {
            self.doze();
        }
    }

    /// A failure is counted, in all that counts them: what is to be done about it after that, and when?
    fn account(
        &mut self,
        now: Timestamp,
        verdict: &Verdict,
        asked: Option<Duration>,
        is_hosts: bool,
    ) -> (Recovery, Option<Duration>, Round) {
        let had_held = self.reached() == error::Stage::Stable;
        self.note_failure(now, verdict);
        let (round, wait) = self.end_of_attempt(now, asked, verdict.recovery);
        self.patience.on_failed(now, self.facts.errors, &verdict.message, round.is_over() && !had_held);
        self.facts.limit = self.patience.is_over(now, &self.config.retry);
        let wait = wait.filter(|_| !is_hosts);
        let recovery = match self.facts.limit {
            Some(_) => Recovery::Fatal,
            None if is_hosts => verdict.recovery,
            None => with_wait(verdict.recovery, asked.is_some() || round == Round::GoesOn, wait),
        };
        (recovery, wait, round)
    }

    /// The application is told; and the server, perhaps, when there is one.
    fn tell_error(
        &mut self,
        failure: Failure,
        verdict: Verdict,
        recovery: Recovery,
        asked: Option<Duration>,
        out: &mut Actions<P>,
    ) {
        let Some(&Link { id, attempt, .. }) = self.link.as_deref() else { return };
        let error = Box::new(Error {
            number: self.facts.errors,
            kind: verdict.kind,
            code: verdict.code,
            message: verdict.message,
            details: failure.into_answer(),
            recovery,
            retry_after: asked,
            attempt,
            link: id,
        });
        self.note_to_tell(&error);
        out.push(Action::EmitError(error));
    }

    fn note_failure(&mut self, now: Timestamp, verdict: &Verdict) {
        self.facts.errors += 1;
        self.facts.failure = self.facts.errors;
        self.facts.last_error = Some(verdict.message.clone());
        self.facts.last_link = self.link.as_ref().map(|link| link.id);
        let was_online = self.link.as_deref().is_some_and(Link::is_online);
        self.facts.last_disconnect = if was_online { Some(now) } else { self.facts.last_disconnect };
        self.seeing.quality.on_failed(now);
        self.stats.errors[verdict.kind as usize] += 1;
    }

    fn part(&mut self, now: Timestamp, parting: Parting, charge: Option<Charge>, reason: Text, out: &mut Actions<P>) {
        let left = match parting {
            Parting::Close(code) => return self.leave(now, code, reason, out),
            Parting::Gone { left } => left,
            Parting::Abort => u64::MAX,
        };
        let Some(mut link) = self.link.take() else { return };
        self.keep_topics(&mut link);
        if matches!(parting, Parting::Abort) {
            out.push(Action::Abort(link.id));
        }
        self.note_suspects(&link);
        if let Some(charge) = charge {
            let (unsent, limit) = (link.flights.first_unsent(left), self.config.errors.poison_limit);
            self.outbox.on_charged(charge, limit, unsent, &mut tell(&mut self.stats, &mut self.dedup, out));
        }
        self.let_go(now, *link, left, out);
        self.end_unwanted(out);
    }

    /// What went wrong is told to the server after the next login. What comes of telling is not told, else it could go
    /// on for ever: a link that was told something and did not hold keeps its end to itself.
    fn note_to_tell(&mut self, error: &Error) {
        let came_of_telling =
            self.link.as_ref().is_some_and(|link| link.has_reported) && self.reached() != error::Stage::Stable;
        if self.config.errors.tell_server && !came_of_telling {
            self.facts.to_tell = Some(Box::new(error.clone()));
        }
    }

    /// The table decides; here it is told what it has to know, and its notes are taken.
    fn judge(&mut self, now: Timestamp, failure: &Failure, host: Option<Recovery>) -> Verdict {
        let verdict = classify(failure, &self.circumstances(now, failure, host), &self.config.errors);
        let Notes { breach, loss, refused, forgiven } = verdict.notes;
        self.facts.violations = self.facts.violations.saturating_add(breach.into());
        let presented = self.link.as_ref().and_then(|link| link.credential.as_ref());
        if loss {
            self.credentials.on_cut_off(presented);
        }
        if refused {
            self.credentials.on_refused(presented);
        }
        if forgiven {
            self.proof.on_forgiven(now, self.config.errors.proven_gap);
        }
        verdict
    }

    fn circumstances(&self, now: Timestamp, failure: &Failure, host: Option<Recovery>) -> Circumstances {
        let presented = self.link.as_ref().and_then(|link| link.credential.as_ref());
        let goodbye = self.link.as_ref().map_or(Comeback::Whenever, |link| link.comeback);
        let said = failure.close().map_or(Comeback::Whenever, |(code, reason)| self.protocol.comeback(code, reason));
        Circumstances {
            host,
            protocol: failure.close().and_then(|(code, reason)| self.protocol.classify(code, reason)),
            comeback: goodbye.max(said),
            stage: self.reached(),
            long_lived: self.config.long_lived,
            breaches: self.facts.violations.saturating_add(1),
            cut_off: self.credentials.is_suspect(presented),
            refused: self.credentials.refusal_of(presented) == Refusal::Again,
            endpoint_proven: self.proof.knows_endpoint(self.endpoints.current()),
            credential_proven: self.proof.knows_credential(presented),
            fatal_in_a_row: self.proof.fatal_in_a_row(now, self.config.errors.proven_gap),
            cap: self.config.retry.cap,
        }
    }

    /// How far the link has come.
    pub(super) fn reached(&self) -> error::Stage {
        match self.link.as_ref().map(|link| &link.stage) {
            Some(Stage::Asking(_) | Stage::Dialing { .. }) | None => error::Stage::Dialing,
            Some(Stage::LoggingIn(_)) => error::Stage::LoggingIn,
            Some(Stage::Online { stable_at: None, .. }) => error::Stage::Stable,
            Some(Stage::Restoring { .. } | Stage::Online { .. } | Stage::Closing { .. }) => error::Stage::Young,
        }
    }

    /// The time for trying may be up, if nothing is being tried.
    pub(super) fn look_at_patience(&mut self, now: Timestamp) {
        self.facts.limit = self.patience.on_due(now, &self.config.retry);
        if self.facts.limit.is_some() {
            self.give_up();
        }
    }

    /// Nothing more is tried until a connect command.
    pub(super) fn give_up(&mut self) {
        self.wants.end = Some(End { cause: StopCause::Failed, by: None, at_once: true });
    }
}
