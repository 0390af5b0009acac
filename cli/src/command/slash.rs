//! What can be asked of a running `steadfast connect`: lines that begin with a slash.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use steadfast::{Change, Drops, Health, Kind, Protocol, Rates, Timestamp};
use steadfast_tokio::Client;

/// A line of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// To be sent as it is.
    Text(String),
    /// To be sent as a name and its content.
    Emit(String),
    /// To be asked of the server, as a name and its content.
    Request(String),
    /// A topic that is wanted.
    Subscribe(String),
    /// One that is no longer.
    Unsubscribe(String),
    /// To be answered here.
    Ask(Ask),
    /// To be recorded from now on to this file, or no longer.
    Record(Option<PathBuf>),
}

/// What is asked of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Health,
    History,
    Retry,
    Pause,
    Resume,
}

const COMMANDS: &str = "/emit EVENT JSON, /request EVENT JSON, /subscribe TOPIC, /unsubscribe TOPIC, /health, /history, \
                        /retry, /pause, /resume, /record FILE";

impl Line {
    /// # Errors
    ///
    /// There is no such command.
    pub(super) fn read(line: String) -> Result<Self, String> {
        let Some(command) = line.strip_prefix('/') else { return Ok(Self::Text(line)) };
        if command.starts_with('/') {
            return Ok(Self::Text(command.to_owned()));
        }
        let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        let ask = match (name, rest.trim()) {
            ("emit", rest) => return Ok(Self::Emit(rest.to_owned())),
            ("request", rest) => return Ok(Self::Request(rest.to_owned())),
            ("subscribe" | "unsubscribe", "") => return Err(format!("/{name} needs the name of a topic")),
            ("subscribe", topic) => return Ok(Self::Subscribe(topic.to_owned())),
            ("unsubscribe", topic) => return Ok(Self::Unsubscribe(topic.to_owned())),
            ("record", "") => return Ok(Self::Record(None)),
            ("record", file) => return Ok(Self::Record(Some(file.into()))),
            ("health", "") => Ask::Health,
            ("history", "") => Ask::History,
            ("retry", "") => Ask::Retry,
            ("pause", "") => Ask::Pause,
            ("resume", "") => Ask::Resume,
            ("health" | "history" | "retry" | "pause" | "resume", _) => return Err(format!("/{name} stands alone")),
            _ => {
                return Err(format!("there is no /{name}, but {COMMANDS}; a text that begins with / is typed with //"));
            }
        };
        Ok(Self::Ask(ask))
    }
}

impl Ask {
    /// Does it, and answers in lines.
    pub(super) fn answer<P: Protocol>(self, client: &Client<P>) -> Vec<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = Timestamp::ZERO.after(now).unwrap_or(Timestamp::ZERO);
        match self {
            Self::Health => return health(&client.health(), now),
            Self::History => return client.history().iter().map(|change| changed(change, now)).collect(),
            Self::Retry => client.connect_now(),
            Self::Pause => client.suspend(),
            Self::Resume => client.resume(),
        }
        // The change of phase that follows is told anyway.
        Vec::new()
    }
}

fn health(health: &Health, now: Timestamp) -> Vec<String> {
    let ago = |at: Option<Timestamp>| at.map_or("never".into(), |at| format!("{} ago", short(now.since(at))));
    let mut lines = vec![
        format!(
            "{}, level {}, attempt {}, {} reconnects, online for {}, there for {} of the time{}",
            health.status,
            health.level,
            health.attempts,
            health.reconnects,
            or_none(health.uptime),
            health.availability.map_or("-".into(), |share| format!("{} %", thousandths(u64::from(share) * 100))),
            health.retry_at.map_or(String::new(), |at| format!(", next attempt in {}", short(at.since(now)))),
        ),
        format!(
            "latency {}, smoothed {}, half within {}, nearly all within {}",
            or_none(health.latency),
            or_none(health.latency_smoothed),
            or_none(health.latency_p50),
            or_none(health.latency_p99),
        ),
        rates(&health.rates),
        queue(health),
        counts(health),
        format!(
            "last seen {}, last reconnect {}, last disconnect {}",
            ago(health.last_seen),
            ago(health.last_reconnect),
            ago(health.last_disconnect),
        ),
    ];
    lines.extend(errors(health));
    lines.extend(identity(health));
    lines
}

fn rates(rates: &Rates) -> String {
    format!(
        "in {} messages/s, {} bytes/s; out {} messages/s, {} bytes/s; {} errors in 1000",
        thousandths(rates.messages_in),
        rates.bytes_in,
        thousandths(rates.messages_out),
        rates.bytes_out,
        rates.errors,
    )
}

fn queue(health: &Health) -> String {
    format!(
        "queue {} messages, {} bytes, at most {} so far; half left within {}, nearly all within {}, one has waited for \
         {}; dropped {}; {} in doubt; {} late reports",
        health.queued,
        health.queued_bytes,
        health.queue_high,
        or_none(health.queue_time_p50),
        or_none(health.queue_time_p99),
        or_none(health.waiting),
        dropped(&health.drops),
        health.in_doubt,
        health.stale,
    )
}

fn counts(health: &Health) -> String {
    format!(
        "topics {}, {} gaps; requests {}, {} answered, {} answers too late; duplicates {} out, {} in",
        health.topics,
        health.gaps,
        health.requests,
        health.answered,
        health.late_replies,
        health.duplicates_out,
        health.duplicates_in,
    )
}

fn dropped(drops: &Drops) -> String {
    let reasons = [
        (drops.overflow, "for room"),
        (drops.replaced, "for a newer one"),
        (drops.link_gone, "with their link"),
        (drops.stopped, "at a stop"),
        (drops.too_big, "too big"),
        (drops.elsewhere, "for another destination"),
    ];
    let reasons: Vec<String> =
        reasons.iter().filter(|(count, _)| *count > 0).map(|(count, reason)| format!("{count} {reason}")).collect();
    if reasons.is_empty() { "none".into() } else { reasons.join(", ") }
}

fn errors(health: &Health) -> Option<String> {
    let last = health.last_error.as_ref()?;
    let counts = Kind::ALL.iter().zip(health.errors).filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts.map(|(kind, count)| format!("{count} {kind}")).collect();
    Some(format!("errors {}; the last: {last}", counts.join(", ")))
}

fn identity(health: &Health) -> Option<String> {
    let id = health.client_id.as_ref().map(|id| format!("client id {id}"));
    let kind = (!health.kind.is_empty()).then(|| format!("kind {}", health.kind));
    let metadata = health.metadata.iter().map(|(name, value)| format!("{name} {value}"));
    let words: Vec<String> = id.into_iter().chain(kind).chain(metadata).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn changed(change: &Change, now: Timestamp) -> String {
    let (ago, attempt) = (short(now.since(change.at)), change.attempt);
    let cause = change.cause.as_ref().map_or(String::new(), |cause| format!(", because: {cause}"));
    format!("{ago} ago: {} -> {}, attempt {attempt}{cause}", change.from, change.to)
}

fn or_none(time: Option<Duration>) -> String {
    time.map_or("-".into(), short)
}

/// A time for people: as few digits as say enough.
fn short(time: Duration) -> String {
    match time.as_secs() {
        0 if time.as_millis() == 0 => format!("{} us", time.as_micros()),
        0 => format!("{} ms", time.as_millis()),
        seconds @ 1..600 => format!("{seconds} s"),
        seconds @ 600..36_000 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

fn thousandths(number: u64) -> String {
    format!("{}.{}", number / 1_000, number % 1_000 / 100)
}

#[cfg(test)]
mod tests {
    use steadfast::{Config, Plain, Session};

    use super::*;

    #[test]
    fn the_health_says_what_is_waited_for_each_reason_of_a_drop_and_all_counts() {
        let session = Session::new(Plain, Config::default(), 7).expect("sound settings");
        let now = Timestamp::from_millis(1_000_000);
        let mut seen = session.health(now);
        let lines = health(&seen, now);
        assert!(
            lines[0].ends_with("there for - of the time") && lines[3].contains("one has waited for -; dropped none;")
        );
        seen.retry_at = now.after(Duration::from_millis(2_500));
        seen.waiting = Some(Duration::from_secs(61));
        (seen.drops.overflow, seen.drops.replaced, seen.drops.link_gone) = (1, 2, 3);
        (seen.drops.stopped, seen.drops.too_big, seen.drops.elsewhere) = (4, 5, 6);
        let lines = health(&seen, now);
        assert!(lines[0].ends_with(", next attempt in 2 s"), "{}", lines[0]);
        let expected = "one has waited for 61 s; dropped 1 for room, 2 for a newer one, 3 with their link, 4 at a stop, \
                        5 too big, 6 for another destination; 0 in doubt; 0 late reports";
        assert!(lines[3].ends_with(expected), "{}", lines[3]);
        (seen.topics, seen.gaps, seen.requests, seen.answered) = (1, 2, 3, 4);
        (seen.late_replies, seen.duplicates_out, seen.duplicates_in) = (5, 6, 7);
        let expected = "topics 1, 2 gaps; requests 3, 4 answered, 5 answers too late; duplicates 6 out, 7 in";
        assert_eq!(health(&seen, now)[4], expected);
    }

    #[test]
    fn a_slash_asks_and_two_of_them_are_text() {
        let read = |line: &str| Line::read(line.into());
        assert_eq!(read("hello"), Ok(Line::Text("hello".into())));
        assert_eq!(read("//etc"), Ok(Line::Text("/etc".into())));
        assert_eq!(read("/emit order {\"table\": 4}"), Ok(Line::Emit("order {\"table\": 4}".into())));
        assert_eq!(read("/request menu"), Ok(Line::Request("menu".into())));
        assert_eq!(read("/subscribe  kitchen "), Ok(Line::Subscribe("kitchen".into())));
        assert_eq!(read("/unsubscribe kitchen"), Ok(Line::Unsubscribe("kitchen".into())));
        assert_eq!(read("/subscribe"), Err("/subscribe needs the name of a topic".into()));
        assert_eq!(read("/health "), Ok(Line::Ask(Ask::Health)));
        assert_eq!(read("/history"), Ok(Line::Ask(Ask::History)));
        assert_eq!(read("/retry"), Ok(Line::Ask(Ask::Retry)));
        assert_eq!((read("/pause"), read("/resume")), (Ok(Line::Ask(Ask::Pause)), Ok(Line::Ask(Ask::Resume))));
        assert_eq!(read("/record"), Ok(Line::Record(None)));
        assert_eq!(read("/record  my trace.jsonl "), Ok(Line::Record(Some("my trace.jsonl".into()))));
        assert_eq!(read("/retry soon"), Err("/retry stands alone".into()));
        let problem = read("/helth").expect_err("a misspelling");
        assert!(problem.starts_with("there is no /helth, but /emit") && !problem.contains('\n'), "{problem}");
    }

    #[test]
    fn times_are_short() {
        for (time, shown) in [
            (Duration::from_micros(7), "7 us"),
            (Duration::from_micros(7_999), "7 ms"),
            (Duration::from_secs(599), "599 s"),
            (Duration::from_secs(3_600), "60 min"),
            (Duration::from_secs(36_000), "10 h"),
        ] {
            assert_eq!(short(time), shown);
        }
        assert_eq!((thousandths(1_250), thousandths(99_900)), ("1.2".into(), "99.9".into()));
    }
}
