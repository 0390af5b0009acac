//! The protocol, line by line as it stands on the wire.

use alloc::{boxed::Box, collections::BTreeMap, format, string::String, vec, vec::Vec};
use core::time::Duration;

use quickcheck::{Gen, QuickCheck};

use super::*;
use crate::{
    Action, Command, Commands, Config, Event, Input, LinkId, Machine, Mark, Marks, Outcome, Outgoing, Rejected, Report,
    RequestOptions, Resumed, Secret, SendOptions, Session, Tuning,
};

/// 2026-11-20T10:00:00.120Z
const NOW: Timestamp = Timestamp::from_micros(1_795_168_800_120_000);
/// What begins the ids of `k3v9`.
const INCARNATION: u64 = ((20 * 36 + 3) * 36 + 31) * 36 + 9;

struct Wire {
    json: Json,
    link: Link,
}

impl Wire {
    fn new(set: impl FnOnce(Json) -> Json) -> Self {
        Self { json: set(Json::new(INCARNATION)), link: Link::default() }
    }

    fn hear(&mut self, frame: impl Into<Frame>) -> Vec<Heard<Incoming, Text>> {
        let mut heard = Vec::new();
        self.json.decode(&mut self.link, frame.into(), &mut heard);
        heard
    }

    #[track_caller]
    fn hear_one(&mut self, frame: impl Into<Frame>) -> Heard<Incoming, Text> {
        let mut heard = self.hear(frame);
        assert_eq!(heard.len(), 1, "{heard:?}");
        heard.remove(0)
    }

    fn say(&mut self, say: Say<'_, Message, Text>) -> Vec<Frame> {
        let mut frames = Vec::new();
        self.json.encode(&mut self.link, NOW, say, &mut frames);
        frames
    }

    #[track_caller]
    fn says(&mut self, say: Say<'_, Message, Text>, line: &str) {
        assert_eq!(self.say(say), [Frame::from(line)]);
    }

    fn login(&mut self) {
        self.say(Say::Login { credential: None, challenge: None });
        assert!(matches!(self.hear_one(r#"{"type":"connected"}"#), Heard::LoginOk { .. }));
    }
}

fn out(op: u64, message: &Message) -> Outgoing<'_, Message> {
    Outgoing { op: OpId(op), message, number: None, ack: false, again: false }
}

fn message(name: &str, data: &str) -> Message {
    Message::raw(name, data).expect("JSON")
}

fn incoming(line: &str) -> Incoming {
    Incoming::new(Packet::read(&line.into(), &Fields::default()).expect("a packet"))
}

fn is_minor(heard: &[Heard<Incoming, Text>]) -> bool {
    matches!(heard, [Heard::Bad(complaint)] if complaint.close.is_none() && complaint.message.len() <= 160)
}

#[test]
fn a_greeting_names_us_and_tunes_the_link() {
    let mut wire = Wire::new(|json| json.greeting(Greeting::Required("connection_established".into())));
    assert!(wire.json.abilities().hello);
    let tuning = Tuning { client_id: Some("c-17".into()), ..Tuning::default() };
    let heard = wire.hear_one(r#"{"type":"connection_established","data":{"client_id":"c-17"}}"#);
    assert_eq!(heard, Heard::Hello(Box::new(tuning)));
    assert_eq!(wire.json.known_as(), Some("c-17"));
    let line =
        r#"{"type":"connection_established","data":{"ping_interval":25000,"ping_timeout":"no","max_message":9}}"#;
    let Heard::Hello(tuning) = wire.hear_one(line) else { panic!("a greeting") };
    assert_eq!(tuning.ping_every, Some(Duration::from_secs(25)));
    assert_eq!((tuning.ping_timeout, tuning.max_message), (None, Some(9)));
    let mut optional = Wire::new(|json| json.greeting(Greeting::Optional("hi".into())));
    assert!(!optional.json.abilities().hello);
    assert!(matches!(optional.hear_one(r#"{"type":"hi"}"#), Heard::Hello(_)));
    assert!(matches!(Wire::new(|json| json).hear_one(r#"{"type":"hi"}"#), Heard::Message { .. }));
}

#[test]
fn the_login_carries_the_credential_and_what_the_client_says_of_itself() {
    let client = r#"{"type":"browser","permissions":["read"],"created":"2026-11-20T10:00:00.000Z"}"#;
    let client = Raw::new(client).expect("JSON");
    let mut wire = Wire::new(|json| json.login(Login::default().client(client)));
    assert!(wire.json.abilities().login);
    let secret = Secret::from("k\"\u{1}é");
    wire.says(
        Say::Login { credential: Some(&secret), challenge: None },
        concat!(
            r#"{"type":"connect","data":{"api_key":"k\"\u0001é","client":{"type":"browser","permissions":["read"],"#,
            r#""created":"2026-11-20T10:00:00.000Z"}}}"#
        ),
    );
    let heard = wire.hear_one(r#"{"type":"connected","data":{"client_id":"c-17","expires_at":1795168800120}}"#);
    let client_id = Some(Text::from("c-17"));
    assert_eq!(heard, Heard::LoginOk { resumed: Resumed::Fresh, expires: Some(NOW), client_id });
    assert_eq!(wire.json.known_as(), Some("c-17"));
    let again = wire.hear_one(r#"{"type":"connected"}"#);
    assert!(matches!(again, Heard::Message { .. }), "a word of the application's, once we are in");
    wire.link = Link::default();
    wire.says(
        Say::Login { credential: None, challenge: None },
        concat!(
            r#"{"type":"connect","data":{"client":{"type":"browser","permissions":["read"],"#,
            r#""created":"2026-11-20T10:00:00.000Z"}},"client_id":"c-17"}"#
        ),
    );
}

#[test]
fn an_error_is_the_answer_to_the_login_a_request_or_nothing() {
    let mut wire = Wire::new(|json| json.login(Login::default()));
    wire.say(Say::Login { credential: None, challenge: None });
    let line = r#"{"type":"error","data":{"code":"authentication_failed","message":"who?","retry_after":1500}}"#;
    let why = Rejected {
        code: Some("authentication_failed".into()),
        message: "who?".into(),
        retry_after: Some(Duration::from_millis(1_500)),
        recovery: None,
        data: Some(Bytes::from_static(br#"{"code":"authentication_failed","message":"who?","retry_after":1500}"#)),
    };
    assert_eq!(wire.hear_one(line), Heard::LoginRefused(Box::new(why.clone())));
    assert_eq!(wire.hear_one(line), Heard::Trouble(Box::new(why)));
    let Heard::Done { op: OpId(1), result: Err(why) } =
        wire.hear_one(r#"{"type":"error","data":{"message":"no"},"reply_to":"k3v9-1"}"#)
    else {
        panic!("a refusal")
    };
    assert_eq!((why.code, why.message.as_str()), (None, "no"));
    for (line, code, message) in [
        (r#"{"type":"error","data":"boom"}"#, None, "boom"),
        (r#"{"type":"error","data":{"code":17,"message":"boom"}}"#, Some("17"), "boom"),
        (r#"{"type":"error","code":"x","message":"boom"}"#, Some("x"), "boom"),
        (r#"{"type":"error"}"#, None, ""),
        (r#"{"type":"error","data":{"message":"boom"},"reply_to":"other-1"}"#, None, "boom"),
    ] {
        let Heard::Trouble(why) = wire.hear_one(line) else { panic!("{line}") };
        assert_eq!((why.code.as_ref().map(Text::as_str), why.message.as_str()), (code, message), "{line}");
    }
}

#[test]
fn of_a_long_error_the_beginning_is_kept_and_not_the_frame() {
    let mut wire = Wire::new(|json| json);
    let long = "é".repeat(1 << 19);
    let line = format!(r#"{{"type":"error","data":{{"code":"{long}","message":"{long}"}}}}"#);
    let frame = Text::from(line.as_str());
    let mut heard = Vec::new();
    wire.json.hear(&mut wire.link, &frame, &mut heard);
    let [Heard::Trouble(why)] = &heard[..] else { panic!("an error") };
    let data = why.data.clone().expect("what it said");
    let code = why.code.clone().expect("a code");
    assert_eq!((code.len(), why.message.len(), data.len()), (4_096, 4_096, 4_095));
    assert!(frame.into_bytes().is_unique(), "something keeps a megabyte alive");
}

#[test]
fn messages_have_ids_a_time_and_who_we_are() {
    let mut wire = Wire::new(|json| json.client_id("c-17"));
    wire.says(
        Say::Request(out(1, &message("request_metrics", "{}"))),
        concat!(
            r#"{"type":"request_metrics","data":{},"id":"k3v9-1","timestamp":"2026-11-20T10:00:00.120Z","#,
            r#""client_id":"c-17"}"#
        ),
    );
    let mut bare = Wire::new(|json| json.stamps(Stamps::None));
    bare.says(Say::Message(out(7, &Message::bare("x").on("y"))), r#"{"type":"x","channel":"y","id":"k3v9-7"}"#);
    let mut millis = Wire::new(|json| json.stamps(Stamps::Millis));
    millis.says(Say::Message(out(7, &Message::bare("x"))), r#"{"type":"x","id":"k3v9-7","timestamp":1795168800120}"#);
}

#[test]
fn a_reply_is_found_by_our_id_and_by_no_other() {
    let mut wire = Wire::new(|json| json);
    let line = r#"{"type":"metrics","data":{"cpu":3},"reply_to":"k3v9-1"}"#;
    let op = OpId(1);
    assert_eq!(wire.hear(line), [Heard::Item { op, message: incoming(line) }, Heard::Done { op, result: Ok(()) }]);
    for other in ["k3v8-1", "k3v9-", "k3v9-01", "k3v9-+1", "k3v9-1x", "k3v9-99999999999999999999", "1", ""] {
        let line = format!(r#"{{"type":"chat","reply_to":"{other}"}}"#);
        assert!(matches!(wire.hear_one(&*line), Heard::Message { .. }), "{other}");
    }
}

#[test]
fn acknowledgements_go_both_ways_if_they_are_on() {
    let mut wire = Wire::new(|json| json.acks(true));
    assert_eq!(wire.json.abilities().acks, Acks::Each);
    assert_eq!(wire.hear_one(r#"{"type":"ack","id":"k3v9-1"}"#), Heard::Acked { op: OpId(1) });
    assert_eq!(wire.hear(r#"{"type":"ack","id":"a1b2-1"}"#), [], "of another incarnation");
    assert!(is_minor(&wire.hear(r#"{"type":"ack"}"#)));
    let line = r#"{"type":"order","id":"s\"-4"}"#;
    let Heard::Message { message, topic: None, mark } = wire.hear_one(line) else { panic!("a message") };
    assert_eq!(message.id(), Some("s\"-4"));
    let id = mark.wants_ack().expect("it wants an acknowledgement").clone();
    wire.says(Say::AckOf { id: &id }, r#"{"type":"ack","id":"s\"-4"}"#);
    let mut without = Wire::new(|json| json);
    let Heard::Message { mark, .. } = without.hear_one(line) else { panic!("a message") };
    assert_eq!(mark, Mark::new(Marks { id: Some(id), ..Marks::default() }));
    assert!(matches!(without.hear_one(r#"{"type":"ack","id":"k3v9-1"}"#), Heard::Message { .. }));
}

#[test]
fn channels_are_asked_for_and_confirmed() {
    let mut wire = Wire::new(|json| json);
    let topics = [Text::from("kitchen_display")];
    wire.says(
        Say::Subscribe { op: OpId(2), topics: &topics },
        r#"{"type":"subscribe","channel":"kitchen_display","id":"k3v9-2"}"#,
    );
    wire.says(
        Say::Unsubscribe { op: OpId(3), topics: &topics },
        r#"{"type":"unsubscribe","channel":"kitchen_display","id":"k3v9-3"}"#,
    );
    let topic = topics[0].clone();
    for (line, meaning) in [
        (
            r#"{"type":"subscribed","channel":"kitchen_display","reply_to":"k3v9-2"}"#,
            Heard::Done { op: OpId(2), result: Ok(()) },
        ),
        (
            r#"{"type":"unsubscribed","channel":"kitchen_display","reply_to":"k3v9-3"}"#,
            Heard::Done { op: OpId(3), result: Ok(()) },
        ),
        (r#"{"type":"subscribed","channel":"kitchen_display"}"#, Heard::Confirmed { topic: topic.clone() }),
        (r#"{"type":"unsubscribed","channel":"kitchen_display"}"#, Heard::TopicEnded { topic, why: None }),
    ] {
        assert_eq!(wire.hear_one(line), meaning, "{line}");
    }
    assert!(is_minor(&wire.hear(r#"{"type":"subscribed"}"#)));
}

#[test]
fn what_comes_on_a_channel_is_handed_on_unparsed() {
    let mut wire = Wire::new(|json| json);
    let line = concat!(
        r#"{"type":"order_status_change","channel":"kitchen_display","data":{"id": 4, "is": "ready"},"#,
        r#""timestamp":"2026-11-20T10:00:00.12","shift":"late","table":[1]}"#
    );
    let Heard::Message { message, topic, mark } = wire.hear_one(line) else { panic!("a message") };
    assert_eq!((topic, mark), (Some("kitchen_display".into()), Mark::NONE));
    assert_eq!((message.name(), message.channel()), ("order_status_change", Some("kitchen_display")));
    assert_eq!((message.timestamp(), message.id()), (Some(NOW), None));
    assert_eq!(message.data(), r#"{"id": 4, "is": "ready"}"#);
    assert_eq!(message.field("shift").map(|shift| shift.parse::<String>().ok()), Some(Some("late".into())));
    assert_eq!(message.field("table").map(|table| table.parse().ok()), Some(Some(vec![1])));
    assert_eq!(message.field("id"), None);
    assert!(message.parse::<u8>().is_err());
    assert_eq!(incoming(r#"{"type":"x"}"#).data(), "null");
}

#[test]
fn the_content_is_a_slice_of_the_frame() {
    let frame = Text::from(r#"{"type":"x","data":{"a":[1,2,3]}}"#);
    let mut heard = Vec::new();
    Json::new(1).decode(&mut Link::default(), Frame::Text(frame.clone()), &mut heard);
    let Heard::Message { message, .. } = &heard[0] else { panic!("a message") };
    let content = message.packet().data.as_ref().expect("content").as_text().as_bytes();
    assert_eq!(content.as_ptr(), frame.as_bytes()[19..].as_ptr());
    assert_eq!(message.packet().kind.as_bytes().as_ptr(), frame.as_bytes()[9..].as_ptr());
}

#[test]
fn the_heartbeat_says_again_what_it_was_told() {
    let mut wire = Wire::new(|json| json.heartbeat(Pings::Ours));
    assert_eq!(wire.json.abilities().pings, Pings::Ours);
    wire.says(Say::Ping, r#"{"type":"ping","timestamp":"2026-11-20T10:00:00.120Z"}"#);
    assert_eq!(wire.hear_one(r#"{"type":"pong","timestamp":"2026-11-20T10:00:00.120Z"}"#), Heard::Pong);
    let Heard::Ping(ping) = wire.hear_one(r#"{"type":"ping","timestamp":"1999-12-31T00:00:00Z","data":[1],"id":"p"}"#)
    else {
        panic!("a ping")
    };
    let line = r#"{"type":"pong","data":[1],"reply_to":"p","timestamp":"1999-12-31T00:00:00.000Z"}"#;
    wire.says(Say::Pong(ping), line);
    let Heard::Ping(ping) = wire.hear_one(r#"{"type":"ping"}"#) else { panic!("a ping") };
    let now = r#"{"type":"pong","timestamp":"2026-11-20T10:00:00.120Z"}"#;
    wire.says(Say::Pong(ping), now);
    wire.says(Say::Pong(Bytes::from_static(b"\xff")), now);
}

#[test]
fn a_batch_is_taken_apart_in_order_and_put_together() {
    let mut wire = Wire::new(|json| json.stamps(Stamps::None));
    let line = concat!(
        r#"{"type":"batch","messages":[{"type":"a","channel":"c"}, {"type":"metrics","reply_to":"k3v9-4"},"#,
        r#"17,{"type":"batch","messages":[{"type":"b"}]},{"type":"pong"}],"timestamp":"2026-11-20"}"#
    );
    let heard = wire.hear(line);
    let [Heard::Message { message, .. }, Heard::Item { .. }, Heard::Done { .. }, number, nested, Heard::Pong] =
        &heard[..]
    else {
        panic!("{heard:?}")
    };
    assert_eq!(message.name(), "a");
    assert!(is_minor(core::slice::from_ref(number)) && is_minor(core::slice::from_ref(nested)));
    assert_eq!(wire.hear(r#"{"type":"batch","messages":[]}"#), []);
    for bad in [r#"{"type":"batch"}"#, r#"{"type":"batch","messages":{"type":"a"}}"#] {
        assert!(is_minor(&wire.hear(bad)), "{bad}");
    }
    let (a, b) = (Message::bare("a"), self::message("b]", r#""[,]""#));
    let both = [(1, &a), (2, &b)];
    let mut both = both.iter().map(|(op, message)| out(*op, message));
    wire.says(
        Say::Batch(&mut both),
        r#"{"type":"batch","messages":[{"type":"a","id":"k3v9-1"},{"type":"b]","data":"[,]","id":"k3v9-2"}]}"#,
    );
}

#[test]
fn a_batch_beyond_the_limit_is_cut_off() {
    let mut wire = Wire::new(|json| json);
    let limits = Limits { max_message: 1 << 20, heard_max: 3 };
    wire.json.up(&mut wire.link, &Handshake::default(), limits).expect("it asks for nothing");
    let batch = |members: usize| {
        let members = vec![r#"{"type":"a"}"#; members].join(",");
        format!(r#"{{"type":"batch","messages":[{members}]}}"#)
    };
    assert_eq!(wire.hear(batch(3)).len(), 3);
    let heard = wire.hear(batch(100_000));
    assert!(matches!(&heard[..], [Heard::Message { .. }, Heard::Message { .. }, Heard::Bad(_)]), "{heard:?}");
    assert!(heard.capacity() < 100, "the end was not even looked at");
}

#[test]
fn both_spellings_are_understood_if_they_shall_be() {
    let line = r#"{"type":"connectionEstablished"}"#;
    let greeting = Greeting::Optional("connection_established".into());
    let mut strict = Wire::new(|json| json.greeting(greeting.clone()));
    assert!(matches!(strict.hear_one(line), Heard::Message { .. }));
    let mut both = Wire::new(|json| json.greeting(greeting).login(Login::default()).both_spellings(true));
    assert!(matches!(both.hear_one(line), Heard::Hello(_)));
    both.login();
    assert!(matches!(both.hear_one(r#"{"type":"Pong"}"#), Heard::Pong));
    let Heard::Message { message, .. } = both.hear_one(r#"{"type":"requestMetrics"}"#) else { panic!("a message") };
    assert_eq!(message.name(), "requestMetrics", "the application's names are left alone");
}

/// A name that is a topic belongs to it unless a channel does; nobody is asked for it.
#[test]
fn a_local_topic_is_what_has_its_name_and_no_channel() {
    let mut wire = Wire::new(|json| json.local_topics(["cpu_load", "alarm"]));
    assert!(wire.json.is_local(&"cpu_load".into()) && !wire.json.is_local(&"orders".into()));
    let mut topic_of = |line: &str| {
        let Heard::Message { topic, .. } = wire.hear_one(line) else { panic!("{line}") };
        topic
    };
    assert_eq!(topic_of(r#"{"type":"cpu_load","data":3}"#), Some("cpu_load".into()));
    assert_eq!(topic_of(r#"{"type":"alarm","channel":"kitchen"}"#), Some("kitchen".into()));
    assert_eq!(topic_of(r#"{"type":"cpuLoad"}"#), None, "another name, unless both spellings are one");
    assert_eq!(topic_of(r#"{"type":"orders"}"#), None);
    wire.json = wire.json.both_spellings(true);
    let Heard::Message { topic, message, .. } = wire.hear_one(r#"{"type":"cpuLoad"}"#) else { panic!("a message") };
    assert_eq!((topic, message.name()), (Some("cpu_load".into()), "cpuLoad"), "the topic as it was declared");
}

/// Answers without ids: the name is what finds the request, in either spelling of either side.
#[test]
fn a_request_by_name_is_answered_in_either_spelling_if_both_are_one() {
    let answered = |both, asked: &str, said: &str| {
        let json = Json::default().both_spellings(both);
        let mut session = Session::new(json, Config::default(), 7).expect("the defaults are sound");
        let mut actions = Vec::new();
        session.connect(NOW, &mut actions);
        session.report(NOW, LinkId(1), Report::Up(Box::default()), &mut actions);
        let options = RequestOptions::default().answered_by(asked).failed_by("menuError");
        let id = session.request(NOW, Message::bare("menu"), options, &mut actions).expect("there is room");
        session.report(NOW, LinkId(1), Report::Flushed { frames: 1 }, &mut actions);
        session.report(
            NOW,
            LinkId(1),
            Report::Frame(format!(r#"{{"type":"{said}","data":[1]}}"#).into()),
            &mut actions,
        );
        actions.into_iter().find_map(|action| {
            let Action::Emit(Event::Reply(reply)) = action else { return None };
            assert_eq!(reply.id, id);
            Some(reply.result.map_err(|_| "no"))
        })
    };
    for (asked, said) in [("todays_menu", "todaysMenu"), ("todaysMenu", "todays_menu"), ("menu", "menu")] {
        let heard = Some(Ok(Some(incoming(&format!(r#"{{"type":"{said}","data":[1]}}"#)))));
        assert_eq!(answered(true, asked, said), heard, "{asked} {said}");
        assert_eq!(answered(false, asked, said), heard.filter(|_| asked == said), "{asked} {said}");
    }
    assert_eq!(answered(true, "todays_menu", "menu_error"), Some(Err("no")));
    assert_eq!(answered(false, "todays_menu", "menu_error"), None);
    assert_eq!(answered(false, "todays_menu", "menuError"), Some(Err("no")));
}

#[test]
fn fields_have_the_names_they_are_given() {
    let fields = Fields { kind: "event".into(), data: "pay\"load".into(), ..Fields::default() };
    let mut wire = Wire::new(|json| json.fields(fields.clone()).expect("names differ").stamps(Stamps::None));
    let line = r#"{"event":"x","pay\"load":[1],"id":"k3v9-1"}"#;
    wire.says(Say::Message(out(1, &message("x", "[1]"))), line);
    let Heard::Message { message, .. } = wire.hear_one(line) else { panic!("a message") };
    assert_eq!((message.name(), message.data()), ("x", "[1]"));
    assert!(is_minor(&wire.hear(r#"{"type":"x"}"#)));
    assert!(Json::new(1).fields(Fields { id: "event".into(), ..fields }).is_err());
}

#[test]
fn answers_to_the_peers_calls() {
    let mut wire = Wire::new(|json| json.stamps(Stamps::None));
    let call = Bytes::from_static(b"s-1");
    let answer = message("metrics", "[3]");
    wire.says(Say::Reply { call: &call, answer: Ok(&answer) }, r#"{"type":"metrics","data":[3],"reply_to":"s-1"}"#);
    let why = Rejected { code: Some("busy".into()), message: "later".into(), ..Rejected::default() };
    wire.says(
        Say::Reply { call: &call, answer: Err(&why) },
        r#"{"type":"error","data":{"code":"busy","message":"later"},"reply_to":"s-1"}"#,
    );
    assert_eq!(wire.say(Say::Cancel { op: OpId(1) }), []);
    assert_eq!(wire.say(Say::Ack { number: 1 }), []);
    assert_eq!(wire.say(Say::Bye), []);
}

#[test]
fn nonsense_is_a_complaint_and_the_link_goes_on() {
    let mut wire = Wire::new(|json| json.acks(true));
    let long = format!(r#"{{"type":{{}},"x":"{}"}}"#, "é".repeat(500));
    let quoted = format!(r#""{}""#, "é".repeat(500));
    for bad in [
        "",
        " ",
        "null",
        "17",
        "\"type\"",
        "[]",
        r#"[{"type":"x"}]"#,
        "{",
        "{}",
        r#"{"data":1}"#,
        r#"{"type":"x"}}"#,
        r#"{"type":"x"} {"type":"y"}"#,
        r#"{"type":"x""#,
        r#"{"type":"x",}"#,
        r#"{'type':'x'}"#,
        r#"{"type":null}"#,
        r#"{"type":""}"#,
        r#"{"type":1}"#,
        r#"{"type":["x"]}"#,
        r#"{"type":"x","id":1}"#,
        r#"{"type":"x","id":{}}"#,
        r#"{"type":"x","channel":[]}"#,
        r#"{"type":"x","reply_to":true}"#,
        r#"{"type":"x","client_id":1.5}"#,
        r#"{"type":"x","timestamp":"soon"}"#,
        r#"{"type":"x","timestamp":{}}"#,
        r#"{"type":"x","timestamp":false}"#,
        r#"{"type":"x","timestamp":1e999}"#,
        r#"{"type":"x","type":"y"}"#,
        r#"{"type":"x","id":null,"id":"y"}"#,
        r#"{"type":"x","data":1,"data":2}"#,
        r#"{"type":"\ud800"}"#,
        r#"{"type":"x","data":}"#,
        r#"{"type":"x" "id":1}"#,
        r#"{1:2}"#,
        "\u{feff}{\"type\":\"x\"}",
        &long,
        &quoted,
    ] {
        assert!(is_minor(&wire.hear(bad)), "{bad}");
        assert!(matches!(wire.hear_one(r#"{"type":"x"}"#), Heard::Message { .. }), "the link goes on");
    }
    assert!(is_minor(&wire.hear(vec![1, 2, 3])));
    assert!(is_minor(&wire.hear(Frame::Text(Text::claimed(Bytes::from_static(b"{\"type\":\"\xff\"}"))))));
    assert_eq!(wire.hear(Frame::Ping(Bytes::new())), []);
}

#[test]
fn depth_costs_no_stack() {
    const DEPTH: usize = 1_000_000;
    let mut wire = Wire::new(|json| json);
    let (open, close) = ("[".repeat(DEPTH), "]".repeat(DEPTH));
    assert!(is_minor(&wire.hear(&*open)));
    assert!(is_minor(&wire.hear(format!(r#"{{"type":"x","data":{open}"#))));
    assert!(is_minor(&wire.hear(format!(r#"{{"type":{open}{close}}}"#))));
    for field in ["data", "other", "messages"] {
        let line = format!(r#"{{"type":"x","{field}":{open}{close}}}"#);
        let Heard::Message { message, .. } = wire.hear_one(line) else { panic!("a message") };
        assert!(message.parse::<serde_json::Value>().is_err() || message.data() == "null");
        assert_eq!(message.packet().write(&Fields::default(), Stamps::Iso).len(), DEPTH * 2 + 16 + field.len());
    }
    let batch = format!(r#"{{"type":"batch","messages":[{open}{close},{{"type":"x"}}]}}"#);
    assert!(matches!(&wire.hear(batch)[..], [Heard::Bad(_), Heard::Message { .. }]));
    assert!(is_minor(&wire.hear(format!(r#"{{"type":"batch","messages":{open}{close}}}"#))));
    assert!(matches!(wire.hear_one(format!(r#"{{"type":"error","data":{open}{close}}}"#)), Heard::Trouble(_)));
}

#[test]
fn what_is_admitted_fits_what_is_said() {
    let mut wire = Wire::new(|json| json);
    let order = message("or\"der", r#"{"a":"é"}"#).on("ü\n");
    let most = wire.json.admit(&order).expect("it fits") as usize;
    wire.json.client_id = ClientId::Assigned(Some("x".repeat(Json::LONGEST_CLIENT_ID).into()));
    let longest = wire.say(Say::Message(out(u64::MAX, &order)))[0].len();
    assert!(longest <= most && most <= longest + 4, "{longest} {most}");
    let named = Wire::new(|json| json.client_id("c").stamps(Stamps::Millis));
    let most = named.json.admit(&order).expect("it fits") as usize;
    let size = Wire { json: named.json, link: Link::default() }.say(Say::Message(out(1, &order)))[0].len();
    assert!(size <= most && most <= size + 24, "{size} {most}");
    for name in ["", "ack", "ping", "batch", "connect"] {
        let json = Json::new(1).login(Login::default());
        assert!(json.admit(&Message::bare(name)).is_err(), "{name}");
    }
    assert!(Json::new(1).admit(&Message::bare("connect")).is_ok());
    assert!(Message::raw("x", "{").is_err());
}

#[test]
fn an_assigned_client_id_is_kept_and_a_given_one_is_not_changed() {
    let mut wire = Wire::new(|json| json.login(Login::default()));
    wire.login();
    assert_eq!(wire.json.keepsake(), None);
    let assign = |wire: &mut Wire, id: &str| {
        wire.link.logging_in = true;
        wire.hear(format!(r#"{{"type":"connected","data":{{"client_id":{id}}}}}"#));
    };
    assign(&mut wire, "\"c-17\"");
    for odd in ["\"\"", "\"a\\\"b\"", "null", &format!("\"{}\"", "x".repeat(129))] {
        assign(&mut wire, odd);
        assert_eq!(wire.json.known_as(), Some("c-17"), "{odd}");
    }
    let kept = wire.json.keepsake().expect("an id");
    let mut next = Json::new(2);
    next.recall(&kept);
    assert_eq!(next.known_as(), Some("c-17"));
    next.recall(b"\xff");
    assert_eq!(next.known_as(), Some("c-17"));
    let mut given = Wire::new(|json| json.client_id("mine").login(Login::default()));
    assign(&mut given, "\"c-17\"");
    assert_eq!((given.json.known_as(), given.json.keepsake()), (Some("mine"), None));
}

#[test]
fn a_message_costs_one_allocation_out_and_three_in() {
    let mut wire = Wire::new(|json| json.client_id("c-17"));
    let order = message("order", r#"{"table":4}"#).on("kitchen");
    let mut frames = Vec::with_capacity(1);
    let cost = allocation_counter::measure(|| {
        wire.json.encode(&mut wire.link, NOW, Say::Message(out(1, &order)), &mut frames);
    });
    assert_eq!((cost.count_total, cost.bytes_total), (1, frames[0].len() as u64));
    let mut heard = Vec::with_capacity(1);
    let frame = frames.remove(0);
    let cost = allocation_counter::measure(|| wire.json.decode(&mut wire.link, frame.clone(), &mut heard));
    // The packet, its mark (it has an id), and the counter that the frame gets when it is shared for the first time.
    assert_eq!((cost.count_total, heard.len()), (3, 1));
}

/// All of it at once: a session that greets, logs in, sends until it is acknowledged, and acknowledges.
#[test]
fn a_session_speaks_it() {
    let json = Json::new(INCARNATION).greeting(Greeting::Required("hi".into())).login(Login::default()).acks(true);
    let mut session = Session::new(json.stamps(Stamps::None), Config::default(), 7).expect("the defaults are sound");
    let mut actions = Vec::new();
    let order = message("order", "4");
    let options = SendOptions::at_least_once().tracked();
    session.authenticate(NOW, Some("key".into()), &mut actions);
    let id = session.send_with(NOW, order, options, &mut actions).expect("there is room");
    session.connect(NOW, &mut actions);
    let link = LinkId(1);
    session.report(NOW, link, Report::Up(Box::default()), &mut actions);
    assert_eq!(sent(&mut actions), [""; 0], "the server speaks first");
    for (line, answers) in [
        (
            r#"{"type":"hi","data":{"client_id":"c-17"}}"#,
            &[r#"{"type":"connect","data":{"api_key":"key"},"client_id":"c-17"}"#][..],
        ),
        (r#"{"type":"connected"}"#, &[r#"{"type":"order","data":4,"id":"k3v9-1","client_id":"c-17"}"#]),
        (r#"{"type":"ping","id":"p"}"#, &[r#"{"type":"pong","reply_to":"p"}"#]),
    ] {
        session.report(NOW, link, Report::Frame(line.into()), &mut actions);
        assert_eq!(sent(&mut actions), answers);
    }
    session.report(NOW, link, Report::Frame(r#"{"type":"ack","id":"k3v9-1"}"#.into()), &mut actions);
    assert!(
        actions.contains(&Action::Emit(Event::Outcome { id, outcome: Outcome::Acked, label: None })),
        "{actions:?}"
    );
    session.report(NOW, link, Report::Frame(r#"{"type":"done","id":"s-1"}"#.into()), &mut actions);
    let wants_ack = |action: &Action<Incoming, Text>| {
        if let Action::Emit(Event::Message { mark, .. }) = action { mark.wants_ack().cloned() } else { None }
    };
    let id = actions.iter().find_map(wants_ack).expect("it wants an acknowledgement");
    let taken = Command::Taken { id };
    session.handle(NOW, Input::Command(taken), &mut actions);
    assert_eq!(sent(&mut actions), [r#"{"type":"ack","id":"s-1"}"#]);
}

fn sent(actions: &mut Vec<Action<Incoming, Text>>) -> Vec<String> {
    let frame = |action| if let Action::Send { frame, .. } = action { frame.as_str().map(Into::into) } else { None };
    actions.drain(..).filter_map(frame).collect()
}

/// A packet with what chance brings, values among it.
fn any_packet(chance: &mut Gen) -> Packet {
    use quickcheck::Arbitrary;
    let text = |chance: &mut Gen| Option::<String>::arbitrary(chance).map(Text::from);
    let raw = |chance: &mut Gen| {
        let value = Vec::<Option<(String, i64)>>::arbitrary(chance);
        bool::arbitrary(chance).then(|| Raw::of(&value).expect("JSON"))
    };
    let others = BTreeMap::<String, Vec<bool>>::arbitrary(chance);
    let others: BTreeMap<_, _> = others.into_iter().map(|(name, value)| (format!("{name}?"), value)).collect();
    let mut packet = Packet::new(format!("k{}", String::arbitrary(chance)));
    packet.channel = text(chance);
    packet.data = raw(chance);
    packet.messages = raw(chance);
    packet.id = text(chance);
    packet.reply_to = text(chance);
    packet.client_id = text(chance);
    packet.timestamp = Option::<u64>::arbitrary(chance).map(|millis| Timestamp::from_millis(millis % (1 << 50)));
    packet.others = (!others.is_empty()).then(|| Raw::of(&others).expect("JSON"));
    packet
}

#[test]
fn what_is_written_is_read_again() {
    let mut chance = Gen::from_size_and_seed(12, 4);
    let fields = Fields::default();
    for stamps in [Stamps::Iso, Stamps::Millis] {
        for _ in 0..1_000 {
            let packet = any_packet(&mut chance);
            let text = packet.write(&fields, stamps);
            assert_eq!(Packet::read(&text, &fields), Ok(packet), "{text}");
        }
    }
}

#[test]
fn an_empty_object_of_others_leaves_no_trace() {
    let mut packet = Packet::new("x");
    for nothing in ["{ }", "{}", "[1]"] {
        packet.others = Some(Raw::new(nothing).expect("JSON"));
        assert_eq!(packet.write(&Fields::default(), Stamps::Iso).as_str(), r#"{"type":"x"}"#);
    }
}

/// The whole of the grammar on any bytes: what can be read can be written, and then stays as it is.
fn is_stable(bytes: Vec<u8>) -> bool {
    let fields = Fields::default();
    let read = |text: &Text| Packet::read(text, &fields);
    let Ok(first) = read(&Text::claimed(bytes.into())) else { return true };
    let text = first.write(&fields, Stamps::Millis);
    read(&text).is_ok_and(|second| second.write(&fields, Stamps::Millis) == text)
}

#[test]
fn the_grammar_is_stable_on_any_bytes() {
    QuickCheck::new().tests(3_000).rng(Gen::from_size_and_seed(80, 5)).quickcheck(is_stable as fn(Vec<u8>) -> bool);
    // Near misses find more than noise does: valid packets with a few bytes changed.
    let mut chance = Gen::from_size_and_seed(6, 6);
    let mut rng = crate::Rng::new(6);
    for _ in 0..3_000 {
        let mut bytes = any_packet(&mut chance).write(&Fields::default(), Stamps::Iso).into_bytes().to_vec();
        for _ in 0..=rng.up_to(3) {
            let at = usize::try_from(rng.up_to(bytes.len() as u64 - 1)).expect("an index");
            bytes[at] = b"\"{}[],:\\ \xff0e"[usize::try_from(rng.up_to(11)).expect("an index")];
        }
        assert!(is_stable(bytes.clone()), "{bytes:?}");
        let mut wire = Wire::new(|json| json.acks(true).both_spellings(true).login(Login::default()));
        wire.hear(Frame::Text(Text::claimed(bytes.clone().into())));
        wire.say(Say::Pong(bytes.into()));
    }
}

#[test]
fn a_session_says_who_we_are() {
    let mut config = Config::default();
    config.identity.kind = "browser".into();
    config.identity.metadata = vec![("created".into(), "today".into())];
    let ids = [crate::ClientId::Assigned, crate::ClientId::Given("mine".into())].map(|client_id| {
        config.identity.client_id = client_id;
        let json = Json::default().login(Login::default()).stamps(Stamps::None);
        let mut session = Session::new(json, config.clone(), 7).expect("sound");
        let mut actions = Vec::new();
        session.send(NOW, message("order", "4"), &mut actions).expect("there is room");
        session.connect(NOW, &mut actions);
        session.report(NOW, LinkId(1), Report::Up(Box::default()), &mut actions);
        let login = sent(&mut actions).concat();
        assert!(login.contains(r#""client":{"type":"browser","created":"today"}"#), "{login}");
        session.report(NOW, LinkId(1), Report::Frame(r#"{"type":"connected","client_id":"c"}"#.into()), &mut actions);
        let health = session.health(NOW);
        assert_eq!((health.kind.as_str(), health.metadata.len()), ("browser", 1));
        (health.client_id, sent(&mut actions).concat())
    });
    for ((known_as, order), expected) in ids.iter().zip(["c", "mine"]) {
        assert_eq!(known_as.as_ref().map(Text::as_str), Some(expected));
        assert!(order.ends_with(&format!(r#"-1","client_id":"{expected}"}}"#)), "{order}");
    }
    let prefix =
        |seed| Session::new(Json::default(), Config::default(), seed).expect("sound").protocol().prefix.clone();
    assert!(prefix(7) == prefix(7) && prefix(7) != prefix(8) && prefix(7).len() > 8, "from the seed");
    let own = Session::new(Json::new(INCARNATION), Config::default(), 7).expect("sound");
    assert_eq!(own.protocol().prefix.as_str(), "k3v9-");
}

/// Whatever is part of a message makes it another; how often and when it is said does not.
#[test]
fn the_content_is_the_name_the_channel_and_the_data() {
    let json = Json::default();
    let pieces = |message: &Message| {
        let mut pieces = Vec::new();
        json.content(message, &mut |piece| pieces.push(piece.to_vec()));
        pieces
    };
    let raw = |name: &'static str, data: &'static str| Message::raw(name, data).expect("JSON");
    let messages = [
        Message::bare("a"),
        Message::bare("b"),
        Message::bare("a").on("1"),
        Message::bare("a").on(""),
        raw("a", "1"),
        raw("a", "2"),
        raw("a", "{\"x\":1}"),
        raw("a", "{\"x\": 1}"),
        raw("a", "1").on("1"),
        raw("a", "1").on("2"),
    ];
    for (at, message) in messages.iter().enumerate() {
        assert_eq!(pieces(message), pieces(&message.clone()));
        assert!(messages[..at].iter().all(|before| pieces(before) != pieces(message)), "{message:?}");
    }
}

/// Two clicks within a minute are one order, however the ids and times of the messages differ.
#[test]
fn an_order_that_is_clicked_twice_is_sent_once() {
    let mut config = Config::default();
    config.dedup.outgoing = crate::Alike::ByContent;
    let mut session = Session::new(Json::default(), config, 7).expect("a sound configuration");
    let mut actions = Vec::new();
    let order = || Message::raw("order", r#"{"table":4}"#).expect("JSON").on("kitchen");
    let first = session.send(NOW, order(), &mut actions).expect("there is room");
    let again = session.send(NOW, order(), &mut actions).expect("there is room");
    let other = session.send(NOW, order().on("bar"), &mut actions).expect("there is room");
    let duplicate = Event::Outcome { id: again, outcome: Outcome::Duplicate(first), label: None };
    assert_eq!((actions, other), (vec![Action::Emit(duplicate)], OpId(3)));
}
