//! Jobs as a list shows them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::selection::Selection;
use crate::client::Client;
use crate::db::literal::Literal;
use crate::db::time::time;
use crate::{AttributeValue, DatabaseError, JobId, JobState, Priority};

/// The place of the first job.
const START: &str = "(1,0,,)";
/// The largest number of jobs on one page.
const MAX_PAGE: u32 = 1000;

/// Some of the jobs that match a filter: from [`Jobs::list`](crate::Jobs::list).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JobPage {
    /// The jobs.
    pub jobs: Vec<ListedJob>,
    /// The place after them, for [`Jobs::list_after`](crate::Jobs::list_after), or of a list with the newest first for
    /// [`newest_after`](crate::Jobs::newest_after); `None` at the end.
    pub next: Option<JobPlace>,
}

impl JobPage {
    /// The number of rows of a shard after which a call returns the jobs that it has found. A page that is not full, and yet has a
    /// [`next`](Self::next), has looked at least at this many.
    pub const LOOK_LIMIT: u32 = 10_000;
}

/// The order of a list within each of its shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    OldestFirst,
    NewestFirst,
}

/// A place among the jobs that match a filter: from [`JobPage::next`]. It stays good while jobs come and go.
///
/// It can be written as a text and parsed again, for the link to the next page of a web page or a command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JobPlace(String);

/// A text is no [`JobPlace`].
#[derive(Clone, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no place among jobs: take it from `JobPage::next`, unchanged, or list from the start")]
pub struct InvalidJobPlace(String);

crate::debug_as_message!(InvalidJobPlace);

impl JobPlace {
    /// The place before the first job.
    pub(super) fn start() -> Self {
        Self(START.to_owned())
    }

    /// The place that the database has returned.
    pub(super) fn read(text: String) -> Self {
        Self(text)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobPlace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// It is a list, a shard, and the time and the id of the last job: `(1,0,,0197…)`. A time has quotes, because it has a space.
impl FromStr for JobPlace {
    type Err = InvalidJobPlace;

    fn from_str(text: &str) -> Result<Self, InvalidJobPlace> {
        let parts = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
        let parts: Vec<_> = parts.unwrap_or_default().split(',').collect();
        let good = match parts[..] {
            [list, shard, at, id] => {
                list.parse::<u8>().is_ok_and(|list| (1..=9).contains(&list))
                    && shard.parse::<u16>().is_ok_and(|shard| shard < 1024)
                    && (at.is_empty() || is_timestamp(at))
                    && (id.is_empty() || id.parse::<Uuid>().is_ok())
            }
            _ => false,
        };
        if good { Ok(Self(text.to_owned())) } else { Err(InvalidJobPlace(text.to_owned())) }
    }
}

/// Returns whether this may be a time as PostgreSQL writes one in a row: `"2026-01-31 12:00:00.5+00"`.
fn is_timestamp(text: &str) -> bool {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.is_some_and(|time| {
        (19..40).contains(&time.len())
            && time.chars().all(|letter| letter.is_ascii_digit() || " :.+-".contains(letter))
    })
}

/// A job of any kind and state: from [`Jobs::list`](crate::Jobs::list). [`Client::job`] acts on it by its id.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ListedJob {
    /// The job.
    pub id: JobId,
    /// Its state.
    pub state: JobState,
    /// Its queue; `None` if that was deleted long ago.
    pub queue: Option<String>,
    /// Its kind.
    pub kind: String,
    /// Its priority.
    pub priority: Priority,
    /// Its key.
    pub key: Option<String>,
    /// Its unique key.
    pub unique_key: Option<String>,
    /// Its attributes by name; empty if it has none.
    pub attributes: BTreeMap<String, AttributeValue>,
    /// The number of attempts that have ended.
    pub attempts: u32,
    /// The number of attempts that failed.
    pub failures: u32,
    /// The number of attempts that crashed.
    pub crashes: u32,
    /// When it was enqueued, or the last time that it was requeued, by the database's clock.
    pub created_at: SystemTime,
    /// When it is scheduled to run.
    pub run_at: Option<SystemTime>,
    /// When it ended.
    pub finished_at: Option<SystemTime>,
    /// The message of its last failure.
    pub error: Option<String>,
    /// The reason for which it was cancelled.
    pub cancelled_for: Option<String>,
}

impl fmt::Display for ListedJob {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} `{}`", self.id, self.state, self.kind)?;
        if let Some(queue) = &self.queue {
            write!(out, " in `{queue}`")?;
        }
        if !self.attributes.is_empty() {
            let json = serde_json::to_string(&self.attributes).map_err(|_| fmt::Error)?;
            write!(out, " {json}")?;
        }
        for (name, text) in [("", &self.error), ("cancelled because ", &self.cancelled_for)] {
            if let Some(line) = text.as_deref().and_then(|text| text.lines().next()) {
                write!(out, ": {name}{line}")?;
            }
        }
        Ok(())
    }
}

impl Client {
    /// Returns the next jobs of a selection: fewer than `most` also before the end, if few match.
    pub(super) async fn list_jobs(
        &self,
        selection: &Selection,
        order: Order,
        from: Option<&JobPlace>,
        most: u32,
    ) -> Result<JobPage, DatabaseError> {
        let shared = self.shared();
        let (from, most) = (from.map_or(START, |place| &place.0), most.clamp(1, MAX_PAGE) as i32);
        let look_at = JobPage::LOOK_LIMIT as i32;
        let values: [&dyn Literal; 4] = [&selection, &from, &most, &look_at];
        let statement = match order {
            Order::OldestFirst => &shared.sql.list_jobs,
            Order::NewestFirst => &shared.sql.list_newest,
        };
        let rows = shared.read(statement, &values).await?;
        let next = rows.last().map(|row| row.try_get::<Option<String>, _>("next")).transpose();
        let next = next.map_err(DatabaseError::Refused)?.flatten().map(JobPlace);
        let jobs = rows.split_last().map_or(&[][..], |(_, jobs)| jobs);
        let jobs = jobs.iter().map(read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)?;
        Ok(JobPage { jobs, next })
    }
}

fn read(row: &PgRow) -> Result<ListedJob, sqlx::Error> {
    let count = |name| row.try_get::<i32, _>(name).map(i32::unsigned_abs);
    let maybe = |name| row.try_get::<Option<i64>, _>(name).map(|micros| micros.map(time));
    let state: String = row.try_get("state")?;
    let attributes: Option<String> = row.try_get("attributes")?;
    Ok(ListedJob {
        id: JobId::from(row.try_get::<Uuid, _>("id")?),
        state: state.parse().map_err(|error: String| sqlx::Error::Decode(error.into()))?,
        queue: row.try_get("queue")?,
        kind: row.try_get("kind")?,
        priority: priority_of(row.try_get("priority")?),
        key: row.try_get("key")?,
        unique_key: row.try_get("unique_key")?,
        attributes: match attributes.as_deref() {
            Some(text) => attributes_of(text).map_err(|error| sqlx::Error::Decode(error.into()))?,
            None => BTreeMap::new(),
        },
        attempts: count("attempt")?,
        failures: count("failures")?,
        crashes: count("crashes")?,
        created_at: time(row.try_get("created_at")?),
        run_at: maybe("run_at")?,
        finished_at: maybe("finished_at")?,
        error: row.try_get("error")?,
        cancelled_for: row.try_get("cancelled_for")?,
    })
}

/// Returns the priority that is stored as this number.
pub(crate) fn priority_of(stored: i16) -> Priority {
    match stored {
        0 => Priority::Low,
        1 => Priority::Normal,
        2 => Priority::High,
        _ => Priority::Critical,
    }
}

/// Reads stored attributes.
pub(crate) fn attributes_of(text: &str) -> serde_json::Result<BTreeMap<String, AttributeValue>> {
    let values: BTreeMap<String, serde_json::Value> = serde_json::from_str(text)?;
    Ok(values.into_iter().map(|(name, value)| (name, AttributeValue::from_json(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_have_the_types_with_which_they_were_set() {
        let set: [(&str, AttributeValue); 7] = [
            ("a", None::<u8>.into()),
            ("b", true.into()),
            ("c", (-42_i64).into()),
            ("d", u64::MAX.into()),
            ("e", 0.5.into()),
            ("f", 1e300.into()),
            ("g", "42".into()),
        ];
        let set = BTreeMap::from(set.map(|(name, value)| (name.to_owned(), value)));
        let stored = serde_json::to_string(&set).map(|json| json.replace("1e300", &format!("{:.0}", 1e300)));
        assert_eq!(stored.and_then(|json| attributes_of(&json)).ok(), Some(set));
    }

    #[test]
    fn only_a_place_is_parsed_as_a_place() {
        let id = "0197d2a0-1f4e-7000-8000-000000000001";
        let time = "\"2026-01-31 12:00:00.123456+00\"";
        for text in [START, &format!("(2,7,,{id})"), &format!("(1,0,{time},{id})")] {
            assert_eq!(text.parse::<JobPlace>().map(|place| place.to_string()), Ok(text.to_owned()));
        }
        let wrong = [
            "",
            "1",
            "(1,0,,",
            "(0,0,,)",
            "(1,-1,,)",
            "(1,0,,x)",
            "(1,0,now,)",
            "(1,0,\"'; drop table jobs\",)",
            "(1,0,,,)",
        ];
        for text in wrong {
            let error = text.parse::<JobPlace>().map_err(|error| error.to_string());
            assert!(error.is_err_and(|error| error.starts_with(&format!("`{text}` is no place"))), "{text}");
        }
    }
}
