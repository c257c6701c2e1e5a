//! All operations, and the groups of three that the design makes dangerous.

use crate::operation::{Action, DEAD, Decision, GONE, Job, Operation};

const fn simple(name: &'static str, action: Action) -> Operation {
    Operation { name, action, asked: false }
}

/// An operation that finds requests to cancel.
const fn asked(operation: Operation) -> Operation {
    Operation { asked: true, ..operation }
}

const fn finish(name: &'static str, ended: &'static [(Job, Decision)], close: bool) -> Operation {
    simple(name, Action::Finish { ended, close })
}

const fn enqueue(name: &'static str, jobs: &'static [Job], rolled_back: bool) -> Operation {
    simple(name, Action::Enqueue { jobs, rolled_back })
}

const fn complete_in(
    name: &'static str,
    keep: bool,
    enqueued: &'static [Job],
    rolled_back: bool,
) -> Operation {
    simple(name, Action::CompleteIn { keep, enqueued, rolled_back })
}

const fn claim(name: &'static str, want: i64, wait: bool, found: &'static str) -> Operation {
    simple(name, Action::Claim { want, wait, found })
}

/// All operations. Jobs 7 and 8 do not exist before they are enqueued.
pub(crate) const OPERATIONS: &[Operation] = &[
    enqueue("enqueue", &[7], false),
    enqueue("enqueue a live job", &[1], false),
    enqueue("enqueue many", &[1, 6, 7, 8], false),
    enqueue("enqueue and roll back", &[7, 8], true),
    enqueue("enqueue a dead job", &[DEAD], false),
    claim("claim", 3, true, "null"),
    claim("claim one without waiting", 1, false, "null"),
    claim("claim found tickets", 2, true, "{4,3,4,1}"),
    simple("claim quarantined jobs", Action::ClaimQuarantined { want: 3 }),
    finish("complete", &[(1, Decision::Complete), (2, Decision::Complete)], true),
    finish("complete and keep", &[(1, Decision::CompleteKept), (2, Decision::CompleteKept)], true),
    finish("retry later", &[(1, Decision::RetryLater), (2, Decision::RetryLater)], true),
    finish("retry now", &[(1, Decision::RetryNow), (2, Decision::RetryNow)], true),
    finish("bury", &[(1, Decision::Bury), (2, Decision::Bury)], true),
    finish("snooze", &[(1, Decision::Snooze), (2, Decision::Snooze)], true),
    finish("cancel itself", &[(1, Decision::Cancel), (2, Decision::Cancel)], true),
    finish("release", &[(1, Decision::Release), (2, Decision::Release)], true),
    finish("return", &[(1, Decision::Return), (2, Decision::Return)], true),
    finish("mixed", &[(1, Decision::RetryNow), (2, Decision::Complete)], true),
    finish("complete some", &[(1, Decision::Complete)], false),
    finish("retry some", &[(1, Decision::RetryNow)], false),
    finish("complete the rest and close", &[(2, Decision::Complete)], true),
    finish("close", &[], true),
    asked(finish("retry one that is asked for", &[(1, Decision::RetryNow), (2, Decision::Release)], true)),
    simple("heartbeat", Action::Heartbeat),
    simple("give up workers", Action::GiveUpWorkers),
    simple("reap", Action::Reap),
    simple("return the lease", Action::ReturnLease),
    simple("promote", Action::Promote),
    simple("leave", Action::Leave),
    complete_in("complete in", false, &[], false),
    complete_in("complete in and roll back", true, &[], true),
    complete_in("complete in and enqueue", true, &[7], false),
    complete_in("complete in and enqueue it again", true, &[1], false),
    simple("ask to cancel", Action::Ask { jobs: &[1, 3, 6, DEAD], rolled_back: false }),
    simple("ask to cancel and roll back", Action::Ask { jobs: &[1, 3], rolled_back: true }),
    simple("cancel", Action::Cancel { jobs: &[1, 3, 6] }),
    asked(simple("act on requests", Action::ActOnCancels { jobs: Some(&[8, 6, 3, 1]) })),
    asked(simple("act on requests for what is gone", Action::ActOnCancels { jobs: Some(GONE) })),
    asked(simple("act on all requests", Action::ActOnCancels { jobs: None })),
    simple("expire", Action::Expire),
    simple("requeue", Action::Requeue { edited: false }),
    simple("requeue with other arguments", Action::Requeue { edited: true }),
    simple("change arguments in line", Action::ChangeArgs { job: 3 }),
    simple("change arguments of a running job", Action::ChangeArgs { job: 1 }),
    simple("change arguments of a dead job", Action::ChangeArgs { job: DEAD }),
    simple("purge", Action::Purge),
    simple("purge the queue", Action::PurgeQueue),
    simple("delete the queue", Action::DeleteQueue),
    simple("pause the queue", Action::Pause { marked: false }),
    simple("pause the queue of a marked lane", Action::Pause { marked: true }),
];

/// Groups of three in which two operations, each correct by itself, may leave a gap for the third.
pub(crate) const TRIPLES: &[[&str; 3]] = &[
    ["cancel", "retry now", "reap"],
    ["cancel", "promote", "claim"],
    ["cancel", "snooze", "promote"],
    ["ask to cancel", "retry now", "claim"],
    ["ask to cancel", "return the lease", "claim"],
    ["act on requests", "act on all requests", "retry now"],
    ["complete in", "reap", "claim"],
    ["complete in", "return the lease", "claim"],
    ["complete in and roll back", "reap", "act on all requests"],
    ["complete in and enqueue it again", "complete and keep", "claim"],
    ["requeue", "enqueue a dead job", "claim"],
    ["requeue", "requeue with other arguments", "claim"],
    ["requeue", "change arguments of a dead job", "claim"],
    ["change arguments of a running job", "retry now", "claim"],
    ["expire", "claim", "return"],
    ["expire", "cancel", "claim"],
    ["delete the queue", "purge the queue", "enqueue"],
    ["pause the queue of a marked lane", "claim", "claim found tickets"],
];

/// Returns the operation of this name.
pub(crate) fn named(name: &str) -> &'static Operation {
    OPERATIONS.iter().find(|operation| operation.name == name).unwrap()
}
