//! What two sessions do to the same rows: the calls that the library makes, with the rows of the stage (see `bench.sql`).

use std::fmt;

/// Jobs have small numbers here.
pub(crate) type Job = i64;

/// The lease of jobs 1 and 2, and the worker that holds it.
pub(crate) const LEASE: i64 = 11;
pub(crate) const HOLDER: i64 = 1;
/// Another worker, which claims.
const CLAIMER: i64 = 2;

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

    fn word(self) -> &'static str {
        match self {
            Self::Complete | Self::CompleteKept => "complete",
            Self::Bury => "bury",
            Self::RetryLater | Self::RetryNow => "retry",
            Self::Release => "release",
            Self::Return => "return",
        }
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

    /// Its transaction, as one script for the session of one side, 1 or 2. The answer is a row `answer`.
    pub(crate) fn script(&self, side: usize, isolation: Isolation) -> String {
        let end = match self.action {
            Action::Enqueue { rolled_back: true, .. } => "rollback;",
            // The others come to their last step when they have written; between it and the commit they only read.
            Action::GiveUpWorkers | Action::Leave => "select races.pause('workers deleted');\ncommit;",
            _ => "commit;",
        };
        let call = self.call(side);
        format!(
            "begin isolation level {isolation};\nselect to_jsonb(a)::text as answer from pgjobq.{call} a;\n{end}"
        )
    }

    fn call(&self, side: usize) -> String {
        let queue = "(select id from pgjobq.queues where name = 'default')";
        let lease = 100 + side;
        match self.action {
            Action::Enqueue { jobs, .. } => {
                let (ids, shapes) =
                    (list(jobs, |job| format!("races.id({job})")), list(jobs, |_| "1".into()));
                let args = list(jobs, |_| "'{}'".into());
                format!(
                    "enqueue_many(array['kind'], array['default'], array[3]::smallint[], array[5]::smallint[], \
                     array[3]::smallint[], array[{ids}], array[{shapes}], array[{args}], null, null, true)"
                )
            }
            Action::Claim { want, wait, found } => {
                let found =
                    if found == "null" { "null, null".into() } else { format!("'{found}', '{{3,3,3,3}}'") };
                format!(
                    "claim(0::smallint, {queue}, {CLAIMER}, {lease}, {wait}, '{{kind}}', {want}, '{{0,0,0,0}}', {found})"
                )
            }
            Action::ClaimSuspect => {
                format!("claim_suspect(0::smallint, {queue}, {CLAIMER}, {lease}, '{{kind}}')")
            }
            Action::Finish { ended, close } => {
                let of = |cell: &dyn Fn(Job, Decision) -> String, kind: &str| {
                    let cells: Vec<_> = ended.iter().map(|(job, decision)| cell(*job, *decision)).collect();
                    format!("array[{}]::{kind}[]", cells.join(", "))
                };
                let columns = [
                    of(&|_, _| "1".into(), "int"),
                    of(&|job, _| format!("races.id({job})"), "uuid"),
                    of(&|job, _| job.to_string(), "bigint"),
                    of(&|_, decision| format!("'{}'", decision.word()), "text"),
                    of(
                        &|_, decision| if decision == Decision::RetryLater { "1" } else { "null" }.into(),
                        "bigint",
                    ),
                    of(&|_, decision| if decision.keeps() { "1" } else { "null" }.into(), "bigint"),
                    of(&|_, decision| if decision.keeps() { "'{}'" } else { "null" }.into(), "text"),
                    of(&|_, _| "'error'".into(), "text"),
                    of(&|_, _| "'it failed'".into(), "text"),
                ];
                format!(
                    "finish(0::smallint, {HOLDER}, 'worker 1', array[{queue}], array[3]::smallint[], array[2]::bigint[], \
                     array[{LEASE}]::bigint[], array[{close}], {})",
                    columns.join(", ")
                )
            }
            Action::Heartbeat => format!("heartbeat(0::smallint, {HOLDER})"),
            Action::GiveUpWorkers => "give_up_workers(0::smallint, interval '1 minute')".into(),
            Action::Reap => "reap(0::smallint, interval '1 day')".into(),
            Action::ReturnLease => {
                format!("return_lease(0::smallint, {HOLDER}, {queue}, 3::smallint, 2, {LEASE})")
            }
            Action::Promote => "promote(0::smallint, 100)".into(),
            Action::Leave => format!("leave(0::smallint, {CLAIMER})"),
        }
    }
}

fn list(jobs: &[Job], cell: impl Fn(&Job) -> String) -> String {
    jobs.iter().map(cell).collect::<Vec<_>>().join(", ")
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
