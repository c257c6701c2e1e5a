//! What sessions do to the same rows: the calls that the library makes, with the rows of the stage (see `bench.sql`).

use std::fmt;

/// Jobs have small numbers here.
pub(crate) type Job = i64;

/// The lease of jobs 1 and 2.
pub(crate) const LEASE: i64 = 11;

/// The dead job, which a person may put back in line.
pub(crate) const DEAD: Job = 9;

/// What an attempt means for its job.
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

/// What an operation does.
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
    /// As a handle does it: asks, commits, and acts upon it.
    Cancel {
        jobs: &'static [Job],
    },
    /// On these requests, or on all.
    ActOnCancels {
        jobs: Option<&'static [Job]>,
    },
    Expire,
    Requeue {
        edited: bool,
    },
    Purge,
    /// Cancels all that waits.
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
}

#[derive(Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) action: Action,
    /// Whether it finds requests to cancel on the stage.
    pub(crate) asked: bool,
}

/// An operation, and the isolation of its transaction.
pub(crate) type Side = (&'static Operation, Isolation);

/// How the stage is set for some operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stage {
    /// Worker 1 was given up.
    pub(crate) given_up: bool,
    /// Somebody has asked to cancel jobs 1, 3 and 6, and 7 and 8, which are not there.
    pub(crate) asked: bool,
    /// Jobs 1 and 3 should have been started by now.
    pub(crate) expiring: bool,
}

/// The jobs that are asked for on the stage.
pub(crate) const ASKED: &[Job] = &[1, 3, 6, 7, 8];

/// Those of them that are not there, and not in the order in which a look at all of them finds them.
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

    /// How the job's row in `finished` says that it ended, when there is one.
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
    /// Whether it is a part of a caller's transaction, whose isolation is the caller's choice.
    pub(crate) fn is_callers(&self) -> bool {
        matches!(self.action, Action::Enqueue { .. } | Action::Ask { .. } | Action::CompleteIn { .. })
    }

    /// Whether its isolation, which is the caller's choice, makes a difference. A request to cancel only adds a row, and what
    /// is rolled back was never refused.
    pub(crate) fn minds_its_level(&self) -> bool {
        match self.action {
            Action::Enqueue { rolled_back, .. } | Action::CompleteIn { rolled_back, .. } => !rolled_back,
            _ => false,
        }
    }

    /// The jobs whose rows it names, so that it may have to wait for another transaction that has written them.
    pub(crate) fn names(&self) -> Vec<Job> {
        match self.action {
            Action::Enqueue { jobs, .. } => jobs.to_vec(),
            Action::CompleteIn { enqueued, .. } => [&[1], enqueued].concat(),
            Action::Finish { ended, .. } => ended.iter().map(|(job, _)| *job).collect(),
            Action::Requeue { .. } | Action::Purge => vec![DEAD],
            _ => Vec::new(),
        }
    }

    /// Whether both may come to the same row: of a job, of lane, lease or worker. Those that do not are not run together.
    pub(crate) fn shares_rows(&self, other: &Self) -> bool {
        let theirs = other.rows();
        self.rows().iter().any(|row| theirs.contains(row))
    }

    /// The rows that it may come to. Jobs have their numbers.
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
        }
    }
}

impl Stage {
    /// On which each of these operations finds something to do.
    pub(crate) fn of(sides: &[Side]) -> Self {
        let any = |wants: fn(&Operation) -> bool| sides.iter().any(|(operation, _)| wants(operation));
        Self {
            given_up: any(|operation| matches!(operation.action, Action::Reap)),
            asked: any(|operation| operation.asked),
            expiring: any(|operation| matches!(operation.action, Action::Expire)),
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
