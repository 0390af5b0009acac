//! Are two names the same, spelled differently?

use alloc::{borrow::Cow, string::String};

/// The name in `snake_case`: `requestMetrics` becomes `request_metrics`; what is so already stays.
///
/// ```
/// use steadfast::protocol::json::snake_case;
///
/// assert_eq!(snake_case("requestMetrics"), "request_metrics");
/// assert_eq!(snake_case("request_metrics"), "request_metrics");
/// ```
#[must_use]
pub fn snake_case(name: &str) -> Cow<'_, str> {
    if !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Borrowed(name);
    }
    let mut snake = String::with_capacity(name.len() + 8);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() && !snake.ends_with('_') {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    Cow::Owned(snake)
}

/// Whether two names are the same in `snake_case`, `camelCase` or one of each.
///
/// ```
/// use steadfast::protocol::json::same_name;
///
/// assert!(same_name("requestMetrics", "request_metrics"));
/// assert!(!same_name("requestMetrics", "requestmetrics"));
/// ```
#[must_use]
pub fn same_name(a: &str, b: &str) -> bool {
    a == b || snake_case(a) == snake_case(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn humps_become_underscores_once() {
        assert_eq!(snake_case("RequestMetrics"), "request_metrics");
        assert_eq!(snake_case("request_Metrics"), "request_metrics");
        assert_eq!(snake_case("kitchenDisplay2"), "kitchen_display2");
        assert_eq!(snake_case(""), "");
        assert_eq!(snake_case("größeÄ"), "größeÄ");
        assert!(same_name("a", "A"));
    }
}
