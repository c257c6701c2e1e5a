//! Rates as text: `100 per minute`.

use std::time::Duration;

/// The highest number in a rate.
pub(crate) const MAX_COUNT: u32 = 1_000_000;
const SECONDS_OF_A_DAY: u64 = 24 * 60 * 60;

/// A rate: at most `count` starts in any window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) count: u32,
    pub(crate) window: Duration,
}

/// Returns the rate, or `None` if the text is not a number from 1 to a million and a window, such as `minute` or `12s`.
pub(crate) fn parse(text: &str) -> Option<Rate> {
    let words: Vec<_> = text.split_whitespace().collect();
    let [count, "per", word] = words[..] else { return None };
    let count = count.parse().ok().filter(|count| (1..=MAX_COUNT).contains(count))?;
    Some(Rate { count, window: window(word)? })
}

fn window(word: &str) -> Option<Duration> {
    let (number, unit) = word.split_at(word.find(|c: char| !c.is_ascii_digit())?);
    let (number, micros) = match (number, unit) {
        ("", "second") => (1, 1_000_000),
        ("", "minute") => (60, 1_000_000),
        ("", "hour") => (60 * 60, 1_000_000),
        ("", "day") => (SECONDS_OF_A_DAY, 1_000_000),
        (number, "s") => (number.parse().ok()?, 1_000_000),
        (number, "ms") => (number.parse().ok()?, 1000),
        (number, "us") => (number.parse().ok()?, 1),
        _ => return None,
    };
    let window = Duration::from_micros(u64::checked_mul(number, micros)?);
    (!window.is_zero() && window <= Duration::from_secs(SECONDS_OF_A_DAY)).then_some(window)
}
