//! The operations as SQL: the calls that the library makes, with the rows of the stage.

use crate::operation::{Action, Decision, Isolation, Job, LEASE, Operation};

/// The worker that holds the lease, and another one, which claims.
const HOLDER: i64 = 1;
const CLAIMER: i64 = 2;

impl Operation {
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
                     array[3]::smallint[], array[{ids}], array[{shapes}], array[{args}], null, null, null, null, true, null)"
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
            Action::Reap => "reap(0::smallint, '{}')".into(),
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

impl Decision {
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
