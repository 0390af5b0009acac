//! Is what was recorded what happens here?

use serde_json::Value;

/// Whether two pieces of JSON say the same. A member that the recorded one does not have is not compared: a later
/// version says more, and that is no difference.
pub(super) fn is_same(recorded: &str, replayed: &str) -> bool {
    recorded == replayed
        || match (serde_json::from_str(recorded), serde_json::from_str(replayed)) {
            (Ok(recorded), Ok(replayed)) => covers(&recorded, &replayed),
            (Err(_), _) | (_, Err(_)) => false,
        }
}

fn covers(recorded: &Value, replayed: &Value) -> bool {
    match (recorded, replayed) {
        (Value::Object(recorded), Value::Object(replayed)) => {
            recorded.iter().all(|(name, value)| replayed.get(name).is_some_and(|other| covers(value, other)))
        }
        (Value::Array(recorded), Value::Array(replayed)) => {
            recorded.len() == replayed.len() && recorded.iter().zip(replayed).all(|(value, other)| covers(value, other))
        }
        (recorded, replayed) => recorded == replayed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_may_differ() {
        assert!(is_same(r#"{"a":1,"b":[{"c":2}]}"#, r#"{"b":[{"d":3,"c":2}],"a":1,"e":null}"#));
        for (recorded, replayed) in [
            (r#"{"a":1}"#, r#"{"a":2}"#),
            (r#"{"a":1}"#, r#"{"b":1}"#),
            ("[1]", "[1,2]"),
            ("18446744073709551615", "18446744073709551614"),
            ("\"wake\"", "\"done\""),
            ("[", "[ "),
        ] {
            assert!(!is_same(recorded, replayed), "{recorded}");
        }
    }
}
