//! Times and durations of the database, in microseconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

// For serde, in JSON that the database makes or reads.

pub(crate) fn to_micros<S: Serializer>(at: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    micros(*at).serialize(to)
}

pub(crate) fn of_micros<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
    i64::deserialize(from).map(time)
}

pub(crate) fn to_maybe_micros<S: Serializer>(at: &Option<SystemTime>, to: S) -> Result<S::Ok, S::Error> {
    at.map(micros).serialize(to)
}

pub(crate) fn of_maybe_micros<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SystemTime>, D::Error> {
    Ok(Option::<i64>::deserialize(from)?.map(time))
}
