//! What two sessions do to the same rows: the calls that the library makes, with the rows of the stage (see `bench.sql`).

use std::fmt;

/// Jobs have small numbers here.
pub(crate) type Job = i64;

/// The lease of jobs 1 and 2.
pub(crate) const LEASE: i64 = 11;

/// What an attempt means for its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Complete,
    CompleteKept,
    Bury,
    RetryLater,
    RetryNow,
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
    Claim {
        want: i64,
        wait: bool,
        found: &'static str,
    },
    ClaimSuspect,
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
}

/// The isolation of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

pub(crate) const LEVELS: [Isolation; 3] =
    [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Serializable];

const fn finish(name: &'static str, ended: &'static [(Job, Decision)], close: bool) -> Operation {
    Operation { name, action: Action::Finish { ended, close } }
}

const fn enqueue(name: &'static str, jobs: &'static [Job], rolled_back: bool) -> Operation {
    Operation { name, action: Action::Enqueue { jobs, rolled_back } }
}

const fn claim(name: &'static str, want: i64, wait: bool, found: &'static str) -> Operation {
    Operation { name, action: Action::Claim { want, wait, found } }
}

const fn simple(name: &'static str, action: Action) -> Operation {
    Operation { name, action }
}

/// All of them. Jobs 7 and 8 do not exist before they are enqueued.
pub(crate) const OPERATIONS: &[Operation] = &[
    enqueue("enqueue", &[7], false),
    enqueue("enqueue a live job", &[1], false),
    enqueue("enqueue many", &[1, 6, 7, 8], false),
    enqueue("enqueue and roll back", &[7, 8], true),
    claim("claim", 3, true, "null"),
    claim("claim one without waiting", 1, false, "null"),
    claim("claim found tickets", 2, true, "{4,3,4,1}"),
    simple("claim a suspect", Action::ClaimSuspect),
    finish("complete", &[(1, Decision::Complete), (2, Decision::Complete)], true),
    finish("complete and keep", &[(1, Decision::CompleteKept), (2, Decision::CompleteKept)], true),
    finish("retry later", &[(1, Decision::RetryLater), (2, Decision::RetryLater)], true),
    finish("retry now", &[(1, Decision::RetryNow), (2, Decision::RetryNow)], true),
    finish("bury", &[(1, Decision::Bury), (2, Decision::Bury)], true),
    finish("release", &[(1, Decision::Release), (2, Decision::Release)], true),
    finish("return", &[(1, Decision::Return), (2, Decision::Return)], true),
    finish("mixed", &[(1, Decision::RetryNow), (2, Decision::Complete)], true),
    finish("complete some", &[(1, Decision::Complete)], false),
    finish("retry some", &[(1, Decision::RetryNow)], false),
    finish("complete the rest and close", &[(2, Decision::Complete)], true),
    finish("close", &[], true),
    simple("heartbeat", Action::Heartbeat),
    simple("give up workers", Action::GiveUpWorkers),
    simple("reap", Action::Reap),
    simple("return the lease", Action::ReturnLease),
    simple("promote", Action::Promote),
    simple("leave", Action::Leave),
];

/// The operation of this name.
pub(crate) fn named(name: &str) -> &'static Operation {
    OPERATIONS.iter().find(|operation| operation.name == name).unwrap()
}

impl Decision {
    pub(crate) fn ends_the_job(self) -> bool {
        matches!(self, Self::Complete | Self::CompleteKept | Self::Bury)
    }

    pub(crate) fn keeps(self) -> bool {
        matches!(self, Self::CompleteKept | Self::Bury)
    }
}

impl Operation {
    /// Whether it is a part of a caller's transaction, whose isolation is the caller's choice.
    pub(crate) fn is_callers(&self) -> bool {
        matches!(self.action, Action::Enqueue { .. })
    }

    /// Whether it finds something to do only after worker 1 was given up.
    pub(crate) fn wants_worker_given_up(&self) -> bool {
        matches!(self.action, Action::Reap)
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
