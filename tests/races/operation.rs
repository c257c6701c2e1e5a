//! The operations of sessions on the same rows: the library's calls, with the rows of the stage (see `bench.sql`).

use std::fmt;

/// Jobs have small numbers here.
pub(crate) type Job = i64;

/// The lease of jobs 1 and 2.
pub(crate) const LEASE: i64 = 11;

/// The dead job, which a person may requeue.
pub(crate) const DEAD: Job = 9;

/// The decision about an ended attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Complete,
    CompleteKept,
    Bury,
    Cancel,
    RetryLater,
    RetryNow,
    Snooze,
    Release,
    Return,
}

/// The action of an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    /// In a caller's transaction.
    Enqueue {
        jobs: &'static [Job],
        rolled_back: bool,
    },
    /// In a caller's transaction.
    Ask {
        jobs: &'static [Job],
        rolled_back: bool,
    },
    /// In the job function's own transaction: job 1 ends, and others are enqueued.
    CompleteIn {
        keep: bool,
        enqueued: &'static [Job],
        rolled_back: bool,
    },
    /// Cancels as a handle does: requests, commits, and acts on the request.
    Cancel {
        jobs: &'static [Job],
    },
    /// Acts on these requests, or on all.
    ActOnCancels {
        jobs: Option<&'static [Job]>,
    },
    Expire,
    Requeue {
        edited: bool,
    },
    /// Changes the arguments of a job that does not run.
    ChangeArgs {
        job: Job,
    },
    Purge,
    /// Cancels all waiting jobs.
    PurgeQueue,
    DeleteQueue,
    Claim {
        want: i64,
        wait: bool,
        found: &'static str,
    },
    ClaimQuarantined {
        want: i64,
    },
    /// Under the lease, which may be closed with it.
    Finish {
        ended: &'static [(Job, Decision)],
        close: bool,
    },
    Heartbeat,
    GiveUpWorkers,
    Reap,
    ReturnLease,
    Promote,
    Leave,
    /// Pauses the queue, whose lane is marked already or not.
    Pause {
        marked: bool,
    },
}

#[derive(Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) action: Action,
    /// True if it finds requests to cancel on the stage.
    pub(crate) asked: bool,
}

/// An operation, and the isolation of its transaction.
pub(crate) type Side = (&'static Operation, Isolation);

/// The variant of the stage that some operations need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stage {
    /// Worker 1 was reaped.
    pub(crate) given_up: bool,
    /// Jobs 1, 3 and 6 have requests to cancel, and so have 7 and 8, which do not exist.
    pub(crate) asked: bool,
    /// The `expires_at` of jobs 1 and 3 has passed.
    pub(crate) expiring: bool,
    /// The lane `may_be_paused`, and no pause concerns it.
    pub(crate) marked: bool,
}

/// The jobs that have requests to cancel on the stage.
pub(crate) const ASKED: &[Job] = &[1, 3, 6, 7, 8];

/// The requested jobs that do not exist. Their order differs from that in which a look at all requests finds them.
pub(crate) const GONE: &[Job] = &[8, 7];

/// The isolation of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

pub(crate) const LEVELS: [Isolation; 3] =
    [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Serializable];

impl Decision {
    pub(crate) fn ends_the_job(self) -> bool {
        matches!(self, Self::Complete | Self::CompleteKept | Self::Bury | Self::Cancel)
    }

    /// Returns the outcome in the job's row in `finished`, if there is one.
    pub(crate) fn kept_as(self) -> Option<&'static str> {
        match self {
            Self::CompleteKept => Some("completed"),
            Self::Bury => Some("dead"),
            Self::Cancel => Some("cancelled"),
            _ => None,
        }
    }
}

impl Operation {
    /// Returns whether it is part of a caller's transaction, whose isolation the caller chooses.
    pub(crate) fn is_callers(&self) -> bool {
        matches!(self.action, Action::Enqueue { .. } | Action::Ask { .. } | Action::CompleteIn { .. })
    }

    /// Returns whether its isolation, which the caller chooses, makes a difference. A request to cancel only adds a row,
    /// and an operation that is rolled back was never refused.
    pub(crate) fn minds_its_level(&self) -> bool {
        match self.action {
            Action::Enqueue { rolled_back, .. } | Action::CompleteIn { rolled_back, .. } => !rolled_back,
            _ => false,
        }
    }

    /// The jobs whose rows it names. It may have to wait for another transaction that has written them.
    pub(crate) fn names(&self) -> Vec<Job> {
        match self.action {
            Action::Enqueue { jobs, .. } => jobs.to_vec(),
            Action::CompleteIn { enqueued, .. } => [&[1], enqueued].concat(),
            Action::Finish { ended, .. } => ended.iter().map(|(job, _)| *job).collect(),
            Action::Requeue { .. } | Action::Purge | Action::ChangeArgs { job: DEAD } => vec![DEAD],
            _ => Vec::new(),
        }
    }

    /// Returns whether both may reach the same row: of a job, lane, lease or worker. Only such operations are run together.
    pub(crate) fn shares_rows(&self, other: &Self) -> bool {
        let theirs = other.rows();
        self.rows().iter().any(|row| theirs.contains(row))
    }

    /// The rows that it may reach. Jobs have their numbers.
    fn rows(&self) -> Vec<Job> {
        const LANE: i64 = -1;
        const THE_LEASE: i64 = -2;
        const WORKER_1: i64 = -3;
        const WORKER_2: i64 = -4;
        const QUEUE: i64 = -5;
        match self.action {
            Action::Enqueue { .. } | Action::Requeue { .. } => [self.names(), vec![QUEUE]].concat(),
            Action::Purge => self.names(),
            Action::PurgeQueue => vec![1, 2, 3, 4, 5, 6, 7, 8, 9, LANE, THE_LEASE],
            Action::DeleteQueue => vec![QUEUE],
            Action::Ask { jobs, .. } => jobs.to_vec(),
            Action::CompleteIn { .. } | Action::Finish { .. } => [self.names(), vec![THE_LEASE]].concat(),
            Action::Cancel { jobs } => [jobs, &[LANE, THE_LEASE]].concat(),
            Action::ChangeArgs { job } => vec![job, LANE, THE_LEASE],
            Action::ActOnCancels { jobs: Some(GONE) } => GONE.to_vec(),
            Action::ActOnCancels { jobs } => [jobs.unwrap_or(ASKED), &[LANE, THE_LEASE]].concat(),
            Action::Expire => vec![1, 3, LANE, THE_LEASE],
            Action::Claim { .. } => vec![1, 2, 3, 4, 6, 7, 8, 9, LANE, THE_LEASE, WORKER_2],
            Action::ClaimQuarantined { .. } => vec![1, 2, 5, LANE, THE_LEASE, WORKER_2],
            Action::Heartbeat => vec![THE_LEASE, WORKER_1],
            Action::GiveUpWorkers => vec![WORKER_1, WORKER_2],
            Action::Reap => vec![1, 2, THE_LEASE, WORKER_1],
            Action::ReturnLease => vec![1, 2, THE_LEASE],
            Action::Promote => vec![1, 2, 6],
            Action::Leave => vec![WORKER_2],
            Action::Pause { .. } => vec![LANE],
        }
    }
}

impl Stage {
    /// The stage on which each of these operations finds work.
    pub(crate) fn of(sides: &[Side]) -> Self {
        let any = |wants: fn(&Operation) -> bool| sides.iter().any(|(operation, _)| wants(operation));
        Self {
            given_up: any(|operation| matches!(operation.action, Action::Reap)),
            asked: any(|operation| operation.asked),
            expiring: any(|operation| matches!(operation.action, Action::Expire)),
            marked: any(|operation| matches!(operation.action, Action::Pause { marked: true })),
        }
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::ReadCommitted => "read committed",
            Self::RepeatableRead => "repeatable read",
            Self::Serializable => "serializable",
        })
    }
}
