//! A schedule in the attribute of a job function.

use std::time::Duration;

use super::invalid::InvalidSchedule;
use super::missed::Missed;
use super::overlap::Overlap;
use super::timetable::{NO_ZONE, Timetable};
use crate::filter::instant;

/// A schedule in the attribute of a job function. The macro's output makes it.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct DeclaredSchedule {
    pub name: &'static str,
    text: &'static str,
    timezone: &'static str,
    missed: Missed,
    overlap: Overlap,
    jitter: Option<Duration>,
    starts: Option<&'static str>,
    ends: Option<&'static str>,
}

impl DeclaredSchedule {
    #[must_use]
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        Self {
            name,
            text,
            timezone: NO_ZONE,
            missed: Missed::Skip,
            overlap: Overlap::Allow,
            jitter: None,
            starts: None,
            ends: None,
        }
    }

    #[must_use]
    pub const fn timezone(self, timezone: &'static str) -> Self {
        Self { timezone, ..self }
    }

    #[must_use]
    pub const fn missed(self, missed: Missed) -> Self {
        Self { missed, ..self }
    }

    #[must_use]
    pub const fn overlap(self, overlap: Overlap) -> Self {
        Self { overlap, ..self }
    }

    #[must_use]
    pub const fn jitter(self, jitter: Duration) -> Self {
        Self { jitter: Some(jitter), ..self }
    }

    #[must_use]
    pub const fn starts(self, starts: &'static str) -> Self {
        Self { starts: Some(starts), ..self }
    }

    #[must_use]
    pub const fn ends(self, ends: &'static str) -> Self {
        Self { ends: Some(ends), ..self }
    }

    /// Returns its timetable, not checked yet except for the times.
    pub(super) fn timetable(&self) -> Result<Timetable, InvalidSchedule> {
        let time = |text: Option<&str>| {
            let read =
                |text: &str| instant::parse(text).ok_or_else(|| InvalidSchedule::Time(text.to_owned()));
            text.map(read).transpose()
        };
        Ok(Timetable {
            timezone: self.timezone.to_owned(),
            missed: self.missed.to_string(),
            overlap: self.overlap.as_str().to_owned(),
            jitter: self.jitter.map(|jitter| i64::try_from(jitter.as_micros()).unwrap_or(i64::MAX)),
            starts: time(self.starts)?,
            ends: time(self.ends)?,
            ..Timetable::new(self.text)
        })
    }
}
