//! A rate: a number of jobs in a window of time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The highest number in a rate.
const MAX_COUNT: u32 = 1_000_000;
const LONGEST_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

const UNITS: [(&str, Duration); 4] = [
    ("second", Duration::from_secs(1)),
    ("minute", Duration::from_secs(60)),
    ("hour", Duration::from_secs(60 * 60)),
    ("day", Duration::from_secs(24 * 60 * 60)),
];

/// A rate: at most this many starts in any window of time, such as `100 per minute`, or `20 per 12s`.
///
/// The window is a `second`, a `minute`, an `hour` or a `day`, or a number of `us`, `ms` or `s`, of at most a day. The text of a rate
/// is read back as the same rate.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use std::time::Duration;
/// use pgjobq::Rate;
///
/// let rate: Rate = "100 per minute".parse()?;
/// assert_eq!((rate.count(), rate.window()), (100, Duration::from_secs(60)));
/// assert_eq!("20 per 12s".parse::<Rate>()?.to_string(), "20 per 12s");
/// assert!("100 per fortnight".parse::<Rate>().is_err());
/// # Ok::<_, pgjobq::InvalidRate>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// Lets a rate be given where its text may be.
impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

/// Returns the window of a word, such as `minute` or `12s`.
fn window(word: &str) -> Option<Duration> {
    if let Some((_, time)) = UNITS.iter().find(|(name, _)| *name == word) {
        return Some(*time);
    }
    let (digits, unit) = word.split_at(word.find(|c: char| !c.is_ascii_digit())?);
    let micros: u64 = match unit {
        "us" => 1,
        "ms" => 1000,
        "s" => 1_000_000,
        _ => return None,
    };
    let time = Duration::from_micros(digits.parse::<u64>().ok()?.checked_mul(micros)?);
    (!time.is_zero() && time <= LONGEST_WINDOW).then_some(time)
}

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let words: Vec<_> = text.split_whitespace().collect();
        let parsed = match words[..] {
            [count, "per", word] => {
                let count = count.parse().ok().filter(|count| (1..=MAX_COUNT).contains(count));
                window(word).zip(count)
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
        let count = self.count;
        match (UNITS.iter().find(|(_, time)| *time == self.window), self.window.as_micros()) {
            (Some((unit, _)), _) => write!(out, "{count} per {unit}"),
            (None, micros) if micros % 1_000_000 == 0 => write!(out, "{count} per {}s", micros / 1_000_000),
            (None, micros) if micros % 1000 == 0 => write!(out, "{count} per {}ms", micros / 1000),
            (None, micros) => write!(out, "{count} per {micros}us"),
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
    }

    #[test]
    fn text_of_a_rate_is_read_back() {
        for text in ["20 per 12s", "3 per 1500ms", "7 per 1us", "1 per 90s", "5 per hour"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        assert_eq!("2 per 60s".parse::<Rate>().unwrap().to_string(), "2 per minute");
        let burst = "7 per minute".parse::<Rate>().unwrap().burst(3);
        assert_eq!(burst.to_string().parse::<Rate>().unwrap(), burst);
    }

    #[test]
    fn other_texts_are_no_rates() {
        for text in [
            "100 per fortnight",
            "0 per second",
            "1000001 per day",
            "-1 per day",
            "5",
            "",
            "1.5 per hour",
            "1 per 0s",
            "1 per 86401s",
            "1 per s",
            "1 per 5m",
            "1 per 99999999999999999999s",
        ] {
            let error = text.parse::<Rate>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("`{text}` is no rate")) && error.contains("500 per minute"),
                "{error}"
            );
        }
    }
}
