//! Moments.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use crate::show::span::Span;

/// A moment. It is printed in UTC, to the second: `2027-01-31 12:00:00 UTC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) SystemTime);

impl Moment {
    /// The moment as HTML and JSON have it: `2027-01-31T12:00:00Z`.
    pub(crate) fn iso(&self) -> String {
        let (date, time) = self.date_and_time();
        format!("{date}T{time}Z")
    }

    /// The moment as a page shows it: beside now, and in full where the pointer rests. It has nothing to escape.
    pub(crate) fn tag(&self) -> String {
        format!("<time datetime=\"{}\" title=\"{self}\">{}</time>", self.iso(), self.beside_now())
    }

    /// The moment beside now: `3 min ago`, `in 2 h`.
    pub(crate) fn beside_now(&self) -> String {
        let now = SystemTime::now();
        match now.duration_since(self.0) {
            Ok(ago) if ago < Duration::from_secs(1) => "now".to_owned(),
            Ok(ago) => format!("{} ago", Span(ago)),
            Err(ahead) => format!("in {}", Span(ahead.duration())),
        }
    }

    /// The date and the time in UTC.
    fn date_and_time(&self) -> (String, String) {
        let seconds = match self.0.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
        };
        let (days, seconds) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = date(days);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        (format!("{year:04}-{month:02}-{day:02}"), format!("{hour:02}:{minute:02}:{second:02}"))
    }
}

/// The date of a day since 1970. It counts in eras of 400 years, which begin in March, so that a leap day is the last of its year.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

impl fmt::Display for Moment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, time) = self.date_and_time();
        write!(out, "{date} {time} UTC")
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.iso().serialize(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[test]
    fn moments_are_printed_in_utc() {
        let known = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ];
        for (seconds, text) in known {
            assert_eq!(at(seconds).iso(), text);
        }
        assert_eq!(at(0).to_string(), "1970-01-01 00:00:00 UTC");
        assert_eq!(Moment(UNIX_EPOCH - Duration::from_secs(1)).iso(), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn moments_stand_beside_now() {
        let now = SystemTime::now();
        assert_eq!(Moment(now - Duration::from_secs(200)).beside_now(), "3 min ago");
        assert!(Moment(now + Duration::from_secs(7_300)).beside_now().starts_with("in 2 h"));
    }
}
