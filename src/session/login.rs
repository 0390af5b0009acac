//! Who we log in as: the host is asked for credentials, and a login that runs out is renewed on the link that is there.
//!
//! A question belongs to the attempt that asks it, or to the link whose login runs out. When that is gone, so is the
//! question, and an answer that comes late finds nobody.

use alloc::boxed::Box;

use bytes::Bytes;

use super::{Action, Actions, Answer, Attempt, Event, Link, LinkId, Place, Session, Stage, lifecycle::Parting};
use crate::{
    CloseCode, CredentialUse, Protocol, Rejected, Resumed, Secret, Text, Timestamp,
    error::{self, Failure},
    part::{Ask, Overdue, Refresh},
};

impl<P: Protocol> Session<P> {
    /// An attempt has begun: the host is asked, or the dial follows at once. The host is asked before the dial also if
    /// the credential is for the login: else it would take its time while a server waits.
    pub(super) fn ask_or_open(&mut self, now: Timestamp, out: &mut Actions<P>) {
        let Some(link) = &mut self.link else { return };
        match self.credentials.ask(now, &self.config.credentials) {
            Some(ask) => {
                out.push(to_host(link.id, &ask));
                link.stage = Stage::Asking(ask);
            }
            None => self.open(now, out),
        }
    }

    fn open(&mut self, now: Timestamp, out: &mut Actions<P>) {
        let Some(link) = &mut self.link else { return };
        link.stage = Stage::Dialing { deadline: now.after(self.config.connect_timeout) };
        link.credential = self.credentials.current().cloned();
        self.facts.last_dial = Some(now);
        self.stats.dials += 1;
        out.push(Action::Connect(Box::new(Attempt {
            link: link.id,
            attempt: link.attempt,
            endpoint: self.endpoints.take_next(self.ids.client_id()),
            subprotocols: self.protocol.subprotocols().to_vec(),
            max_message: self.config.max_message,
            credential: self.credentials.at_dial(&self.config.credentials).cloned(),
        })));
    }

    /// The host has answered a question. [`Answer::Stale`] if it is no longer asked.
    pub(super) fn on_credential(
        &mut self,
        now: Timestamp,
        number: u64,
        answer: Result<Secret, Text>,
        out: &mut Actions<P>,
    ) -> Answer<P::Message> {
        let answer = answer.map_err(|why| self.credentials.conceal(why));
        match (self.link.as_ref().map(|link| &link.stage), answer) {
            (Some(Stage::Asking(ask)), Ok(secret)) if ask.number() == number => {
                self.credentials.set(Some(secret));
                self.open(now, out);
            }
            (Some(Stage::Asking(ask)), Err(why)) if ask.number() == number => {
                self.lose(now, Failure::NoCredential(why), None, Parting::Gone { left: 0 }, out);
            }
            (
                Some(Stage::Online { refresh: Some(refresh), .. } | Stage::Restoring { refresh: Some(refresh), .. }),
                answer,
            ) if refresh.is_answered_by(number) => {
                self.refresh_with(now, answer, out);
            }
            (_, Ok(_) | Err(_)) => {
                self.stats.late_answers += 1;
                return Answer::Stale;
            }
        }
        Answer::Done
    }

    fn refresh_with(&mut self, now: Timestamp, answer: Result<Secret, Text>, out: &mut Actions<P>) {
        let known = self.link.as_ref().and_then(|link| link.credential.clone());
        let Some((refresh, needs_login)) = refresh_of(&mut self.link) else { return };
        match answer {
            Ok(secret) if known.as_ref() != Some(&secret) && !self.credentials.is_unwanted(&secret) => {
                refresh.log_in(now.after(self.config.login_timeout));
                *needs_login = true;
                self.credentials.set(Some(secret));
            }
            // The host has nothing fresh yet.
            Ok(_) => refresh.put_off(now),
            Err(why) => {
                refresh.put_off(now);
                self.tell_refresh_failed(why, out);
            }
        }
    }

    /// The server accepted the login, or the one that renews it.
    pub(super) fn on_login_ok(
        &mut self,
        now: Timestamp,
        id: LinkId,
        (resumed, expires): (Resumed, Option<Timestamp>),
        out: &mut Actions<P>,
    ) {
        let link = self.link.as_mut().filter(|link| link.id == id && link.abilities.login);
        match link.map(|link| (&mut link.credential, &link.stage)) {
            Some((_, Stage::LoggingIn(_))) => {
                self.facts.resumed = resumed;
                self.go_in(now, out);
            }
            Some((
                credential,
                Stage::Online { refresh: Some(refresh), .. } | Stage::Restoring { refresh: Some(refresh), .. },
            )) if refresh.is_logging_in() => {
                if self.config.credentials.when.is_at_login() {
                    *credential = refresh.credential().cloned();
                }
                self.credentials.on_accepted(credential.as_ref());
                self.proof.on_online(self.endpoints.current(), credential.as_ref());
                if self.reached() == error::Stage::Stable {
                    self.proof.on_stable();
                }
            }
            Some((
                _,
                Stage::Asking(_)
                | Stage::Dialing { .. }
                | Stage::Restoring { .. }
                | Stage::Online { .. }
                | Stage::Closing { .. },
            ))
            | None => return self.on_login_answer_unasked(id, out),
        }
        self.keep_fresh(now, expires);
    }

    /// The login runs out at this time: the host is asked for a fresh credential before that.
    fn keep_fresh(&mut self, now: Timestamp, expires: Option<Timestamp>) {
        let policy = &self.config.credentials;
        let renews = match policy.when {
            CredentialUse::AtLogin | CredentialUse::Both => policy.asked,
            CredentialUse::Never | CredentialUse::AtDial => false,
        };
        let expires = expires.filter(|_| renews);
        if let Some(Stage::Online { refresh, .. } | Stage::Restoring { refresh, .. }) =
            self.link.as_mut().map(|link| &mut link.stage)
        {
            *refresh = expires.map(|at| Box::new(Refresh::new(now, at, policy.refresh_before)));
        }
    }

    /// An answer to a login that is not under way. One of the present link's that has taken too long may come late, and a
    /// link that is left may have had one under way. Anything else nobody says who follows the protocol.
    fn on_login_answer_unasked(&mut self, id: LinkId, out: &mut Actions<P>) {
        match self.link.as_deref_mut().filter(|link| link.id == id) {
            Some(Link { unanswered_logins: late @ 1.., .. }) => {
                *late -= 1;
                self.stats.unexpected += 1;
            }
            Some(_) => self.on_misplaced("an answer to a login that nobody began", out),
            None => self.stats.unexpected += 1,
        }
    }

    pub(super) fn on_challenge(&mut self, id: LinkId, challenge: Bytes, out: &mut Actions<P>) {
        let is_taken = match self.link.as_deref_mut().filter(|link| link.id == id) {
            Some(Link { stage: Stage::LoggingIn(login), .. }) => {
                login.on_challenge(challenge);
                true
            }
            Some(Link {
                stage: Stage::Online { refresh: Some(refresh), .. } | Stage::Restoring { refresh: Some(refresh), .. },
                owed,
                ..
            }) if refresh.is_logging_in() => {
                owed.login = refresh.on_challenge(challenge);
                owed.login
            }
            Some(Link { unanswered_logins: 0, .. }) => {
                return self.on_misplaced("a challenge in a login that nobody began", out);
            }
            Some(_) | None => false,
        };
        self.stats.unexpected += u64::from(!is_taken);
    }

    /// The server does not accept the login. One that only was to be renewed still holds, and so does the link.
    pub(super) fn on_login_refused(&mut self, now: Timestamp, id: LinkId, why: Rejected, out: &mut Actions<P>) {
        if self.place_of(id) != Some(Place::Link) {
            return;
        }
        if !self.link.as_deref().is_some_and(Link::is_logged_in) {
            return self.on_login_lost(now, id, why, out);
        }
        match refresh_of(&mut self.link).filter(|(refresh, _)| refresh.is_logging_in()) {
            Some((refresh, _)) => {
                self.credentials.on_renewal_refused(refresh.credential());
                refresh.put_off(now);
            }
            None => return self.on_login_answer_unasked(id, out),
        }
        self.tell_refresh_failed(why.message, out);
    }

    pub(super) fn on_login_lost(&mut self, now: Timestamp, id: LinkId, why: Rejected, out: &mut Actions<P>) {
        if self.place_of(id) == Some(Place::Link) {
            self.lose(now, Failure::LoginRefused(why), None, Parting::Close(CloseCode::NORMAL), out);
        }
    }

    /// The refresh is due, or has taken too long.
    pub(super) fn on_refresh(&mut self, now: Timestamp, out: &mut Actions<P>) {
        let Some(id) = self.link.as_ref().map(|link| link.id) else { return };
        let Some((refresh, _)) = refresh_of(&mut self.link) else { return };
        let was_said = refresh.is_logging_in();
        match refresh.on_due(now) {
            Some(Overdue::Ask) => {
                if let Some(ask) = self.credentials.ask_again(now, &self.config.credentials) {
                    out.push(to_host(id, &ask));
                    refresh.on_asked(ask);
                }
            }
            Some(Overdue::Unanswered) => {
                if let Some(link) = self.link.as_mut().filter(|_| was_said) {
                    link.unanswered_logins = link.unanswered_logins.saturating_add(1);
                }
                self.tell_refresh_failed(Text::from_static("not answered in time"), out);
            }
            None => {}
        }
    }

    fn tell_refresh_failed(&mut self, why: Text, out: &mut Actions<P>) {
        self.stats.refreshes_failed += 1;
        out.push(Action::Emit(Event::RefreshFailed { why }));
    }
}

fn to_host<I, T>(link: LinkId, ask: &Ask) -> Action<I, T> {
    Action::AskCredential { ask: ask.number(), link, why: ask.why() }
}

/// The refresh of a login, and whether there is something to be said for it.
fn refresh_of<L, M, I>(link: &mut Option<Box<Link<L, M, I>>>) -> Option<(&mut Refresh, &mut bool)> {
    let Link { stage, owed, .. } = link.as_deref_mut()?;
    match stage {
        Stage::Online { refresh, .. } | Stage::Restoring { refresh, .. } => {
            refresh.as_deref_mut().map(|refresh| (refresh, &mut owed.login))
        }
        Stage::Asking(_) | Stage::Dialing { .. } | Stage::LoggingIn(_) | Stage::Closing { .. } => None,
    }
}

#[cfg(test)]
mod tests;
