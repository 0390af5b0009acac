//! What must not be in a trace is taken out of the inputs, before anything is written.

use alloc::{borrow::Cow, boxed::Box, string::String, vec::Vec};

use bytes::Bytes;

use super::{
    scrub::{Pen, Rule, scrub},
    stand_in::StandIns,
};
use crate::{
    CallReply, Cause, Command, Down, Handshake, HttpAnswer, Input, Report, Secret, SendOptions, SubscribeOptions, Text,
};

/// What is taken out of a trace beside the credentials, which always are.
///
/// ```
/// use steadfast::trace::Redaction;
///
/// let mut redaction = Redaction::default();
/// redaction.payloads = true;
/// redaction.hide.push("pin".into());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Redaction {
    /// Whether what is sent and received is replaced too: the strings and numbers in JSON but for the members to
    /// [`keep`](Self::keep), other texts and bytes as a whole. A protocol that is not JSON will not know them again;
    /// it is recorded with its payloads or not at all. **false**
    pub payloads: bool,
    /// With `payloads`, the names of members whose values stay, because the protocol lives on them, at any depth.
    /// **those of the `json` protocol**
    pub keep: Vec<Text>,
    /// Names of members whose values are secret, and of headers, beside those that look like it. **none**
    pub hide: Vec<Text>,
}

impl Default for Redaction {
    fn default() -> Self {
        let keep = [
            "type",
            "channel",
            "id",
            "reply_to",
            "timestamp",
            "client_id",
            "code",
            "retry_after",
            "expires_at",
            "ping_interval",
            "ping_timeout",
            "max_message",
        ];
        Self { payloads: false, keep: keep.map(Text::from_static).into(), hide: Vec::new() }
    }
}

/// What is secret by its name, wherever it stands. Names are compared in small letters, without punctuation.
const SECRET_NAMES: [&str; 10] =
    ["token", "secret", "passw", "apikey", "accesskey", "authoriz", "credential", "cookie", "jwt", "privatekey"];

/// What can be redacted: frames and texts, and with them the messages of a protocol.
///
/// ```
/// use steadfast::trace::{Redact, Redactor};
/// use steadfast::Text;
///
/// struct Order { table: u32, guest: Text }
///
/// impl Redact for Order {
///     fn redacted(&self, redactor: &mut Redactor) -> Self {
///         Self { table: self.table, guest: redactor.text(&self.guest) }
///     }
/// }
/// ```
pub trait Redact {
    /// The same without what must not be seen. Equal values stay equal, and as long.
    #[must_use]
    fn redacted(&self, redactor: &mut Redactor) -> Self;
}

/// Takes out of inputs what must not be seen, and remembers what stands in for it.
#[derive(Clone, Debug)]
pub struct Redactor {
    redaction: Redaction,
    secrets: StandIns,
    payloads: StandIns,
    /// Credentials that were seen, in all their spellings, and what stands in for them. The last few.
    needles: Vec<Needle>,
    /// All that comes now is secret.
    hides: bool,
}

#[derive(Clone, Debug)]
struct Needle {
    secret: String,
    stand_in: String,
}

/// A shorter secret is not looked for in texts: it would be found in half of them.
const SHORTEST: usize = 4;
/// So many spellings of secrets are looked for.
const NEEDLES: usize = 48;

impl Redactor {
    /// One that has seen nothing yet.
    #[must_use]
    pub fn new(redaction: Redaction) -> Self {
        let (secrets, payloads) = (StandIns::new("secret"), StandIns::new("payload"));
        Self { redaction, secrets, payloads, needles: Vec::new(), hides: false }
    }

    /// A text of the application or the peer.
    #[must_use]
    pub fn text(&mut self, text: &Text) -> Text {
        match self.changed(text.as_str()) {
            Some(changed) => changed.into(),
            None => text.clone(),
        }
    }

    /// Bytes of the application or the peer.
    #[must_use]
    pub fn bytes(&mut self, bytes: &Bytes) -> Bytes {
        match core::str::from_utf8(bytes) {
            Ok(text) => self.changed(text).map_or_else(|| bytes.clone(), Bytes::from),
            Err(_) if self.hides => self.secrets.opaque(bytes).into(),
            Err(_) if self.redaction.payloads => self.payloads.opaque(bytes).into(),
            Err(_) => bytes.clone(),
        }
    }

    /// A whole input; `None` if there is nothing in it to be replaced.
    pub(super) fn input<M: Redact, T: Clone>(&mut self, input: &Input<M, T>) -> Option<Input<M, T>> {
        match input {
            Input::Command(command) => self.command(command).map(Input::Command),
            Input::Report(link, report) => self.report(report).map(|report| Input::Report(*link, report)),
            Input::Wake => None,
        }
    }

    /// No command is forgotten: a new one has to say here whether there is something to hide in it.
    // A table: one command, one arm.
    fn command<M: Redact, T: Clone>(&mut self, command: &Command<M, T>) -> Option<Command<M, T>> {
        match command {
            Command::Send { message, options } => {
                // All of them are named: one that makes a message secret has to be heeded here.
                let SendOptions { class: _, tracked: _, secret, rare: _ } = options;
                self.hides = *secret;
                let message = message.redacted(self);
                self.hides = false;
                Some(Command::Send { message, options: options.clone() })
            }
            Command::Reply(reply) => {
                let CallReply { link, call, answer } = &**reply;
                let (call, link) = (self.id(call), *link);
                let answer = match answer {
                    Ok(message) => Ok(message.redacted(self)),
                    Err(why) => Err(Box::new(why.redacted(self))),
                };
                Some(Command::Reply(Box::new(CallReply { link, call, answer })))
            }
            Command::Request { message, options } => {
                self.hides = options.secret;
                let message = message.redacted(self);
                self.hides = false;
                Some(Command::Request { message, options: options.clone() })
            }
            Command::Endpoints { list, queued } => {
                let list = list.iter().map(|address| self.address(address)).collect();
                Some(Command::Endpoints { list, queued: *queued })
            }
            Command::Authenticate(Some(secret)) => Some(Command::Authenticate(Some(self.secret(secret)))),
            Command::Credential { ask, answer } => {
                let answer = answer.as_ref().map(|secret| self.secret(secret)).map_err(|why| self.said(why));
                Some(Command::Credential { ask: *ask, answer })
            }
            Command::Authenticate(None)
            | Command::Connect
            | Command::ConnectNow
            | Command::Stop
            | Command::Drain { .. }
            | Command::Cancel(_)
            | Command::TakeQueued
            | Command::NetworkLost
            | Command::NetworkBack
            | Command::Suspend
            | Command::Resume
            // Settings hold no secret, and the header of a trace shows them too.
            | Command::Configure(_) => None,
            Command::Taken { id } => Some(Command::Taken { id: self.id(id) }),
            // A topic is a name, and stays like one.
            Command::Subscribe { topic, options } => {
                let SubscribeOptions { snapshot, stale_after: _ } = &**options;
                let snapshot = snapshot.as_ref()?.redacted(self);
                let options = SubscribeOptions { snapshot: Some(snapshot), stale_after: options.stale_after };
                Some(Command::Subscribe { topic: topic.clone(), options: Box::new(options) })
            }
            Command::Unsubscribe { .. } | Command::Resync { .. } => None,
        }
    }

    fn report(&mut self, report: &Report) -> Option<Report> {
        match report {
            Report::Up(handshake) => {
                let headers = self.headers(&handshake.headers);
                Some(Report::Up(Box::new(Handshake { headers, ..(**handshake).clone() })))
            }
            Report::Frame(frame) => Some(Report::Frame(frame.redacted(self))),
            Report::Down(down) => {
                let Down { cause, left, verdict } = &**down;
                Some(Report::Down(Box::new(Down { cause: self.cause(cause), left: *left, verdict: *verdict })))
            }
            Report::Flushed { .. } | Report::Progress | Report::Paused | Report::Resumed => None,
        }
    }

    fn cause(&mut self, cause: &Cause) -> Cause {
        let said = |text: &Text| self.said(text);
        match cause {
            Cause::Closed { code, reason } => Cause::Closed { code: *code, reason: said(reason) },
            Cause::Ended => Cause::Ended,
            Cause::Broken(why) => Cause::Broken(said(why)),
            Cause::Unreachable(why) => Cause::Unreachable(said(why)),
            Cause::Unresolved(why) => Cause::Unresolved(said(why)),
            Cause::Denied(why) => Cause::Denied(said(why)),
            Cause::Tls { certificate, message } => Cause::Tls { certificate: *certificate, message: said(message) },
            Cause::Http(answer) => {
                let (headers, body) = (self.headers(&answer.headers), self.bytes(&answer.body));
                let HttpAnswer { status, proxy, retry_after, .. } = **answer;
                Cause::Http(Box::new(HttpAnswer { status, proxy, retry_after, headers, body }))
            }
            Cause::Handshake(why) => Cause::Handshake(said(why)),
            Cause::Violation { code, message } => Cause::Violation { code: *code, message: said(message) },
            Cause::Impossible(why) => Cause::Impossible(said(why)),
        }
    }

    /// The id of a message of the peer's. It is what it was when the message came: replaced, if it was.
    fn id(&mut self, id: &Bytes) -> Bytes {
        let replaced = match self.rule("id") {
            Rule::Keep => None,
            Rule::Secret => self.secrets.again(id),
            Rule::Payload => self.payloads.again(id),
        };
        match (replaced, core::str::from_utf8(id)) {
            (Some(replaced), _) => replaced.into(),
            (None, Ok(text)) => Bytes::from(self.without_secrets(text).into_owned()),
            (None, Err(_)) => id.clone(),
        }
    }

    /// A text that is about the link: it stays, without the secrets that we know.
    fn said(&self, text: &Text) -> Text {
        match self.without_secrets(text.as_str()) {
            Cow::Borrowed(_) => text.clone(),
            Cow::Owned(changed) => changed.into(),
        }
    }

    /// An address, without the user and the password in it.
    fn address(&mut self, address: &Text) -> Text {
        let text = address.as_str();
        let (scheme, rest) = text.split_at(text.find("://").map_or(0, |at| at + 3));
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        if let Some(user) = authority.rfind('@').map(|at| &authority[..at]).filter(|user| !user.is_empty()) {
            let stand_in = self.secrets.plain(user.as_bytes());
            let stand_in = String::from_utf8_lossy(&stand_in);
            return self.said(&[scheme, &stand_in, &rest[user.len()..]].concat().into());
        }
        self.said(address)
    }

    fn headers(&mut self, headers: &[(Text, Bytes)]) -> Vec<(Text, Bytes)> {
        let mut redacted = Vec::with_capacity(headers.len());
        for (name, value) in headers {
            let value = match (self.rule(name.as_str()), core::str::from_utf8(value)) {
                (Rule::Secret, _) => self.secrets.plain(value).into(),
                (Rule::Keep | Rule::Payload, Ok(text)) => Bytes::from(self.without_secrets(text).into_owned()),
                (Rule::Keep | Rule::Payload, Err(_)) => value.clone(),
            };
            redacted.push((name.clone(), value));
        }
        redacted
    }

    /// What stands in for a credential. From now on it is looked for in all texts.
    fn secret(&mut self, secret: &Secret) -> Secret {
        let bytes = secret.expose();
        let stand_in = Bytes::from(self.secrets.plain(bytes));
        if let (Ok(secret), Ok(text)) = (core::str::from_utf8(bytes), core::str::from_utf8(&stand_in)) {
            if secret.len() >= SHORTEST {
                self.look_for(secret, text);
            }
        }
        Secret::standing_in(stand_in)
    }

    fn look_for(&mut self, secret: &str, stand_in: &str) {
        let spellings: [fn(&str) -> String; 4] =
            [|text| text.into(), quoted, |text| quoted(text).replace('/', "\\/"), percent];
        for spell in spellings {
            // A slash stands for a slash that is escaped: the stand-in has none, and must not become shorter.
            let (secret, mut stand_in) = (spell(secret), spell(stand_in));
            stand_in.extend(core::iter::repeat_n('.', secret.len().saturating_sub(stand_in.len())));
            if !self.needles.iter().any(|needle| needle.secret == secret) {
                self.needles.push(Needle { secret, stand_in });
            }
        }
        let excess = self.needles.len().saturating_sub(NEEDLES);
        self.needles.drain(..excess);
    }

    /// A text as it may be seen, if it is another.
    fn changed(&mut self, text: &str) -> Option<String> {
        let known = self.without_secrets(text);
        if let Some(scrubbed) = scrub(&known, self) {
            return String::from_utf8(scrubbed).ok().filter(|scrubbed| scrubbed != text);
        }
        if self.hides {
            return String::from_utf8(self.secrets.plain(known.as_bytes())).ok();
        }
        if self.redaction.payloads {
            return String::from_utf8(self.payloads.plain(known.as_bytes())).ok();
        }
        if let Cow::Owned(changed) = known { Some(changed) } else { None }
    }

    fn without_secrets<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let found = self.needles.iter().filter(|needle| text.contains(&needle.secret));
        found.fold(Cow::Borrowed(text), |text, Needle { secret, stand_in }| text.replace(secret, stand_in).into())
    }
}

impl Pen for Redactor {
    fn rule(&self, name: &str) -> Rule {
        let bare = bare(name);
        let is = |other: &Text| self::bare(other.as_str()) == bare;
        if self.hides || self.redaction.hide.iter().any(is) || SECRET_NAMES.iter().any(|secret| bare.contains(secret)) {
            Rule::Secret
        } else if self.redaction.keep.iter().any(is) {
            Rule::Keep
        } else {
            Rule::Payload
        }
    }

    fn replace(&mut self, rule: Rule, inside: &str) -> Option<Vec<u8>> {
        match rule {
            // What stands in for a credential already stays.
            Rule::Secret if self.needles.iter().any(|needle| needle.stand_in == inside) => None,
            Rule::Secret => Some(self.secrets.quoted(inside)),
            Rule::Payload if self.redaction.payloads => Some(self.payloads.quoted(inside)),
            Rule::Payload | Rule::Keep => None,
        }
    }

    fn blots(&self, rule: Rule) -> bool {
        match rule {
            Rule::Secret => true,
            Rule::Payload => self.redaction.payloads,
            Rule::Keep => false,
        }
    }
}

/// A name in small letters, without punctuation.
fn bare(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// A text as it stands between the quotes of a JSON string.
fn quoted(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().into()
}

/// A text as it stands in an address (RFC 3986 section 2.1).
fn percent(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let spell = |byte: u8| if plain(&byte) { char::from(byte).into() } else { alloc::format!("%{byte:02X}") };
    text.bytes().map(spell).collect()
}

#[cfg(test)]
mod tests {
    use alloc::{string::ToString, vec};

    use super::*;
    use crate::{Frame, LinkId};

    fn heard(redactor: &mut Redactor, text: &str) -> String {
        redactor.text(&text.into()).to_string()
    }

    fn learn(redactor: &mut Redactor, secret: &str) -> Bytes {
        redactor.secret(&secret.into()).expose().clone()
    }

    #[test]
    fn a_credential_is_found_again_wherever_it_is_said() {
        let mut redactor = Redactor::new(Redaction::default());
        assert_eq!(learn(&mut redactor, "s3cr3t/key\"1"), "secret-1..\".");
        assert_eq!(heard(&mut redactor, "no s3cr3t/key\"1 here"), "no secret-1..\". here");
        assert_eq!(heard(&mut redactor, r#"{"said":"s3cr3t\/key\"1"}"#), r#"{"said":"secret-1..\".."}"#);
        assert_eq!(heard(&mut redactor, "/?key=s3cr3t%2Fkey%221&x"), "/?key=secret-1..%22...&x");
        let reason = Cause::Closed { code: crate::CloseCode(4401), reason: "bad s3cr3t/key\"1".into() };
        let Cause::Closed { reason, .. } = redactor.cause(&reason) else { panic!("still a close") };
        assert_eq!(reason.as_str(), "bad secret-1..\".");
    }

    #[test]
    fn the_user_of_an_address_goes_and_the_rest_stays() {
        let mut redactor = Redactor::new(Redaction::default());
        let mut seen = |address: &str| redactor.address(&address.into()).to_string();
        assert_eq!(seen("wss://user:s3cret@a.example/x@y"), "wss://secret-1...@a.example/x@y");
        assert_eq!(seen("wss://user:s3cret@b.example"), "wss://secret-1...@b.example");
        for same in ["wss://a.example/x@y?z@", "@", "nonsense", ""] {
            assert_eq!(seen(same), same);
        }
    }

    #[test]
    fn what_is_secret_by_its_name_always_goes() {
        let mut redactor = Redactor::new(Redaction::default());
        let said = r#"{"type":"connected","data":{"client_id":"c-17","sessionToken":"abcdefghij","note":"hello"}}"#;
        let left = r#"{"type":"connected","data":{"client_id":"c-17","sessionToken":"secret-1..","note":"hello"}}"#;
        assert_eq!(heard(&mut redactor, said), left);
        let headers = [("Set-Cookie".into(), Bytes::from("sid=1234567")), ("Server".into(), Bytes::from("nginx"))];
        let headers = redactor.headers(&headers);
        assert_eq!((&headers[0].1[..], &headers[1].1[..]), (&b"secret-2..."[..], &b"nginx"[..]));
    }

    #[test]
    fn payloads_go_if_asked_and_the_protocol_lives_on() {
        let mut redactor = Redactor::new(Redaction { payloads: true, ..Redaction::default() });
        let said = r#"{"type":"order","id":"k-1","data":{"guest":"Mrs. Miller","table":42,"code":"x"}}"#;
        let left = r#"{"type":"order","id":"k-1","data":{"guest":"payload-1..","table":11,"code":"x"}}"#;
        assert_eq!(heard(&mut redactor, said), left);
        assert_eq!(heard(&mut redactor, "not JSON at all"), "payload-2......");
        let frame = Frame::from(vec![1, 2, 3, 255]);
        assert_eq!(frame.redacted(&mut redactor), Frame::from(b"---1".to_vec()));
    }

    #[test]
    fn an_id_that_was_replaced_when_it_came_is_taken_as_that() {
        let taken = |redactor: &mut Redactor| {
            let taken = redactor.command(&Command::<Text>::Taken { id: "s-12345678".into() });
            let Some(Command::Taken { id }) = taken else { panic!("still taken") };
            String::from_utf8(id.to_vec()).expect("text")
        };
        let said = r#"{"type":"order","id":"s-12345678"}"#;
        let mut keeps = Redactor::new(Redaction { payloads: true, ..Redaction::default() });
        assert_eq!((heard(&mut keeps, said), taken(&mut keeps)), (said.into(), "s-12345678".into()));
        let mut hides = Redactor::new(Redaction { payloads: true, keep: vec!["type".into()], hide: Vec::new() });
        let left = r#"{"type":"order","id":"payload-1."}"#;
        assert_eq!((heard(&mut hides, said), taken(&mut hides)), (left.into(), "payload-1.".into()));
    }

    #[test]
    fn what_needs_nothing_is_not_copied() {
        let mut redactor = Redactor::new(Redaction::default());
        assert!(redactor.input::<Text, crate::Never>(&Input::Wake).is_none());
        assert!(
            redactor.input::<Text, crate::Never>(&Input::Report(LinkId(1), Report::Flushed { frames: 1 })).is_none()
        );
        assert_eq!(heard(&mut redactor, "hello"), "hello");
    }
}
