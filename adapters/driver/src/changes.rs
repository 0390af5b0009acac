//! What a handle changes while the session runs: where it goes, what it is set to, what its host knows of the network;
//! and what it takes along when the process ends.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use bytes::Bytes;
use steadfast::{
    Answer, BadConfig, BadEndpoints, Command, Config, Keepsake, Protocol, Queued, Secret, TakenBack, Text,
};

use crate::{Client, log};

impl<P: Protocol> Client<P> {
    /// From now on dials these, in turn: the next one at once (at the floor) when one has failed, and a longer wait only
    /// when all have. An empty list is the dialer's own address. `{client_id}` in one stands for the client id.
    ///
    /// If the present link leads to none of them it is left politely, and what was accepted for it goes along or comes
    /// back, as `queued` says: here it is. Its tickets tell `Cancelled`.
    ///
    /// Whether an endpoint can be dialed is seen by the dialer; one that makes no sense fails as
    /// [`Cause::Impossible`](steadfast::Cause::Impossible).
    ///
    /// # Errors
    ///
    /// The list is too long, or one of them is. Nothing has changed.
    ///
    /// ```
    /// # use steadfast::{BadEndpoints, Plain, Queued};
    /// # use steadfast_driver::Client;
    /// # #[expect(dead_code)]
    /// fn move_to_another_region(client: &Client<Plain>) -> Result<(), BadEndpoints> {
    ///     client.endpoints(["wss://eu-1.example/live", "wss://eu-2.example/live"], Queued::GoAlong)?;
    ///     Ok(())
    /// }
    /// ```
    pub fn endpoints<T: Into<Text>>(
        &self,
        list: impl IntoIterator<Item = T>,
        queued: Queued,
    ) -> Result<Vec<TakenBack<P::Message>>, BadEndpoints> {
        // Before the lock: this may be the user's code.
        let list: Vec<Text> = list.into_iter().map(Into::into).collect();
        log::endpoints(&list);
        self.ask(Command::Endpoints { list, queued }).map_or(Ok(Vec::new()), Answer::into_moved)
    }

    /// Takes back all messages that have not left, oldest first, with what there is to know of them. Their outcome,
    /// `Cancelled`, is told as any other.
    ///
    /// ```
    /// # use steadfast::{Frame, Plain};
    /// # use steadfast_driver::Client;
    /// # #[expect(dead_code)]
    /// /// Whoever has another way takes what waits along.
    /// fn by_another_way(client: &Client<Plain>, mut post: impl FnMut(Frame)) {
    ///     client.take_queued().into_iter().for_each(|taken| post(taken.message));
    /// }
    /// ```
    #[must_use = "they are not sent any more"]
    pub fn take_queued(&self) -> Vec<TakenBack<P::Message>> {
        self.ask(Command::TakeQueued).map_or_else(Vec::new, Answer::into_taken_back)
    }

    /// From now on these settings; from when each counts is told by [`Config::changes`]. To change one, take those of
    /// [`config`](Self::config).
    ///
    /// # Errors
    ///
    /// They make no sense. Nothing has changed.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use steadfast::{BadConfig, Plain};
    /// # use steadfast_driver::Client;
    /// # #[expect(dead_code)]
    /// fn on_battery(client: &Client<Plain>) -> Result<(), BadConfig> {
    ///     let mut config = client.config();
    ///     config.heartbeat.interval = Duration::from_secs(240);
    ///     client.configure(config)
    /// }
    /// ```
    pub fn configure(&self, config: Config) -> Result<(), BadConfig> {
        self.ask(Command::Configure(Box::new(config))).map_or(Ok(()), Answer::into_configured)
    }

    /// The settings as they are.
    #[must_use]
    pub fn config(&self) -> Config {
        self.shared().look().session.config().clone()
    }

    /// A hint: the network is gone. The link is probed, and nothing is dialed until it is [back](Self::network_back), or
    /// for [`ConnectPolicy::network_wait`](steadfast::ConnectPolicy::network_wait).
    pub fn network_lost(&self) {
        self.command(Command::NetworkLost);
    }

    /// A hint: the network is there again, or it is another one. The link is probed; a wait that the server did not ask
    /// for is cut short.
    pub fn network_back(&self) {
        self.command(Command::NetworkBack);
    }

    /// A hint: nothing is wanted of the network for a while, because the program goes to the background or the computer
    /// to sleep. The link is closed politely; the queue stays and takes more, and the time of its messages runs.
    ///
    /// ```
    /// # use steadfast::Plain;
    /// # use steadfast_driver::Client;
    /// # #[expect(dead_code)]
    /// fn visibility_changed(client: &Client<Plain>, is_visible: bool) {
    ///     if is_visible { client.resume() } else { client.suspend() }
    /// }
    ///
    /// # #[expect(dead_code)]
    /// fn network_changed(client: &Client<Plain>, is_there: bool) {
    ///     if is_there { client.network_back() } else { client.network_lost() }
    /// }
    /// ```
    pub fn suspend(&self) {
        self.command(Command::Suspend);
    }

    /// Takes [`suspend`](Self::suspend) back: dials, or goes on with the wait.
    pub fn resume(&self) {
        self.command(Command::Resume);
    }

    /// From now on logs in with this. A link that is there stays.
    ///
    /// ```
    /// # use steadfast::{Plain, Secret};
    /// # use steadfast_driver::Client;
    /// # #[expect(dead_code)]
    /// /// A session that has stopped because its token was refused goes on with another one.
    /// fn signed_in(client: &Client<Plain>, token: String) {
    ///     client.authenticate(Secret::from(token));
    ///     client.connect_now();
    /// }
    /// ```
    pub fn authenticate(&self, credential: impl Into<Option<Secret>>) {
        self.command(Command::Authenticate(credential.into()));
    }

    /// What the next process needs to go on where this one stops, to be given to
    /// [`Builder::recall`](crate::Builder::recall): how long to wait still, who we are, and the messages for which `body`
    /// gives bytes. It is asked for each that has not left, and for each that is kept until it is acknowledged.
    ///
    /// `body` runs while the turns of the session wait, so it is to be quick, and must not use a handle.
    ///
    /// ```
    /// # use steadfast::{Frame, Keepsake, Plain};
    /// # use steadfast_driver::{Builder, Client};
    /// # use bytes::Bytes;
    /// fn stored(client: &Client<Plain>) -> Bytes {
    ///     client.save(|frame| frame.as_str().map(|text| text.to_owned().into())).to_bytes()
    /// }
    ///
    /// fn recalled<R, D>(builder: Builder<Plain, R, D>, stored: Bytes) -> Builder<Plain, R, D> {
    ///     match Keepsake::from_bytes(stored) {
    ///         Ok(keepsake) => builder.recall(keepsake, |body| String::from_utf8(body.to_vec()).ok().map(Frame::from)),
    ///         Err(_) => builder, // damaged: begin anew
    ///     }
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// If `body` does. The session goes on.
    #[must_use]
    pub fn save(&self, body: impl FnMut(&P::Message) -> Option<Bytes>) -> Keepsake {
        let core = self.shared().look();
        // Caught under the lock and let go outside of it: the session was only looked at, and is to be trusted.
        let saved = catch_unwind(AssertUnwindSafe(|| core.session.save(body)));
        drop(core);
        saved.unwrap_or_else(|panic| resume_unwind(panic))
    }
}
