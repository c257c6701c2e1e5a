//! The arguments of waiting jobs, read by this program before it goes live.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::value::RawValue;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::waiting_report::{CheckedKind, Readability, UnreadableJob, WaitingReport};
use crate::client::Client;
use crate::job::registry::Registry;
use crate::job::stored_args::StoredArgs;
use crate::{DatabaseError, JobId};

/// The number of jobs that one statement reads. It also stops after 4 MiB.
const PAGE: i32 = 1000;
/// The number of unreadable jobs of each kind and version that the report names.
const NAMED: usize = 5;

/// Reads the arguments of all jobs that have not ended with *this* program, before it goes live: for a deploy pipeline. It runs
/// none of them, and changes nothing.
///
/// It reads page by page, at most 1000 jobs or about 4 MiB at a time, so it needs little memory however many jobs wait. Jobs that
/// are enqueued meanwhile may not be in the report.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// use pgjobq::Client;
///
/// // src/bin/check_waiting.rs: exits with 1 if a waiting job would die in this version.
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
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
    let mut check = Check { registry, kinds: BTreeMap::new() };
    for shard in client.about().await?.all_shards() {
        let mut after: Option<Uuid> = None;
        loop {
            let shared = client.shared();
            let rows = shared.read(&shared.sql.waiting_args, &[&shard, &after, &PAGE]).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.try_get("id").map_err(DatabaseError::Refused)?);
            for row in &rows {
                check.note(StoredJob::read(row).map_err(DatabaseError::Refused)?);
            }
        }
    }
    let kinds = check.kinds.into_values().collect();
    Ok(WaitingReport { kinds })
}

/// A job that has not ended, as its row has it.
struct StoredJob {
    id: JobId,
    kind: String,
    /// A person may have written another text than a number.
    version: Option<String>,
    args: Option<String>,
    is_blocked: bool,
}

impl StoredJob {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get::<Uuid, _>("id")?.into(),
            kind: row.try_get("kind")?,
            version: row.try_get("version")?,
            args: row.try_get("args")?,
            is_blocked: row.try_get("is_blocked")?,
        })
    }
}

struct Check {
    registry: Registry,
    /// By the name of the kind in its row, and the version.
    kinds: BTreeMap<(String, u16), CheckedKind>,
}

impl Check {
    fn note(&mut self, job: StoredJob) {
        let version = job.version.as_deref().map_or(1, |version| version.parse().unwrap_or(0));
        let readability = self.readability(&job.kind, version);
        let reason = match readability {
            Readability::Readable => self.reason(&job, version),
            _ => None,
        };
        let new = || CheckedKind::new(job.kind.clone(), version, readability);
        let kind = self.kinds.entry((job.kind.clone(), version)).or_insert_with(new);
        match (readability, reason) {
            (Readability::Readable, None) => kind.readable += 1,
            (Readability::Readable, Some(_)) if job.is_blocked => kind.incomplete += 1,
            (Readability::Readable, Some(reason)) => {
                kind.unreadable += 1;
                if kind.examples.len() < NAMED {
                    kind.examples.push(UnreadableJob { id: job.id, reason });
                }
            }
            _ => kind.left += 1,
        }
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

    /// Returns the reason for which the arguments cannot be read.
    fn reason(&self, job: &StoredJob, version: u16) -> Option<String> {
        let descriptor = self.registry.get(&job.kind)?;
        let Some(args) = &job.args else { return Some("they are longer than 8 MiB".to_owned()) };
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
