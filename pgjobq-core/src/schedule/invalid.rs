//! Mistakes in the definition of a schedule.

use super::text::word::Mistake;
use crate::InvalidName;

/// A mistake in the definition of a schedule. It is found before anything is stored.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSchedule {
    /// The text is no cron pattern, or describes no time that ever comes.
    #[error("`{text}`, at character {place}: {message}")]
    Text {
        /// The text.
        text: String,
        /// The place of the mistake: the first character is number 1.
        place: usize,
        /// The mistake, and what to write instead.
        message: String,
    },
    /// There is no such time zone.
    #[error(
        "there is no time zone `{zone}`{}: write a name of the IANA database, such as `Europe/Berlin` or `UTC`",
        similar.map(|similar| format!(" (did you mean `{similar}`?)")).unwrap_or_default()
    )]
    TimeZone {
        /// The name.
        zone: String,
        /// A time zone with a similar name.
        similar: Option<&'static str>,
    },
    /// An interval has a time zone, in which nothing is counted.
    #[error(
        "the interval `{text}` has no time zone: leave out `{zone}`, or write a cron pattern, such as `*/10 * * * *`"
    )]
    ZoneOfInterval {
        /// The text.
        text: String,
        /// The time zone.
        zone: String,
    },
    /// The policy of missed ticks is unknown, or has a number out of range.
    #[error(
        "`{0}` is no policy of missed ticks: write `skip`, `run_once`, or `run_all(n)` with a number from 1 to 1000"
    )]
    Missed(String),
    /// The text of a start or an end is no time.
    #[error("`{0}` is no time: write one such as `2027-01-31T09:00:00Z`, or with an offset: `+02:00`")]
    Time(String),
    /// The start or the end is after the year 9999.
    #[error(
        "the start and the end of a schedule are at most in the year 9999: write an earlier time, or none"
    )]
    OutOfRange,
    /// The jitter is zero, or longer than a day.
    #[error("a jitter of {0:?} is out of range: write at least a millisecond and at most a day")]
    Jitter(std::time::Duration),
    /// No tick lies between its start and its end.
    #[error("the schedule can never fire: `{text}` has no tick from its start to its end")]
    NeverFires {
        /// The text.
        text: String,
    },
    /// The job of a tick holds its unique key while it lives, so the next tick would be a duplicate, and cancel nothing.
    #[error(
        "`cancel_running` cannot cancel a job that is unique while it lives, because the job of the next tick would be a duplicate: \
         let it be unique while it is `waiting`, or write another `overlap`"
    )]
    HoldsItsKey,
    /// Another job function of the program has a schedule of this name.
    #[error("the job `{kind}` has a schedule of this name, too: give one of the two another name")]
    Duplicate {
        /// The kind of that job.
        kind: &'static str,
    },
    /// No schedule can have this name.
    #[error(transparent)]
    Name(#[from] InvalidName),
}

crate::debug_as_message!(InvalidSchedule);

impl InvalidSchedule {
    pub(super) fn text(text: &str, mistake: Mistake) -> Self {
        let text = text.chars().take(100).collect();
        Self::Text { text, place: mistake.place(), message: mistake.message }
    }
}
