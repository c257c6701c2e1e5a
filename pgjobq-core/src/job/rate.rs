//! A rate: a number of jobs in a second, a minute, an hour or a day.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

/// The highest number in a rate.
const MAX_COUNT: u32 = 1_000_000;

const UNITS: [(&str, Duration); 4] = [
    ("second", Duration::from_secs(1)),
    ("minute", Duration::from_secs(60)),
    ("hour", Duration::from_secs(60 * 60)),
    ("day", Duration::from_secs(24 * 60 * 60)),
];

/// A rate: at most so many starts in any window of time, such as `100 per minute`.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use std::time::Duration;
/// use pgjobq::Rate;
///
/// let rate: Rate = "100 per minute".parse()?;
/// assert_eq!((rate.count(), rate.window()), (100, Duration::from_secs(60)));
/// assert!("100 per fortnight".parse::<Rate>().is_err());
/// # Ok::<_, pgjobq::InvalidRate>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(from = "(u32, u64)")]
pub struct Rate {
    count: u32,
    window: Duration,
}

/// A text is no rate, such as `500 per minute`.
#[derive(Clone, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is no rate: write a number from 1 to 1000000 per second, minute, hour or day, such as `500 per minute`"
)]
pub struct InvalidRate(pub(crate) String);

crate::debug_as_message!(InvalidRate);

impl Rate {
    /// Makes a rate of checked numbers.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(count: u32, window: Duration) -> Self {
        Self { count, window }
    }

    /// The highest number of starts in a window; the sum of their weights, if jobs have weights.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// The length of a window.
    #[must_use]
    pub const fn window(&self) -> Duration {
        self.window
    }

    /// Returns the second window that lets at most `burst` start at once: `burst` in the time that the rate needs for as many.
    pub(crate) fn burst(self, burst: u32) -> Self {
        let micros = self.window.as_micros() * u128::from(burst) / u128::from(self.count.max(1));
        Self { count: burst, window: Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX).max(1)) }
    }
}

/// A rate as it is stored: a number, and a window in microseconds.
impl From<(u32, u64)> for Rate {
    fn from((count, micros): (u32, u64)) -> Self {
        Self { count, window: Duration::from_micros(micros) }
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let words: Vec<_> = text.split_whitespace().collect();
        let parsed = match words[..] {
            [count, "per", unit] => {
                let window = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, time)| *time);
                let count = count.parse().ok().filter(|count| (1..=MAX_COUNT).contains(count));
                window.zip(count)
            }
            _ => None,
        };
        parsed
            .map(|(window, count)| Self { count, window })
            .ok_or_else(|| InvalidRate(text.chars().take(100).collect()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, time)| *time == self.window) {
            Some((unit, _)) => write!(out, "{} per {unit}", self.count),
            None => write!(out, "{} per {:?}", self.count, self.window),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn rate_is_a_number_per_unit() {
        let rate = |text: &str| text.parse::<Rate>().unwrap();
        assert_eq!(rate("500 per minute"), Rate::new(500, Duration::from_secs(60)));
        assert_eq!(rate("  1  per day "), Rate::new(1, Duration::from_secs(86_400)));
        assert_eq!(rate("1000000 per second").to_string(), "1000000 per second");
    }

    #[test]
    fn burst_is_a_window_of_the_same_rate() {
        let burst = |text: &str, burst| text.parse::<Rate>().unwrap().burst(burst);
        assert_eq!(burst("100 per minute", 20), Rate::new(20, Duration::from_secs(12)));
        assert_eq!(burst("1000000 per second", 1), Rate::new(1, Duration::from_micros(1)));
        assert_eq!(burst("100 per minute", 20).to_string(), "20 per 12s");
    }

    #[test]
    fn other_texts_are_no_rates() {
        for text in
            ["100 per fortnight", "0 per second", "1000001 per day", "-1 per day", "5", "", "1.5 per hour"]
        {
            let error = text.parse::<Rate>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("`{text}` is no rate")) && error.contains("500 per minute"),
                "{error}"
            );
        }
    }
}
