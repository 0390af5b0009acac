//! Commands as methods, for every machine that takes them.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use super::{
    Answer, BadConfig, CallReply, Command, Config, Input, LinkId, OpId, Queued, Report, RequestOptions, SendOptions,
    SubscribeOptions, TakenBack,
};
use crate::{BadEndpoints, Machine, Never, Refused, Secret, Text, Timestamp, Why};

/// The commands and reports of a session as methods. Any machine that takes a session's inputs has them,
/// a recorded one too.
pub trait Commands<M, T = Never>: Machine<Input = Input<M, T>, Answer = Answer<M>> {
    /// [`Command::Connect`].
    fn connect(&mut self, now: Timestamp, actions: &mut Vec<Self::Action>) {
        self.handle(now, Input::Command(Command::Connect), actions);
    }

    /// [`Command::ConnectNow`].
    fn connect_now(&mut self, now: Timestamp, actions: &mut Vec<Self::Action>) {
        self.handle(now, Input::Command(Command::ConnectNow), actions);
    }

    /// [`Command::Stop`].
    fn stop(&mut self, now: Timestamp, actions: &mut Vec<Self::Action>) {
        self.handle(now, Input::Command(Command::Stop), actions);
    }

    /// [`Command::Drain`].
    fn drain(&mut self, now: Timestamp, within: Duration, actions: &mut Vec<Self::Action>) {
        self.handle(now, Input::Command(Command::Drain { within }), actions);
    }

    /// [`Command::Endpoints`]: what waited, if it was to come back.
    ///
    /// # Errors
    ///
    /// What is wrong with the list; nothing has changed.
    fn endpoints(
        &mut self,
        now: Timestamp,
        list: Vec<Text>,
        queued: Queued,
        actions: &mut Vec<Self::Action>,
    ) -> Result<Vec<TakenBack<M>>, BadEndpoints> {
        self.handle(now, Input::Command(Command::Endpoints { list, queued }), actions).into_moved()
    }

    /// [`Command::NetworkLost`].
    fn network_lost(&mut self, now: Timestamp, actions: &mut Vec<Self::Action>) {
        self.handle(now, Input::Command(Command::NetworkLost), actions);
    }

    /// [`Command::NetworkBack`].
    fn network_back(&mut self, now: Timestamp, actions: &mut Vec<Self::Action>) {
        self.handle(now, Input::Command(Command::NetworkBack), actions);
    }

    /// [`Command::Suspend`].
    fn suspend(&mut self, now: Timestamp, actions: &mut Vec<Self::Action>) {
        self.handle(now, Input::Command(Command::Suspend), actions);
    }

    /// [`Command::Resume`].
    fn resume(&mut self, now: Timestamp, actions: &mut Vec<Self::Action>) {
        self.handle(now, Input::Command(Command::Resume), actions);
    }

    /// [`Command::Configure`].
    ///
    /// # Errors
    ///
    /// What makes no sense; nothing has changed.
    fn configure(&mut self, now: Timestamp, config: Config, actions: &mut Vec<Self::Action>) -> Result<(), BadConfig> {
        self.handle(now, Input::Command(Command::Configure(Box::new(config))), actions).into_configured()
    }

    /// [`Command::Authenticate`].
    fn authenticate(&mut self, now: Timestamp, credential: Option<Secret>, actions: &mut Vec<Self::Action>) {
        self.handle(now, Input::Command(Command::Authenticate(credential)), actions);
    }

    /// [`Command::Credential`]. `false` if the question is no longer asked.
    fn credential(
        &mut self,
        now: Timestamp,
        ask: u64,
        answer: Result<Secret, Text>,
        actions: &mut Vec<Self::Action>,
    ) -> bool {
        let command = Command::Credential { ask, answer };
        !matches!(self.handle(now, Input::Command(command), actions), Answer::Stale)
    }

    /// Sends a message with the default options: at most once, untracked, without a time limit.
    ///
    /// # Errors
    ///
    /// The message comes back, with the reason why it was not accepted.
    fn send(&mut self, now: Timestamp, message: M, actions: &mut Vec<Self::Action>) -> Result<OpId, Refused<M>> {
        self.send_with(now, message, SendOptions::default(), actions)
    }

    /// [`Command::Send`].
    ///
    /// # Errors
    ///
    /// The message comes back, with the reason why it was not accepted.
    fn send_with(
        &mut self,
        now: Timestamp,
        message: M,
        options: SendOptions,
        actions: &mut Vec<Self::Action>,
    ) -> Result<OpId, Refused<M>> {
        self.handle(now, Input::Command(Command::Send { message, options }), actions).into_sent()
    }

    /// [`Command::Request`]. The answer comes as [`Event::Reply`](super::Event::Reply).
    ///
    #[cfg_attr(feature = "json", doc = "```")]
    #[cfg_attr(not(feature = "json"), doc = "```ignore")]
    /// use steadfast::{Action, Commands, Config, Event, Frame, LinkId, Report, RequestOptions, Session, Timestamp};
    /// use steadfast::protocol::json::{Json, Message};
    ///
    /// let (now, mut actions) = (Timestamp::from_millis(5), Vec::new());
    /// let mut session = Session::new(Json::new(1), Config::default(), 7)?;
    /// session.connect(now, &mut actions);
    /// session.report(now, LinkId(1), Report::Up(Box::default()), &mut actions);
    /// let id = session.request(now, Message::bare("menu"), RequestOptions::default(), &mut actions)?;
    ///
    /// let answer = Frame::from(r#"{"type":"menu","data":["coffee"],"reply_to":"1-1"}"#);
    /// session.report(now, LinkId(1), Report::Frame(answer), &mut actions);
    /// let Some(Action::Emit(Event::Reply(reply))) = actions.pop() else { panic!("it is answered") };
    /// assert_eq!(reply.id, id);
    /// assert_eq!(reply.result.map(|menu| menu.map(|menu| menu.data().to_owned())), Ok(Some(r#"["coffee"]"#.into())));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The message comes back, with the reason why it was not accepted.
    fn request(
        &mut self,
        now: Timestamp,
        message: M,
        options: RequestOptions,
        actions: &mut Vec<Self::Action>,
    ) -> Result<OpId, Refused<M>> {
        let options = Box::new(options);
        self.handle(now, Input::Command(Command::Request { message, options }), actions).into_sent()
    }

    /// [`Command::Reply`].
    ///
    /// # Errors
    ///
    /// Why it was not accepted; an answer with content comes back too.
    fn reply(
        &mut self,
        now: Timestamp,
        reply: CallReply<M>,
        actions: &mut Vec<Self::Action>,
    ) -> Result<OpId, (Why, Option<M>)> {
        self.handle(now, Input::Command(Command::Reply(Box::new(reply))), actions).into_replied()
    }

    /// [`Command::Cancel`]: the message, if it had not left.
    fn cancel(&mut self, now: Timestamp, id: OpId, actions: &mut Vec<Self::Action>) -> Option<M> {
        self.handle(now, Input::Command(Command::Cancel(id)), actions).into_cancelled()
    }

    /// [`Command::TakeQueued`]: all messages that had not left, oldest first.
    fn take_queued(&mut self, now: Timestamp, actions: &mut Vec<Self::Action>) -> Vec<TakenBack<M>> {
        self.handle(now, Input::Command(Command::TakeQueued), actions).into_taken_back()
    }

    /// [`Command::Subscribe`].
    ///
    /// # Errors
    ///
    /// Why the topic cannot be had.
    fn subscribe(
        &mut self,
        now: Timestamp,
        topic: T,
        options: SubscribeOptions<M>,
        actions: &mut Vec<Self::Action>,
    ) -> Result<(), Why> {
        let options = Box::new(options);
        self.handle(now, Input::Command(Command::Subscribe { topic, options }), actions).into_topic()
    }

    /// [`Command::Unsubscribe`].
    ///
    /// # Errors
    ///
    /// The topic is not subscribed to.
    fn unsubscribe(&mut self, now: Timestamp, topic: T, actions: &mut Vec<Self::Action>) -> Result<(), Why> {
        self.handle(now, Input::Command(Command::Unsubscribe { topic }), actions).into_topic()
    }

    /// [`Command::Resync`].
    ///
    /// # Errors
    ///
    /// The topic is not subscribed to, or has no snapshot.
    fn resync(&mut self, now: Timestamp, topic: T, actions: &mut Vec<Self::Action>) -> Result<(), Why> {
        self.handle(now, Input::Command(Command::Resync { topic }), actions).into_topic()
    }

    /// What a transport saw of this link. `false` if that link is gone; then nothing changed but a counter.
    fn report(&mut self, now: Timestamp, link: LinkId, report: Report, actions: &mut Vec<Self::Action>) -> bool {
        !matches!(self.handle(now, Input::Report(link, report), actions), Answer::Stale)
    }

    /// Time has passed.
    fn wake(&mut self, now: Timestamp, actions: &mut Vec<Self::Action>) {
        self.handle(now, Input::Wake, actions);
    }
}

impl<M, T, S: Machine<Input = Input<M, T>, Answer = Answer<M>> + ?Sized> Commands<M, T> for S {}
