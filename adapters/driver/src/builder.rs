//! Puts a session together.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use steadfast::{
    Acks, BadConfig, Cause, Command, Config, Input, Plain, Protocol, QueuePolicy, Recovery, Rng, Secret, Session, Watch,
};

use crate::{
    BadAddress, BadHeader, Client, Dialer, Driver, Events, Mailbox, Runtime, Socket, Upgrade, Upgrading,
    inbox::Inbox,
    links::Classifier,
    mailbox::{EVENTS_MAX, Slow},
    shared::{Shared, Watching},
};

/// What a session is made of. An adapter's `connect` gives one, with its clock and its dialer filled in.
///
/// ```
/// # use steadfast::{Cause, Config, Plain, Recovery};
/// # use steadfast_driver::{BuildError, Builder, Built, Dialer, Mailbox, Runtime, Upgrading};
/// # #[expect(dead_code)]
/// # fn build<R, D>(builder: Builder<Plain, R, D>) -> Result<Built<Plain, R, D>, BuildError>
/// # where R: Runtime, D: Dialer + Upgrading
/// # {
/// let mut config = Config::long_lived();
/// config.queue.max_messages = 1_000;
/// let (client, events, driver) = builder
///     .config(config)
///     .header("Authorization", "Bearer …")
///     .mailbox(Mailbox::pause(1_000, 1 << 20))
///     // A proxy of ours says 404 while it starts.
///     .classify(|cause| matches!(cause, Cause::Http(answer) if answer.status == 404).then_some(Recovery::Retry))
///     .build()?;
/// # Ok((client, events, driver))
/// # }
/// ```
pub struct Builder<P: Protocol, R, D> {
    protocol: P,
    runtime: R,
    /// What was wrong is said when all is put together, so that a chain of settings needs one `?`.
    dialer: Result<D, BuildError>,
    config: Config,
    credential: Option<Secret>,
    mailbox: Option<Mailbox>,
    seed: u64,
    classifier: Classifier,
    watch: Watching<P>,
}

/// What a build gives: the handle, what happens, and the future that does the work.
pub type Built<P, R, D> = (Client<P>, Events<P>, Driver<P, R, D>);

impl<R: Runtime, D> Builder<Plain, R, D> {
    /// A session of plain frames, with the default settings. For adapters: an error of theirs, such as an
    /// address that makes no sense, is told by [`build`](Self::build).
    #[must_use]
    pub fn new(runtime: R, dialer: Result<D, BuildError>) -> Self {
        Self {
            protocol: Plain,
            runtime,
            dialer,
            config: Config::default(),
            credential: None,
            mailbox: None,
            seed: RandomState::new().hash_one(()),
            classifier: None,
            watch: None,
        }
    }
}

impl<P: Protocol, R, D> Builder<P, R, D> {
    /// The settings of the session.
    #[must_use]
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// What is spoken; [`Plain`] frames unless something else is set. To be set before what [watches](Self::watch).
    #[must_use]
    pub fn protocol<Q: Protocol>(self, protocol: Q) -> Builder<Q, R, D> {
        let Self { protocol: _, runtime, dialer, config, credential, mailbox, seed, classifier, watch: _ } = self;
        Builder { protocol, runtime, dialer, config, credential, mailbox, seed, classifier, watch: None }
    }

    /// What is spoken, made from a number that no other session has. The `json` protocol needs one to tell ids
    /// of one life of a client from those of the next: `protocol_with(Json::new)`. The number is drawn from the
    /// [`seed`](Self::seed) as it is set by then.
    #[must_use]
    pub fn protocol_with<Q: Protocol>(self, make: impl FnOnce(u64) -> Q) -> Builder<Q, R, D> {
        let protocol = make(Rng::new(!self.seed).next());
        self.protocol(protocol)
    }

    /// Another way to the peer: a closure that is called anew for each attempt, or any [`Dialer`].
    #[must_use]
    pub fn dialer<E: Dialer>(self, dialer: E) -> Builder<P, R, E> {
        let Self { protocol, runtime, dialer: _, config, credential, mailbox, seed, classifier, watch } = self;
        Builder { protocol, runtime, dialer: Ok(dialer), config, credential, mailbox, seed, classifier, watch }
    }

    /// The credential to log in with.
    #[must_use]
    pub fn credential(self, credential: impl Into<Secret>) -> Self {
        Self { credential: Some(credential.into()), ..self }
    }

    /// What may wait for a slow application. If nothing is set: as much as the default queue keeps for the
    /// peer, [lagging](Mailbox::lag), or [pausing](Mailbox::pause) where the protocol has acknowledgements.
    #[must_use]
    pub fn mailbox(self, mailbox: Mailbox) -> Self {
        Self { mailbox: Some(mailbox), ..self }
    }

    /// Where chance comes from. If nothing is set, the operating system is asked. Two clients with one seed come
    /// back at the same moment, so a fixed one is for tests.
    ///
    /// To be set before [`protocol_with`](Self::protocol_with), which draws from it.
    ///
    /// On `wasm32-unknown-unknown` there is nobody to ask, and without a seed every page has the same one: set it
    /// there, from `crypto.getRandomValues`.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Asked when a link is lost or could not be had: what shall be done? `None` leaves it to the protocol
    /// and the table. It runs in the driver, and holds nobody up but it.
    #[must_use]
    pub fn classify(self, classify: impl FnMut(&Cause) -> Option<Recovery> + Send + 'static) -> Self {
        Self { classifier: Some(Box::new(classify)), ..self }
    }

    /// Somebody who sees every turn of the session, from the first on: a tape that records it (`steadfast::trace`), or
    /// a log. It is called under the session's lock, so it is to be quick: what it writes goes to a thread of its own.
    /// If it panics the session ends, as if the protocol had.
    ///
    /// To be set after the protocol, and for a tape after the settings and the seed, which it has to know too.
    #[must_use]
    pub fn watch(self, watch: impl Watch<Session<P>> + Send + 'static) -> Self {
        Self { watch: Some(Box::new(watch)), ..self }
    }
}

impl<P: Protocol, R, D: Upgrading> Builder<P, R, D> {
    /// Adds a header to the request that opens a link.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        self.change(|upgrade| upgrade.header(name, value).map_err(BuildError::Header))
    }

    /// Asks for a header of the answer: it will be among
    /// [`Handshake::headers`](steadfast::Handshake::headers).
    #[must_use]
    pub fn want(self, name: &str) -> Self {
        self.change(|upgrade| Ok(upgrade.want(name)))
    }

    fn change(self, change: impl FnOnce(Upgrade) -> Result<Upgrade, BuildError>) -> Self {
        let dialer = self.dialer.and_then(|mut dialer| {
            *dialer.upgrade() = change(dialer.upgrade().clone())?;
            Ok(dialer)
        });
        Self { dialer, ..self }
    }
}

#[cfg(all(feature = "tls", not(all(target_family = "wasm", target_os = "unknown"))))]
impl<P: Protocol, R, D: crate::Securing> Builder<P, R, D> {
    /// Whom to trust that it is the server, and what to show it; whom the machine trusts, unless something else is
    /// set. For `wss://` only.
    #[must_use]
    pub fn trust(self, trust: crate::Trust) -> Self {
        let dialer = self.dialer.map(|mut dialer| {
            dialer.trust(trust);
            dialer
        });
        Self { dialer, ..self }
    }
}

impl<P: Protocol, R: Runtime, D: Dialer> Builder<P, R, D> {
    /// The parts of a session. It begins to connect when the driver is first polled; messages may be sent
    /// before.
    ///
    /// # Errors
    ///
    /// What does not fit together, and what to do about it.
    pub fn build(self) -> Result<Built<P, R, D>, BuildError> {
        let mailbox = self.mailbox_for(&self.protocol)?;
        let dialer = self.dialer?;
        dialer.check()?;
        let rest_max = EVENTS_MAX.saturating_add(self.config.queue.max_messages as usize);
        let session = Session::new(self.protocol, self.config, self.seed).map_err(BuildError::Config)?;
        let sleep = self.runtime.sleep();
        let shared = Shared::new(session, self.runtime, Inbox::new(mailbox, rest_max), self.watch);
        if self.credential.is_some() {
            // A turn as any other, so that whoever watches knows of it.
            shared.look().handle(shared.now(), Input::Command(Command::Authenticate(self.credential)));
        }
        let shared = Arc::new(shared);
        let client = Client::new(Arc::clone(&shared));
        let events = Events::new(Arc::clone(&shared));
        Ok((client, events, Driver::new(shared, sleep, dialer, self.classifier)))
    }

    /// The same in one piece, for a single owner that polls by hand and spawns nothing.
    ///
    /// # Errors
    ///
    /// What does not fit together, and what to do about it.
    pub fn into_stream(self) -> Result<Socket<P, R, D>, BuildError> {
        self.build().map(Socket::new)
    }

    /// What was dropped unread must not be acknowledged, and an acknowledgement that is left out is a
    /// message that comes for ever.
    fn mailbox_for(&self, protocol: &P) -> Result<Mailbox, BuildError> {
        let has_acks = protocol.abilities().acks != Acks::None;
        let QueuePolicy { max_messages, max_bytes, .. } = QueuePolicy::default();
        match self.mailbox {
            None if has_acks => Ok(Mailbox::pause(max_messages, max_bytes)),
            None => Ok(Mailbox::lag(max_messages, max_bytes)),
            Some(Mailbox { messages: 0, .. } | Mailbox { bytes: 0, .. }) => Err(BuildError::NoMailbox),
            Some(Mailbox { slow: Slow::Lag, .. }) if has_acks => Err(BuildError::LagWithAcks),
            Some(mailbox) => Ok(mailbox),
        }
    }
}

impl<P: Protocol, R, D> fmt::Debug for Builder<P, R, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("config", &self.config).field("mailbox", &self.mailbox).finish_non_exhaustive()
    }
}

/// Why no session could be built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// A setting makes no sense.
    Config(BadConfig),
    /// The address makes no sense.
    Address(BadAddress),
    /// A header cannot be sent.
    Header(BadHeader),
    /// There is nobody to trust.
    #[cfg(all(feature = "tls", not(all(target_family = "wasm", target_os = "unknown"))))]
    Trust(crate::BadTrust),
    /// The protocol acknowledges messages, and the mailbox would drop some.
    LagWithAcks,
    /// The mailbox has room for nothing.
    NoMailbox,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(bad) => fmt::Display::fmt(bad, f),
            Self::Address(bad) => fmt::Display::fmt(bad, f),
            Self::Header(bad) => fmt::Display::fmt(bad, f),
            #[cfg(all(feature = "tls", not(all(target_family = "wasm", target_os = "unknown"))))]
            Self::Trust(bad) => fmt::Display::fmt(bad, f),
            Self::LagWithAcks => f.write_str(
                "mailbox: the protocol acknowledges what the application has taken, so nothing may be dropped; use \
                 Mailbox::pause",
            ),
            Self::NoMailbox => f.write_str("mailbox: it has room for nothing; allow at least one message and one byte"),
        }
    }
}

impl std::error::Error for BuildError {}
