//! Puts a session together.

mod reaching;

use std::{
    fmt,
    future::Future,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use bytes::Bytes;
use steadfast::{
    Acks, Answer, Cause, Command, Config, CredentialUse, Input, Keepsake, Plain, Protocol, QueuePolicy, Queued,
    Recovery, Rng, Secret, Session, Text, Watch,
};

use crate::{
    BuildError, Client, Dialer, Driver, Events, Mailbox, Runtime, Socket,
    host::{Ask, Classifier, Host},
    inbox::Inbox,
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
    watch: Watching<P>,
    recall: Option<Recall<P>>,
    choices: Choices,
}

/// What was saved, and how its messages are read again.
type Recall<P> = (Keepsake, Box<dyn FnMut(&Bytes) -> Option<<P as Protocol>::Message> + Send>);

/// What depends neither on the protocol nor on the dialer.
struct Choices {
    config: Config,
    credential: Option<Secret>,
    /// The dialer has a header for it.
    is_shown_at_dial: bool,
    endpoints: Vec<Text>,
    mailbox: Option<Mailbox>,
    seed: u64,
    host: Host,
}

/// What a build gives: the handle, what happens, and the future that does the work.
pub type Built<P, R, D> = (Client<P>, Events<P>, Driver<P, R, D>);

impl<R: Runtime, D> Builder<Plain, R, D> {
    /// A session of plain frames, with the default settings. For adapters: an error of theirs, such as an
    /// address that makes no sense, is told by [`build`](Self::build).
    #[must_use]
    pub fn new(runtime: R, dialer: Result<D, BuildError>) -> Self {
        let choices = Choices {
            config: Config::default(),
            credential: None,
            is_shown_at_dial: false,
            endpoints: Vec::new(),
            mailbox: None,
            seed: RandomState::new().hash_one(()),
            host: Host::default(),
        };
        Self { protocol: Plain, runtime, dialer, watch: None, recall: None, choices }
    }
}

impl<P: Protocol, R, D> Builder<P, R, D> {
    /// The settings of the session.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.choices.config = config;
        self
    }

    /// What is spoken; [`Plain`] frames unless something else is set. To be set before what [watches](Self::watch).
    #[must_use]
    pub fn protocol<Q: Protocol>(self, protocol: Q) -> Builder<Q, R, D> {
        let Self { protocol: _, runtime, dialer, watch: _, recall: _, choices } = self;
        Builder { protocol, runtime, dialer, watch: None, recall: None, choices }
    }

    /// What is spoken, made from a number that no other session has. The `json` protocol needs one to tell ids
    /// of one life of a client from those of the next: `protocol_with(Json::new)`. The number is drawn from the
    /// [`seed`](Self::seed) as it is set by then.
    #[must_use]
    pub fn protocol_with<Q: Protocol>(self, make: impl FnOnce(u64) -> Q) -> Builder<Q, R, D> {
        let protocol = make(Rng::new(!self.choices.seed).next());
        self.protocol(protocol)
    }

    /// Another way to the peer: a closure that is called anew for each attempt, or any [`Dialer`].
    #[must_use]
    pub fn dialer<E: Dialer>(self, dialer: E) -> Builder<P, R, E> {
        let Self { protocol, runtime, dialer: _, watch, recall, choices } = self;
        Builder { protocol, runtime, dialer: Ok(dialer), watch, recall, choices }
    }

    /// The credential to log in with.
    #[must_use]
    pub fn credential(mut self, credential: impl Into<Secret>) -> Self {
        self.choices.credential = Some(credential.into());
        self
    }

    /// Who has the credentials: asked before each attempt, and again when a login runs out, with the reason why. An error
    /// is a failed attempt like any other, and its text is shown to people. The settings are changed to that
    /// ([`CredentialPolicy::asked`](steadfast::CredentialPolicy::asked)); how long an answer may take is one of them.
    ///
    /// The future is polled by the driver, on its task and outside the lock, so it is not to block. It is dropped when
    /// nobody waits for its answer any more: the attempt was given up, the link has ended, the session was stopped. Where
    /// a half-finished exchange must not be lost, spawn it and wait for its end. A panic, in it or in the future, is an
    /// error as well. A handle that it keeps keeps the session going.
    ///
    /// ```
    /// # use steadfast_driver::Builder;
    /// use steadfast::{AskWhy, Plain, Secret, Text};
    ///
    /// # async fn cached() -> Option<Secret> { None }
    /// # async fn fetched() -> Result<Secret, std::io::Error> { Ok("hunter2".into()) }
    /// fn with_token<R, D>(builder: Builder<Plain, R, D>) -> Builder<Plain, R, D> {
    ///     builder.credentials(|ask| async move {
    ///         // What was refused, or runs out, is not to be had from a cache.
    ///         if ask.why == AskWhy::First {
    ///             if let Some(token) = cached().await {
    ///                 return Ok(token);
    ///             }
    ///         }
    ///         fetched().await.map_err(|error| Text::from(format!("no token: {error}")))
    ///     })
    /// }
    /// ```
    #[must_use]
    pub fn credentials<F, A>(mut self, mut provider: F) -> Self
    where
        F: FnMut(Ask) -> A + Send + 'static,
        A: Future<Output = Result<Secret, Text>> + Send + 'static,
    {
        self.choices.host.provider = Some(Box::new(move |ask| Box::pin(provider(ask))));
        self
    }

    /// The endpoints to dial, in turn: the next one at once (at the floor) when one has failed, and a longer wait only when
    /// all have. Without any, the dialer's own address. `{client_id}` in one stands for the client id.
    ///
    /// They take the place of the address that the dialer was made with; what else it has, such as headers and whom it
    /// trusts, is the same for all. A list that changes: [`Client::endpoints`].
    #[must_use]
    pub fn endpoints<T: Into<Text>>(mut self, list: impl IntoIterator<Item = T>) -> Self {
        self.choices.endpoints = list.into_iter().map(Into::into).collect();
        self
    }

    /// What may wait for a slow application. If nothing is set: as much as the default queue keeps for the
    /// peer, [lagging](Mailbox::lag), or [pausing](Mailbox::pause) where the protocol has acknowledgements.
    #[must_use]
    pub fn mailbox(mut self, mailbox: Mailbox) -> Self {
        self.choices.mailbox = Some(mailbox);
        self
    }

    /// Where chance comes from. If nothing is set, the operating system is asked. Two clients with one seed come
    /// back at the same moment, so a fixed one is for tests.
    ///
    /// To be set before [`protocol_with`](Self::protocol_with), which draws from it.
    ///
    /// On `wasm32-unknown-unknown` there is nobody to ask, and without a seed every page has the same one: set it
    /// there, from `crypto.getRandomValues`.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.choices.seed = seed;
        self
    }

    /// Asked when a link is lost or could not be had: what shall be done? `None` leaves it to the protocol
    /// and the table. It runs in the driver, and holds nobody up but it. If it panics it has said nothing.
    ///
    /// ```
    /// # use steadfast_driver::{Builder, Dialer, Runtime};
    /// use steadfast::{Cause, Plain, Recovery};
    ///
    /// /// The server behind this session says 4001 when we have been locked out.
    /// fn with_verdict<R, D>(builder: Builder<Plain, R, D>) -> Builder<Plain, R, D> {
    ///     builder.classify(|cause| match cause {
    ///         Cause::Closed { code, .. } if code.0 == 4001 => Some(Recovery::Fatal),
    ///         _ => None,
    ///     })
    /// }
    /// ```
    #[must_use]
    pub fn classify(mut self, classify: impl FnMut(&Cause) -> Option<Recovery> + Send + 'static) -> Self {
        self.choices.host.classifier = Classifier::new(classify);
        self
    }

    /// Goes on as the session that was [saved](Client::save): with its wait, its client id, and its messages, which
    /// `message` makes of the bytes that were given for them. Those for which it gives nothing are left out.
    ///
    /// To be set after the protocol. A session that is recorded cannot be recalled: its trace would not know of it.
    #[must_use]
    pub fn recall(
        self,
        keepsake: Keepsake,
        message: impl FnMut(&Bytes) -> Option<P::Message> + Send + 'static,
    ) -> Self {
        Self { recall: Some((keepsake, Box::new(message))), ..self }
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

impl<P: Protocol, R: Runtime, D: Dialer> Builder<P, R, D> {
    /// The parts of a session. It begins to connect when the driver is first polled; messages may be sent
    /// before.
    ///
    /// # Errors
    ///
    /// What does not fit together, and what to do about it.
    pub fn build(self) -> Result<Built<P, R, D>, BuildError> {
        let has_acks = self.protocol.abilities().acks != Acks::None;
        let mailbox = self.mailbox_for(has_acks)?;
        let Self { protocol, runtime, dialer, watch, recall, choices } = self;
        let dialer = dialer?;
        dialer.check()?;
        let first = choices.first_turns()?;
        let Choices { config, seed, host, .. } = choices;
        let rest_max = EVENTS_MAX.saturating_add(config.queue.max_messages as usize);
        let session = Session::new(protocol, config, seed).map_err(BuildError::Config)?;
        let sleep = runtime.sleep();
        let shared = Shared::new(session, runtime, Inbox::new(mailbox, rest_max), has_acks, watch);
        for command in first {
            match shared.look().handle(shared.now(), Input::Command(command)) {
                Answer::BadEndpoints(bad) => return Err(BuildError::Endpoints(bad)),
                Answer::BadConfig(bad) => return Err(BuildError::Config(bad)),
                Answer::Done
                | Answer::Accepted(_)
                | Answer::Refused(..)
                | Answer::Cancelled(_)
                | Answer::CameBack(_)
                | Answer::Denied(_)
                | Answer::Stale => {}
            }
        }
        if let Some((keepsake, message)) = recall {
            shared.look().session.recall(shared.now(), &keepsake, message);
        }
        let shared = Arc::new(shared);
        let client = Client::new(Arc::clone(&shared));
        let events = Events::new(Arc::clone(&shared));
        Ok((client, events, Driver::new(shared, sleep, dialer, host)))
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
    fn mailbox_for(&self, has_acks: bool) -> Result<Mailbox, BuildError> {
        let QueuePolicy { max_messages, max_bytes, .. } = QueuePolicy::default();
        match self.choices.mailbox {
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
        let Choices { config, mailbox, .. } = &self.choices;
        f.debug_struct("Builder").field("config", config).field("mailbox", mailbox).finish_non_exhaustive()
    }
}

impl Choices {
    /// What the session is told before anything else. These are turns like any other, so that whoever watches knows
    /// of them.
    fn first_turns<M, T>(&self) -> Result<Vec<Command<M, T>>, BuildError> {
        let mut turns = Vec::new();
        let config = self.settled();
        if config.credentials.asked && self.host.provider.is_none() {
            return Err(BuildError::NobodyToAsk);
        }
        if config != self.config {
            turns.push(Command::Configure(Box::new(config)));
        }
        if !self.endpoints.is_empty() {
            let list = self.endpoints.clone();
            turns.push(Command::Endpoints { list, queued: Queued::GoAlong });
        }
        if let Some(credential) = &self.credential {
            turns.push(Command::Authenticate(Some(credential.clone())));
        }
        Ok(turns)
    }

    /// The settings, with what follows from the rest.
    fn settled(&self) -> Config {
        let mut config = self.config.clone();
        config.credentials.asked |= self.host.provider.is_some();
        if self.is_shown_at_dial && config.credentials.when == CredentialUse::AtLogin {
            config.credentials.when = CredentialUse::AtDial;
        }
        config
    }
}
