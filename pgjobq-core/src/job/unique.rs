//! Unique jobs: how long one is the only one, and what becomes of a second.

use std::time::Duration;

/// The time in which a unique job is the only one with its unique key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UniqueWhile {
    /// From the enqueue to its end: while it waits, runs, and waits to be retried.
    #[default]
    Live,
    /// While it waits. A second one may be enqueued as soon as a worker has claimed it.
    Waiting,
    /// For this time after the enqueue, also if it has ended by then.
    For(Duration),
}

/// The answer to a new job whose unique key another job has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnDuplicate {
    /// The other job stays as it is, and the new one is not enqueued.
    #[default]
    Keep,
    /// The other job, if it still waits, gets the arguments and the time of the new one.
    Replace,
    /// The other job, if it still waits, gets the arguments of the new one.
    ReplaceArgs,
    /// The other job, if it still waits, gets the time of the new one.
    ReplaceRunAt,
    /// The other job, if it still waits, starts this long after now: it starts when no more come for so long.
    Debounce(Duration),
}

impl UniqueWhile {
    /// Its name in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Waiting => "waiting",
            Self::For(_) => "time",
        }
    }

    pub(crate) fn time(self) -> Option<Duration> {
        if let Self::For(time) = self { Some(time) } else { None }
    }
}

impl OnDuplicate {
    /// Its name in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Replace => "replace",
            Self::ReplaceArgs => "replace_args",
            Self::ReplaceRunAt => "replace_run_at",
            Self::Debounce(_) => "debounce",
        }
    }

    pub(crate) fn time(self) -> Option<Duration> {
        if let Self::Debounce(time) = self { Some(time) } else { None }
    }
}
