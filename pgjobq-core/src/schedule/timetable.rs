//! The part of a definition that says when a schedule fires, as it is stored.

use serde::{Deserialize, Serialize};

use super::missed::Missed;
use super::overlap::Overlap;

/// The time zone of a timetable that names none.
pub(crate) const NO_ZONE: &str = "UTC";

/// The part of a definition that says when a schedule fires. Times are microseconds since 1970, as everywhere in the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Timetable {
    /// A cron pattern, a nickname, or an interval.
    pub(crate) text: String,
    pub(crate) timezone: String,
    pub(crate) missed: String,
    pub(crate) overlap: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) jitter: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) starts: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ends: Option<i64>,
}

impl Timetable {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            timezone: NO_ZONE.to_owned(),
            missed: Missed::default().to_string(),
            overlap: Overlap::default().as_str().to_owned(),
            jitter: None,
            starts: None,
            ends: None,
        }
    }
}
