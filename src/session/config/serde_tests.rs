//! Configs in files.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::time::Duration;

use serde_json::{Value, from_str, to_string, to_value};

use super::{Bucket, ClientId, Config, CredentialUse, FirstAttempt, Jitter, Overflow, fields::FIELDS};
use crate::{Kind, Match, Occasion, Recovery, Remedy, Row, Stage};

/// Nothing in it is as in the default where it can be otherwise.
fn unusual() -> Config {
    let mut config = Config::embedded();
    config.retry.jitter = Jitter::Additive(Duration::from_nanos(1_500_000_001));
    (config.retry.max_attempts, config.retry.max_elapsed) = (Some(7), Some(Duration::MAX));
    config.retry.first = FirstAttempt::FailFast;
    config.queue.overflow = Overflow::ReplaceByKey;
    config.pacing.gap = Duration::from_millis(3);
    config.pacing.per_link = true;
    config.pacing.buckets = vec![
        Bucket::new(5, Duration::from_secs(1)),
        Bucket::new(100, Duration::from_secs(60)).named("orders").slack(Duration::from_millis(7)).reserve(3),
    ];
    config.credentials.when = CredentialUse::AtDial;
    config.identity.client_id = ClientId::Given("till \"4\"".into());
    config.identity.metadata = vec![("z".into(), "first".into()), ("a".into(), "second".into())];
    config.errors.rows = vec![
        Row::close(4000..=4009, Recovery::RetryAfter(Duration::from_secs(90))).at(Stage::Young),
        Row::http(403, Remedy::RetryAtCap).kind(Kind::ServiceUnavailable).on(Occasion::LongLived),
        Row::new(Match::LoginRefused, Recovery::Fatal),
    ];
    config
}

#[test]
fn what_is_written_is_read_as_it_was() {
    let presets = Config::presets().map(|(_, config)| config);
    for config in presets.into_iter().chain([unusual()]) {
        let written = to_string(&config).expect("plain data");
        assert_eq!(from_str::<Config>(&written).expect("just written"), config, "{written}");
    }
}

/// As a person would write it, in JSON; a TOML file with the same tables gives the same.
#[test]
fn a_config_written_by_hand() {
    let by_hand = r#"{
        "login_timeout": "5s",
        "long_lived": true,
        "retry": { "base": "250 ms", "jitter": { "additive": "1 s" }, "max_attempts": 5, "first": "fail_fast" },
        "heartbeat": { "keepalive": "never" },
        "queue": { "max_messages": 100, "overflow": "drop_oldest" },
        "pacing": { "buckets": [{ "limit": 5, "per": "1 s" }, { "name": "orders", "limit": 100, "per": "1 min", "slack": "2 s" }] },
        "credentials": { "when": "at_dial", "asked": true },
        "identity": { "client_id": { "given": "till-4" }, "metadata": { "region": "eu" } },
        "errors": { "rows": [
            { "what": { "close": 4401 }, "stage": "logging_in", "remedy": "fatal" },
            { "what": { "http": "520-529" }, "remedy": { "retry_after": "1 min" } },
            { "what": "certificate", "remedy": "retry_at_cap" }
        ] }
    }"#;
    let mut config = Config::long_lived();
    config.login_timeout = Duration::from_secs(5);
    config.retry.base = Duration::from_millis(250);
    config.retry.jitter = Jitter::Additive(Duration::from_secs(1));
    config.retry.max_attempts = Some(5);
    config.retry.first = FirstAttempt::FailFast;
    config.heartbeat.keepalive = Duration::MAX;
    config.queue.max_messages = 100;
    config.queue.overflow = Overflow::DropOldest;
    let orders = Bucket::new(100, Duration::from_secs(60)).named("orders");
    config.pacing.buckets = vec![Bucket::new(5, Duration::from_secs(1)), orders.slack(Duration::from_secs(2))];
    (config.credentials.when, config.credentials.asked) = (CredentialUse::AtDial, true);
    config.identity.client_id = ClientId::Given("till-4".into());
    config.identity.metadata = vec![("region".into(), "eu".into())];
    config.errors.rows = vec![
        Row::close(4401, Recovery::Fatal).at(Stage::LoggingIn),
        Row::http(520..=529, Recovery::RetryAfter(Duration::from_secs(60))),
        Row::new(Match::Certificate, Remedy::RetryAtCap),
    ];
    assert_eq!(from_str::<Config>(by_hand).expect("well written"), config);
    assert_eq!(config.check(), Ok(()));
}

#[test]
fn what_is_missing_has_its_default() {
    assert_eq!(from_str::<Config>("{}").expect("empty is enough"), Config::default());
    assert_eq!(from_str::<Config>(r#"{"retry": {}, "errors": {}}"#).expect("so is this"), Config::default());
}

#[test]
fn what_cannot_be_meant_is_refused_with_a_hint() {
    let cases = [
        (r#"{"retrys": {}}"#, "unknown field `retrys`, expected one of `retry`"),
        (r#"{"retry": {"cap_ms": 5}}"#, "unknown field `cap_ms`"),
        (r#"{"errors": {"rows": [{"what": "tls", "remedy": "fatal", "at": "young"}]}}"#, "unknown field `at`"),
        (r#"{"retry": {"base": 250}}"#, "integer `250`, expected a duration as a whole number with its unit"),
        (r#"{"retry": {"base": "1.5 s"}}"#, "expected a duration as a whole number with its unit"),
        (r#"{"retry": {"jitter": "some"}}"#, "unknown variant `some`, expected one of `full`"),
        (r#"{"errors": {"rows": [{"what": {"close": 65536}, "remedy": "fatal"}]}}"#, "expected a code, such as 4401"),
        (r#"{"errors": {"rows": [{"what": {"http": "5xx"}, "remedy": "fatal"}]}}"#, "expected a code, such as 4401"),
    ];
    for (written, hint) in cases {
        let said = from_str::<Config>(written).expect_err(written).to_string();
        assert!(said.contains(hint), "{written}: {said}");
    }
}

#[test]
fn a_name_that_stands_there_twice_is_not_lost_before_the_check() {
    let config: Config = from_str(r#"{"identity": {"metadata": {"a": "1", "a": "2"}}}"#).expect("readable");
    assert_eq!(config.check().map_err(|bad| bad.field), Err("identity.metadata"));
}

/// In files the settings have the names that `changes` and `lint` use.
#[test]
fn the_names_are_those_of_the_fields() {
    let Ok(Value::Object(settings)) = to_value(Config::default()) else { panic!("an object") };
    let mut names: Vec<String> = Vec::new();
    for (name, value) in &settings {
        if let Value::Object(policy) = value {
            names.extend(policy.keys().map(|field| format!("{name}.{field}")));
        } else {
            names.push(name.clone());
        }
    }
    let mut fields: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
    names.sort();
    fields.sort_unstable();
    assert_eq!(names, fields);
}
