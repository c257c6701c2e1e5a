//! The arguments of waiting jobs, read by this program before it goes live.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::value::RawValue;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::waiting_report::{CheckedKind, CheckedSchedule, Readability, UnreadableJob, WaitingReport};
use crate::DatabaseError;
use crate::client::Client;
use crate::job::registry::Registry;
use crate::job::stored_args::StoredArgs;

/// The number of jobs that one statement reads. It also stops after 4 MiB.
const PAGE: i32 = 1000;
/// The number of schedules that one statement reads. It also stops after 4 MiB.
const SCHEDULES_PAGE: i32 = 50;
/// The number of unreadable jobs of each kind and version that the report names.
const NAMED: usize = 5;

/// Reads the arguments of all jobs that have not ended with *this* program, before it goes live: for a deploy pipeline. It runs
/// none of them, and changes nothing. It also reads those of the schedules that were set by name, because each tick enqueues them
/// anew.
///
/// It reads page by page, at most 1000 jobs or about 4 MiB at a time, so it needs little memory however many jobs wait. Jobs that
/// are enqueued meanwhile may not be in the report.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// use pgjobq::Client;
///
/// // src/bin/check_waiting.rs: exits with 1 if a waiting job would die in this version.
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::connect("postgres://localhost/app").await?;
/// let report = pgjobq::check_waiting(&client).await?;
/// println!("{report}");
/// report.into_result()?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`DatabaseError`], if the database cannot be reached or refuses. Arguments that cannot be read are no error here: see
/// [`WaitingReport::into_result`].
pub async fn check_waiting(client: &Client) -> Result<WaitingReport, DatabaseError> {
    let (registry, _) = Registry::linked();
    let mut check = Check { registry, kinds: BTreeMap::new(), schedules: Vec::new() };
    let shared = client.shared();
    for shard in client.about().await?.all_shards() {
        let mut after: Option<Uuid> = None;
        loop {
            let rows = shared.read(&shared.sql.waiting_args, &[&shard, &after, &PAGE]).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.try_get("id").map_err(DatabaseError::Refused)?);
            for row in &rows {
                check.note_job(row).map_err(DatabaseError::Refused)?;
            }
        }
    }
    let mut after: Option<String> = None;
    loop {
        let rows = shared.read(&shared.sql.scheduled_args, &[&after.as_deref(), &SCHEDULES_PAGE]).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.try_get("name").map_err(DatabaseError::Refused)?);
        for row in &rows {
            check.note_schedule(row).map_err(DatabaseError::Refused)?;
        }
    }
    let kinds = check.kinds.into_values().collect();
    Ok(WaitingReport { kinds, schedules: check.schedules })
}

/// The arguments of a job or a schedule, as its row has them.
struct Stored {
    kind: String,
    version: u16,
    /// `None` if they are too long to be read here.
    args: Option<String>,
}

/// The result of reading arguments.
enum Reading {
    Readable,
    Unreadable(String),
    Unchecked,
    /// This program does not read this kind or version.
    Left,
}

impl Stored {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let version: Option<&str> = row.try_get("version")?;
        Ok(Self { kind: row.try_get("kind")?, version: version_of(version), args: row.try_get("args")? })
    }
}

/// Reads a version as a claim compares it: the first one is written nowhere, and a later one as a number. Anything else, which only a
/// person writes, is 0; no worker takes such a job.
fn version_of(text: Option<&str>) -> u16 {
    let Some(text) = text else { return 1 };
    let is_later = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && !text.starts_with('0')
        && text != "1";
    if is_later { text.parse().unwrap_or(u16::MAX) } else { 0 }
}

struct Check {
    registry: Registry,
    /// By the name of the kind in its row, and the version.
    kinds: BTreeMap<(String, u16), CheckedKind>,
    /// Those that this program does not read.
    schedules: Vec<CheckedSchedule>,
}

impl Check {
    fn note_job(&mut self, row: &PgRow) -> Result<(), sqlx::Error> {
        let (stored, is_blocked) = (Stored::read(row)?, row.try_get("is_blocked")?);
        let (readability, reading) = self.reading(&stored);
        let Stored { kind, version, .. } = stored;
        let new = || CheckedKind::new(kind.clone(), version, readability);
        let counts = self.kinds.entry((kind.clone(), version)).or_insert_with(new);
        match reading {
            Reading::Readable => counts.readable += 1,
            Reading::Unreadable(_) if is_blocked => counts.incomplete += 1,
            Reading::Unreadable(reason) => {
                counts.unreadable += 1;
                if counts.examples.len() < NAMED {
                    counts.examples.push(UnreadableJob { id: row.try_get::<Uuid, _>("id")?.into(), reason });
                }
            }
            Reading::Unchecked => counts.unchecked += 1,
            Reading::Left => counts.left += 1,
        }
        Ok(())
    }

    fn note_schedule(&mut self, row: &PgRow) -> Result<(), sqlx::Error> {
        let stored = Stored::read(row)?;
        let (readability, reading) = self.reading(&stored);
        let reason = match reading {
            Reading::Readable | Reading::Unchecked => return Ok(()),
            Reading::Unreadable(reason) => Some(reason),
            Reading::Left => None,
        };
        let Stored { kind, version, .. } = stored;
        self.schedules.push(CheckedSchedule {
            name: row.try_get("name")?,
            kind,
            version,
            readability,
            reason,
        });
        Ok(())
    }

    fn reading(&self, stored: &Stored) -> (Readability, Reading) {
        let readability = self.readability(&stored.kind, stored.version);
        let reading = match (readability, &stored.args) {
            (Readability::Readable, None) => Reading::Unchecked,
            (Readability::Readable, Some(args)) => match self.reason(&stored.kind, stored.version, args) {
                None => Reading::Readable,
                Some(reason) => Reading::Unreadable(reason),
            },
            (Readability::NewerVersion | Readability::OlderVersion | Readability::UnknownKind, _) => {
                Reading::Left
            }
        };
        (readability, reading)
    }

    /// Returns whether this program reads the arguments of a kind in this version.
    fn readability(&self, kind: &str, version: u16) -> Readability {
        let Some(job) = self.registry.get(kind) else { return Readability::UnknownKind };
        let versions = job.versions();
        if version > *versions.end() {
            Readability::NewerVersion
        } else if version < *versions.start() {
            Readability::OlderVersion
        } else {
            Readability::Readable
        }
    }

    /// Returns the reason for which arguments cannot be read.
    fn reason(&self, kind: &str, version: u16, args: &str) -> Option<String> {
        let descriptor = self.registry.get(kind)?;
        let args: &RawValue = match serde_json::from_str(args) {
            Ok(args) => args,
            Err(error) => return Some(error.to_string()),
        };
        let stored = StoredArgs::new(args, version, !descriptor.policy.redact.is_empty());
        // The code of a `Deserialize` or a `From` may panic, as it would in a worker.
        match catch_unwind(AssertUnwindSafe(|| descriptor.handler.check(&stored))) {
            Ok(read) => read.err().map(|error| error.to_string()),
            Err(_) => Some("reading them panicked".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_read_as_a_claim_compares_it() {
        let versions = ["2", "32767", "65536", "99999999999999999999", "1", "0", "02", "+2", "two", ""];
        let read = versions.map(|text| version_of(Some(text)));
        assert_eq!(read, [2, 32767, u16::MAX, u16::MAX, 0, 0, 0, 0, 0, 0]);
        assert_eq!(version_of(None), 1);
    }
}
