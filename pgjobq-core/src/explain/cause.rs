//! The causes for which a job is not running, typed.

use std::time::SystemTime;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::db::time::{of_maybe_micros, of_micros};
use crate::{FailureReason, JobId, LimitScope, PauseScope, WorkflowId};

/// The cause for which a job is not running; or that it runs, or how it ended. From [`Reason::cause`](crate::Reason::cause). Times
/// are by the database's clock.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// No job has this id: its transaction has not committed, or it has ended and is no longer kept.
    NotFound,
    /// The id is that of a workflow.
    Workflow {
        /// The workflow's name.
        name: String,
    },
    /// It completed.
    Completed {
        /// The time of its end.
        #[serde(deserialize_with = "of_micros")]
        at: SystemTime,
        /// The number of attempts.
        attempts: u32,
    },
    /// It failed or crashed too often, or failed with a fatal error.
    Dead {
        /// The time of its end.
        #[serde(deserialize_with = "of_micros")]
        at: SystemTime,
        /// The number of attempts.
        attempts: u32,
        /// The number of attempts that failed.
        failures: u32,
        /// The number of attempts that crashed.
        crashes: u32,
        /// The reason for which the last attempt ended.
        reason: Option<FailureReason>,
        /// The last error.
        error: Option<String>,
    },
    /// It was cancelled.
    Cancelled {
        /// The time of its end.
        #[serde(deserialize_with = "of_micros")]
        at: SystemTime,
        /// The person who asked, in the caller's words.
        by: Option<String>,
        /// The database role that asked.
        role: Option<String>,
        /// The reason.
        reason: Option<String>,
    },
    /// No worker started it in time.
    Expired {
        /// The time of its end.
        #[serde(deserialize_with = "of_micros")]
        at: SystemTime,
    },
    /// A worker has it, and sends heartbeats.
    Running {
        /// The number of the attempt.
        attempt: u32,
        /// The worker's name.
        worker: String,
        /// The time at which the worker claimed it.
        #[serde(deserialize_with = "of_micros")]
        since: SystemTime,
        /// The worker's last heartbeat.
        #[serde(deserialize_with = "of_micros")]
        seen_at: SystemTime,
    },
    /// A worker has it, and has been silent for longer than half its lease.
    WorkerSilent {
        /// The number of the attempt.
        attempt: u32,
        /// The worker's name. `None` if other workers gave it up.
        worker: Option<String>,
        /// The time at which the worker claimed it.
        #[serde(deserialize_with = "of_micros")]
        since: SystemTime,
        /// The worker's last heartbeat.
        #[serde(default, deserialize_with = "of_maybe_micros")]
        seen_at: Option<SystemTime>,
    },
    /// A person or a program asked to cancel it, and it has not ended yet.
    CancelRequested {
        /// The person who asked, in the caller's words.
        by: String,
        /// The database role that asked.
        role: String,
        /// The reason.
        reason: Option<String>,
        /// The time of the request.
        #[serde(deserialize_with = "of_micros")]
        asked_at: SystemTime,
    },
    /// Parents ended badly, and a person must decide.
    Held {
        /// The workflow of the step.
        workflow: WorkflowId,
        /// At most ten of these parents.
        parents: Vec<ParentStanding>,
    },
    /// It waits for parents.
    Blocked {
        /// The workflow, if it is a step.
        workflow: Option<WorkflowId>,
        /// At most ten of the parents that it waits for.
        parents: Vec<ParentStanding>,
        /// The number of all of them.
        count: u64,
    },
    /// It waits for the end of all other steps of its workflow.
    BlockedByWorkflow {
        /// The workflow.
        workflow: WorkflowId,
        /// The number of steps that have not ended.
        live: u64,
    },
    /// Its parents have ended, and a worker is about to let it start.
    Unsettled {
        /// The workflow, if it is a step.
        workflow: Option<WorkflowId>,
    },
    /// It waits for its time.
    Scheduled {
        /// The time.
        #[serde(deserialize_with = "of_micros")]
        until: SystemTime,
        /// The origin of that time.
        why: ScheduledBy,
        /// The number of attempts that have ended.
        attempts: u32,
        /// The number of attempts that failed.
        failures: u32,
        /// The number of tries that follow the first failure.
        retries: u32,
        /// The error of the last attempt, before a retry.
        error: Option<String>,
    },
    /// Its time has come, and the next look of a worker puts it in line.
    Due {
        /// The time.
        #[serde(deserialize_with = "of_micros")]
        until: SystemTime,
    },
    /// It waits for a permit, because as many jobs as the limit allows are in line or run.
    Limited {
        /// The jobs that the limit is about.
        scope: LimitScope,
        /// The kind or the queue.
        name: String,
        /// The key, if the limit holds for each key of the kind.
        key: Option<String>,
        /// The limit. `None` if it was removed, so that the job starts soon.
        limit: Option<u32>,
        /// At most ten of the jobs that have permits.
        holders: Vec<JobId>,
        /// The number of jobs that wait before it, counted up to 10001.
        behind: u64,
    },
    /// It waits, because its rate is used up.
    RateUsedUp {
        /// The jobs that the rate is about.
        scope: LimitScope,
        /// The kind or the queue.
        name: String,
        /// The key, if the rate holds for each key of the kind.
        key: Option<String>,
        /// The rate, such as `100 per minute`.
        rate: String,
        /// The time at which the next start is possible.
        #[serde(deserialize_with = "of_micros")]
        next: SystemTime,
    },
    /// It has a unique key, so that a new job of its kind with that key is a duplicate. It delays nothing, and comes last.
    HasUniqueKey {
        /// The key.
        key: String,
        /// The time until which it has the key. `None`: while it lives or waits.
        #[serde(default, deserialize_with = "of_maybe_micros")]
        until: Option<SystemTime>,
    },
    /// A person has changed its arguments. It delays nothing, and comes last.
    Edited {
        /// The person, in the caller's words.
        by: String,
        /// The database role.
        role: String,
        /// The reason.
        reason: Option<String>,
        /// The time of the change.
        #[serde(deserialize_with = "of_micros")]
        at: SystemTime,
    },
    /// It is not enqueued, because another job has its unique key. Soon that one is changed, or this one is enqueued after all.
    Duplicate {
        /// The key.
        key: String,
        /// The job that has it. `None` if the transaction of the enqueue could not see.
        holder: Option<JobId>,
        /// True if its queue is full, so that this one cannot be enqueued now.
        #[serde(default)]
        full: bool,
    },
    /// Its queue does not exist. Its row was written by hand.
    NoQueue {
        /// The id that no queue has.
        queue_id: i32,
    },
    /// Its queue was deleted.
    QueueDeleted {
        /// The queue.
        queue: String,
        /// The time of the deletion.
        #[serde(deserialize_with = "of_micros")]
        at: SystemTime,
    },
    /// Its queue, its kind or its key is paused.
    Paused {
        /// The jobs that the pause stops.
        scope: PauseScope,
        /// The queue, the kind or the key.
        name: String,
        /// The time of the pause.
        #[serde(deserialize_with = "of_micros")]
        since: SystemTime,
        /// The person who paused it, in the caller's words.
        by: String,
        /// The database role that paused it.
        role: String,
        /// The reason.
        reason: Option<String>,
        /// The time at which the pause ends by itself. `None`: when it is resumed.
        #[serde(default, deserialize_with = "of_maybe_micros")]
        until: Option<SystemTime>,
    },
    /// No live worker takes its queue.
    NoWorker {
        /// The queue.
        queue: String,
        /// The queues that live workers take. None if no worker is live.
        served: Vec<String>,
    },
    /// Live workers take its queue, and none of them can run its kind.
    UnknownKind {
        /// The queue.
        queue: String,
        /// The kind.
        kind: String,
        /// The number of live workers that take the queue.
        workers: u64,
    },
    /// Live workers can run its kind, and none of them reads the version of its arguments. Mostly newer code enqueued it, and it
    /// waits for a worker of that code.
    UnreadVersion {
        /// The queue.
        queue: String,
        /// The kind.
        kind: String,
        /// The version of its arguments.
        version: String,
        /// The versions that these workers read.
        reads: Vec<u16>,
        /// The number of these workers.
        workers: u64,
    },
    /// Live workers can run it, and none of them accepts it.
    NotAccepted {
        /// The queue.
        queue: String,
        /// The number of live workers that take the queue and can run the kind.
        workers: u64,
        /// At most ten of their filters.
        filters: Vec<String>,
    },
    /// All slots of the workers that accept it are taken.
    Busy {
        /// The number of these workers.
        workers: u64,
        /// The number of their slots for jobs of its queue.
        slots: u64,
        /// The time at which the last of them was taken.
        #[serde(deserialize_with = "of_micros")]
        since: SystemTime,
    },
    /// It was running when its worker died, and waits in quarantine.
    Quarantined {
        /// The number of times that this happened.
        crashes: u32,
        /// The number of times that it survives this.
        max_crashes: u32,
        /// The number of quarantined jobs before it.
        behind: u64,
        /// True if that number is exact. Above ten thousand it is an estimate.
        exact: bool,
        /// True if it runs only while no other quarantined job runs in its worker.
        alone: bool,
    },
    /// It waits for its turn.
    InLine {
        /// The queue.
        queue: String,
        /// The number of jobs before it.
        behind: u64,
        /// True if that number is exact. Above ten thousand it is an estimate.
        exact: bool,
        /// The number of jobs of its line that ended each second of the last minute.
        per_second: f64,
        /// The number of slots that are free for it.
        free_slots: u64,
    },
    /// A cause that this version does not know: a newer one made the sentence.
    #[serde(skip)]
    Other,
}

/// The origin of the time of a scheduled job: from [`Cause::Scheduled`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ScheduledBy {
    /// Its enqueue, with a delay or a time.
    Enqueue,
    /// Its last attempt, which asked for a snooze.
    Snooze,
    /// The failure of its last attempt.
    Retry,
    /// Something that this version does not know.
    #[serde(other)]
    Other,
}

/// A parent that a job waits for: from [`Cause::Blocked`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ParentStanding {
    /// The parent.
    pub job: JobId,
    /// Its name in the workflow, or else its kind.
    pub name: Option<String>,
    /// Its state, in the words of [`JobState`](crate::JobState); `not there` if there is no such job any more.
    pub state: String,
}

impl Cause {
    /// Reads a code and its details. Returns [`Cause::Other`] for those of a newer version.
    pub(crate) fn read(code: &str, details: &Value) -> Self {
        let tagged = Map::from_iter([(code.to_owned(), details.clone())]);
        serde_json::from_value(Value::Object(tagged)).unwrap_or(Self::Other)
    }
}
