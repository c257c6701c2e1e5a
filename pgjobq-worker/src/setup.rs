//! The mistakes of a worker's set-up, all found by `build()` before the first claim.

use std::fmt;

use pgjobq_core::filter::FilterError;
use pgjobq_core::worker_api::{DuplicateKind, JobDescriptor, Registry, ScheduleMistake, States, chain};
use pgjobq_core::{DatabaseError, InvalidName, ScheduleError};

use crate::config::{Config, QueueLimits};

/// The error of a worker that cannot be built, with all mistakes of its set-up. From
/// [`WorkerBuilder::build`](crate::WorkerBuilder::build).
#[non_exhaustive]
pub struct BuildError {
    /// The mistakes.
    pub problems: Vec<SetupProblem>,
}

/// One mistake in a worker's set-up: from [`BuildError::problems`].
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SetupProblem {
    /// Two job functions have the same kind.
    #[error("{0}")]
    DuplicateKind(DuplicateKind),
    /// No job function is linked into the program.
    #[error(
        "no job is linked into this program: annotate one with `#[job]`, or, where the jobs are in another crate, say `use my_jobs as _;` so that it is linked"
    )]
    NoJobs,
    /// A job function of a queue that the worker serves takes a state that the worker lacks.
    #[error(
        "the job `{kind}` ({file}:{line}) of the queue `{queue}` takes `State<{state}>`, {}",
        remedy(state, similar)
    )]
    MissingState {
        /// The job's kind.
        kind: &'static str,
        /// Its queue.
        queue: &'static str,
        /// Its source file.
        file: &'static str,
        /// Its line.
        line: u32,
        /// The type.
        state: &'static str,
        /// The types of the worker's states that contain the type, or that it contains, such as `Arc<Mailer>`.
        similar: Vec<&'static str>,
    },
    /// Two states have the same type.
    #[error(
        "two states of the type `{0}` are given, and a job function can take only one: give one, or wrap the other in a type of its own"
    )]
    DuplicateState(&'static str),
    /// A job function has a schedule with a mistake, or one that can never fire.
    #[error("the schedule `{schedule}` of the job `{kind}` ({file}:{line}): {mistake}")]
    Schedule {
        /// The name of the schedule.
        schedule: &'static str,
        /// The job's kind.
        kind: &'static str,
        /// Its source file.
        file: &'static str,
        /// Its line.
        line: u32,
        /// The mistake.
        mistake: ScheduleError,
    },
    /// A name that no queue can have.
    #[error(transparent)]
    QueueName(InvalidName),
    /// A queue is named twice.
    #[error("the queue `{0}` is given twice: name it once, with one limit")]
    DuplicateQueue(String),
    /// A queue does not exist, and no job function of this program names it.
    #[error(
        "the queue `{queue}` does not exist, and no job of this program names it{}", advice(queue, *similar)
    )]
    UnknownQueue {
        /// The queue.
        queue: String,
        /// A queue of this program's jobs with a similar name.
        similar: Option<&'static str>,
    },
    /// A queue has no slots.
    #[error(
        "the queue `{0}` has a limit of 0, so that nothing of it would ever run: give it at least 1, or leave it out"
    )]
    NoSlots(String),
    /// The filter of the jobs that it accepts is wrong.
    #[error("`accept`: {0}")]
    Filter(FilterError),
    /// The database cannot read the filter.
    #[error("the database cannot read the filter `{filter}`: {error}")]
    UnreadableFilter {
        /// The filter.
        filter: String,
        /// The error of the database.
        error: DatabaseError,
    },
    /// The lease is too short for the heartbeat.
    #[error(
        "a lease of {lease:?} is too short for a heartbeat every {heartbeat:?}: make it three times as long at least"
    )]
    ShortLease {
        /// The lease.
        lease: std::time::Duration,
        /// The heartbeat.
        heartbeat: std::time::Duration,
    },
    /// An interval is zero.
    #[error("`{0}` is zero, and would never end: give it some milliseconds at least")]
    ZeroInterval(&'static str),
    /// An interval exceeds one year.
    #[error("`{name}` is {interval:?}, more than a year: a unit may be wrong")]
    LongInterval {
        /// The setting.
        name: &'static str,
        /// The interval.
        interval: std::time::Duration,
    },
    /// Too few connections.
    #[error("a worker needs at least 2 connections, one to claim and one to finish, and this one has {0}")]
    TooFewConnections(u32),
    /// The server does not give the connections that the worker needs.
    #[error(
        "the database does not give the {wanted} connections that this worker needs: raise `max_connections`, or the connection limit of the role or the database, or give it fewer with `.connections(…)`: {error}"
    )]
    NoConnections {
        /// The number that it needs, the one for heartbeats included.
        wanted: u32,
        /// The error of the database.
        error: DatabaseError,
    },
    /// A pooler in transaction mode stands between the worker and the database.
    #[error(
        "a pooler in transaction mode stands before the database, and hands the worker's connections to other clients between two statements: give the worker a client with a direct URL, or with one in session mode (programs that only enqueue may go through a pooler that keeps prepared statements, as PgBouncer does from 1.21 on with `max_prepared_statements`)"
    )]
    Pooler,
    /// The database cannot be reached, or refuses.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<ScheduleMistake> for SetupProblem {
    fn from(ScheduleMistake { job, schedule, mistake }: ScheduleMistake) -> Self {
        Self::Schedule { schedule, kind: job.kind, file: job.file, line: job.line, mistake }
    }
}

fn remedy(state: &str, similar: &[&str]) -> String {
    if similar.contains(&state) {
        return "and the worker has one of another version of its crate: use the same version in both places"
            .to_owned();
    }
    if similar.is_empty() {
        return "and the worker has none: give it one with `.state(…)`".to_owned();
    }
    let types: Vec<_> = similar.iter().map(|name| format!("`{name}`")).collect();
    format!(
        "and the worker has {}: give it the value itself with `.state(…)`, because `State` shares it, or write that type in the job \
         function",
        types.join(", ")
    )
}

fn advice(queue: &str, similar: Option<&str>) -> String {
    let create = format!("create it once with `client.queue(\"{queue}\").save().await?`");
    match similar {
        Some(similar) => format!(": did you mean `{similar}`? Or {create}"),
        None => format!(": {create}, or correct its name"),
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [one] => write!(out, "the worker cannot start: {}", chain(one)),
            many => {
                write!(out, "the worker cannot start:")?;
                many.iter().try_for_each(|problem| write!(out, "\n  - {}", chain(problem)))
            }
        }
    }
}

impl std::error::Error for BuildError {}

pgjobq_core::debug_as_message!(BuildError, SetupProblem);

/// Returns the mistakes that can be found without the database.
pub(crate) fn check(
    config: &Config,
    queues: &[(String, QueueLimits)],
    registry: &Registry,
    duplicates: Vec<DuplicateKind>,
    states: &States,
) -> Vec<SetupProblem> {
    let mut problems: Vec<_> = duplicates.into_iter().map(SetupProblem::DuplicateKind).collect();
    if registry.is_empty() {
        problems.push(SetupProblem::NoJobs);
    }
    problems.extend(states.repeated().iter().copied().map(SetupProblem::DuplicateState));
    // A worker runs only the kinds whose states it has, so jobs of queues that it does not serve need none.
    let is_served = |job: &&JobDescriptor| queues.iter().any(|(queue, _)| queue == job.policy.queue);
    for job in registry.jobs().filter(is_served) {
        let missing = job.states.iter().filter(|state| !states.has(**state));
        problems.extend(missing.map(|state| SetupProblem::MissingState {
            kind: job.kind,
            queue: job.policy.queue,
            file: job.file,
            line: job.line,
            state: state.name(),
            similar: states.similar(*state),
        }));
    }
    for (place, (queue, limits)) in queues.iter().enumerate() {
        if let Err(error) = pgjobq_core::worker_api::check_name("queue", queue) {
            problems.push(SetupProblem::QueueName(error));
        }
        if queues[..place].iter().any(|(earlier, _)| earlier == queue) {
            problems.push(SetupProblem::DuplicateQueue(queue.clone()));
        }
        if limits.local == 0 {
            problems.push(SetupProblem::NoSlots(queue.clone()));
        }
    }
    problems.extend(check_times(config));
    if config.connections < 2 {
        problems.push(SetupProblem::TooFewConnections(config.connections));
    }
    problems
}

/// The longest interval. A longer one is a mistaken unit, and would overflow calculations.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(366 * 24 * 60 * 60);

fn check_times(config: &Config) -> Vec<SetupProblem> {
    let intervals = [
        ("poll_interval", config.poll_interval),
        ("heartbeat", config.heartbeat),
        ("lease", config.lease),
        ("claim_timeout", config.claim_timeout),
        ("grace", config.grace),
    ];
    let mut problems = Vec::new();
    for (name, interval) in intervals {
        if interval > LONGEST {
            problems.push(SetupProblem::LongInterval { name, interval });
        } else if interval.is_zero() && !["lease", "grace"].contains(&name) {
            problems.push(SetupProblem::ZeroInterval(name));
        }
    }
    if problems.is_empty() && config.lease < config.heartbeat * 3 {
        problems.push(SetupProblem::ShortLease { lease: config.lease, heartbeat: config.heartbeat });
    }
    problems
}

#[cfg(test)]
mod tests;
