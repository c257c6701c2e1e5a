//! A rate: a number of jobs in a second, a minute, an hour or a day.

use std::str::FromStr;
use std::time::Duration;

/// The highest number in a rate.
const MAX_COUNT: u64 = 1_000_000;

const UNITS: [(&str, Duration); 4] = [
    ("second", Duration::from_secs(1)),
    ("minute", Duration::from_secs(60)),
    ("hour", Duration::from_secs(60 * 60)),
    ("day", Duration::from_secs(24 * 60 * 60)),
];

/// The time of each one at a rate such as `500 per minute`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace(pub(crate) Duration);

/// A text is no rate, such as `500 per minute`.
#[derive(Clone, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is no rate: write a number from 1 to 1000000 per second, minute, hour or day, such as `500 per minute`"
)]
pub struct InvalidRate(pub(crate) String);

crate::debug_as_message!(InvalidRate);

impl FromStr for Pace {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let words: Vec<_> = text.split_whitespace().collect();
        let parsed = match words[..] {
            [count, "per", unit] => {
                let unit = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, time)| *time);
                let count = count.parse().ok().filter(|count| (1..=MAX_COUNT).contains(count));
                unit.zip(count)
            }
            _ => None,
        };
        let micros = |(unit, count): (Duration, u64)| unit.as_micros() as u64 / count;
        parsed
            .map(|rate| Self(Duration::from_micros(micros(rate))))
            .ok_or_else(|| InvalidRate(text.to_owned()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn rate_is_the_time_of_each() {
        let pace = |text: &str| text.parse::<Pace>().unwrap().0;
        assert_eq!(pace("500 per minute"), Duration::from_millis(120));
        assert_eq!(pace("  1  per day "), Duration::from_secs(86_400));
        assert_eq!(pace("1000000 per second"), Duration::from_micros(1));
    }

    #[test]
    fn other_texts_are_no_rates() {
        for text in
            ["100 per fortnight", "0 per second", "1000001 per day", "-1 per day", "5", "", "1.5 per hour"]
        {
            let error = text.parse::<Pace>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("`{text}` is no rate")) && error.contains("500 per minute"),
                "{error}"
            );
        }
    }
}
