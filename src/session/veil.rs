//! What others say to us, without our credentials: the one place where a word of the peer or of the host is looked
//! through before anything is made of it.
//!
//! A peer that repeats a credential in a reason, a header or an answer shall not bring it into events, errors, logs,
//! health or what is told to the server later. So the words are changed as they come in, and nothing behind this place
//! has to think of it. What the peer's messages say is the application's own and is not touched, nor are frames.

use core::mem;

use bytes::Bytes;

use super::Session;
use crate::{
    Cause, Complaint, GoAway, Heard, HttpAnswer, Protocol, Rejected, Text,
    error::Failure,
    part::{CONCEALED, Credentials},
};

impl<P: Protocol> Session<P> {
    /// What the peer said. No meaning is forgotten: a new one has to say here whether there are words in it.
    pub(super) fn veil(&self, heard: &mut Heard<P::Incoming, P::Topic>) {
        let credentials = &self.credentials;
        match heard {
            Heard::Done { result: Err(why), .. }
            | Heard::TopicLost { why, .. }
            | Heard::TopicEnded { why: Some(why), .. }
            | Heard::LoginRefused(why)
            | Heard::LoginLost(why)
            | Heard::Trouble(why) => refusal(credentials, why),
            Heard::GoAway(asked) => goodbye(credentials, asked),
            Heard::Bad(Complaint { message, .. }) => text(credentials, message),
            Heard::Hello(tuning) => name(credentials, &mut tuning.client_id),
            Heard::LoginOk { client_id, .. } => name(credentials, client_id),
            // The application's.
            Heard::Message { .. } | Heard::Item { .. }
            // Numbers, topics, and what only the protocol reads.
            | Heard::Done { result: Ok(()), .. }
            | Heard::Confirmed { .. }
            | Heard::TopicEnded { why: None, .. }
            | Heard::Acked { .. }
            | Heard::AckedUpTo { .. }
            | Heard::Track { .. }
            | Heard::Challenge(_)
            | Heard::Ping(_)
            | Heard::Pong => {}
        }
    }

    /// How it failed.
    pub(super) fn veiled(&self, mut failure: Failure) -> Failure {
        let credentials = &self.credentials;
        match &mut failure {
            Failure::Wire(cause) => wire(credentials, cause),
            Failure::Unfit(Complaint { message, .. }) | Failure::NoCredential(message) => text(credentials, message),
            // They came as a meaning, or are our own words.
            Failure::LoginRefused(_)
            | Failure::Nonsense(_)
            | Failure::CredentialTimeout
            | Failure::ConnectTimeout
            | Failure::RestoreTimeout
            | Failure::GreetingTimeout
            | Failure::LoginTimeout
            | Failure::Silent => {}
        }
        failure
    }
}

fn text(credentials: &Credentials, said: &mut Text) {
    *said = credentials.conceal(mem::take(said));
}

fn bytes(credentials: &Credentials, said: &mut Bytes) {
    if credentials.is_shown_in(said) {
        *said = Bytes::from_static(CONCEALED.as_bytes());
    }
}

/// A name that is none is better than one that must not be said.
fn name(credentials: &Credentials, said: &mut Option<Text>) {
    if said.as_ref().is_some_and(|said| credentials.is_shown_in(said.as_bytes())) {
        *said = None;
    }
}

pub(super) fn refusal(credentials: &Credentials, why: &mut Rejected) {
    let Rejected { code, message, retry_after: _, recovery: _, data } = why;
    text(credentials, message);
    code.iter_mut().for_each(|code| text(credentials, code));
    data.iter_mut().for_each(|data| bytes(credentials, data));
}

fn goodbye(credentials: &Credentials, asked: &mut GoAway) {
    let GoAway { comeback: _, address, reason } = asked;
    text(credentials, reason);
    name(credentials, address);
}

fn wire(credentials: &Credentials, cause: &mut Cause) {
    match cause {
        Cause::Closed { code: _, reason: said }
        | Cause::Broken(said)
        | Cause::Unreachable(said)
        | Cause::Unresolved(said)
        | Cause::Denied(said)
        | Cause::Tls { certificate: _, message: said }
        | Cause::Handshake(said)
        | Cause::Violation { code: _, message: said }
        | Cause::Impossible(said) => text(credentials, said),
        Cause::Http(answer) => {
            let HttpAnswer { status: _, proxy: _, retry_after: _, headers, body } = &mut **answer;
            bytes(credentials, body);
            for (name, value) in headers {
                text(credentials, name);
                bytes(credentials, value);
            }
        }
        Cause::Ended => {}
    }
}
