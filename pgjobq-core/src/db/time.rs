//! Times and durations of the database, in microseconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time of the database: microseconds since 1970.
pub(crate) fn time(micros: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(micros.unsigned_abs())
}

/// A duration of the database, in microseconds; a negative one is zero.
pub(crate) fn duration(micros: i64) -> Duration {
    Duration::from_micros(micros.max(0).unsigned_abs())
}

/// A time as the database has it: microseconds since 1970. One before that is 1970.
pub(crate) fn micros(time: SystemTime) -> i64 {
    i64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros()).unwrap_or(i64::MAX)
}
