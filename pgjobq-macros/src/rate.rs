//! Rates as text: `100 per minute`.

use std::time::Duration;

/// The highest number in a rate.
pub(crate) const MAX_COUNT: u32 = 1_000_000;

/// A rate: at most `count` starts in any window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) count: u32,
    pub(crate) window: Duration,
}

/// Returns the rate, or `None` if the text is not a number from 1 to a million and a unit.
pub(crate) fn parse(text: &str) -> Option<Rate> {
    let words: Vec<_> = text.split_whitespace().collect();
    let [count, "per", unit] = words[..] else { return None };
    let seconds = match unit {
        "second" => 1,
        "minute" => 60,
        "hour" => 60 * 60,
        "day" => 24 * 60 * 60,
        _ => return None,
    };
    let count = count.parse().ok().filter(|count| (1..=MAX_COUNT).contains(count))?;
    Some(Rate { count, window: Duration::from_secs(seconds) })
}
