//! The operations as SQL: the calls that the library makes, with the rows of the stage.

use crate::operation::{Action, DEAD, Decision, GONE, Isolation, Job, LEASE, Operation};

/// The worker that holds the lease, and another one, which claims.
const HOLDER: i64 = 1;
const CLAIMER: i64 = 2;

const QUEUE: &str = "(select id from pgjobq.queues where name = 'default')";

impl Operation {
    /// Its transaction, as one script for the session of one side, from 1 on. The answer is a row `answer`.
    pub(crate) fn script(&self, side: usize, isolation: Isolation) -> String {
        let skipped = self.skipped();
        let (mut begin, mut end) =
            (format!("set races.skipped = '{skipped}'; begin isolation level {isolation};"), "commit;");
        match self.action {
            Action::Enqueue { rolled_back: true, .. } => end = "rollback;",
            Action::Ask { rolled_back, .. } => {
                end = if rolled_back { PAUSE_AND_ROLL_BACK } else { "select races.pause('asked');\ncommit;" };
            }
            // A stale result rolls the transaction back, as the library does.
            Action::CompleteIn { keep, enqueued, rolled_back } => {
                let completed = format!("races.must(pgjobq.{})", complete_in(keep));
                if enqueued.is_empty() {
                    let end = if rolled_back { "rollback;" } else { "commit;" };
                    return format!("{begin}\nselect to_jsonb({completed})::text as answer;\n{end}");
                }
                begin.push_str(&format!("\nselect {completed};"));
            }
            // The request is committed first; a transaction of ours acts on it.
            Action::Cancel { jobs } => {
                begin = format!(
                    "set races.skipped = '{skipped}'; begin;\nselect set_config('races.asked', coalesce(to_jsonb(pgjobq.{}), '[]')::text, false);\ncommit;\n\
                     select races.pause('request committed');\nbegin;",
                    ask(jobs)
                );
            }
            // A claim that read the clock a while ago.
            Action::Claim { .. } | Action::ClaimQuarantined { .. } => {
                begin.insert_str(0, "set races.lag = '1 hour'; ")
            }
            // The other operations reach their last step when they have written. Between it and the commit they only read.
            Action::GiveUpWorkers | Action::Leave | Action::DeleteQueue => {
                end = "select races.pause('written');\ncommit;";
            }
            _ => {}
        }
        let call = self.call(side);
        let more = match self.action {
            Action::Cancel { .. } => {
                " || jsonb_build_object('asked', current_setting('races.asked', true)::jsonb)".into()
            }
            Action::Finish { .. } => format!(" || jsonb_build_object('closed', races.is_closed({LEASE}))"),
            _ => String::new(),
        };
        let answer = match self.action {
            // A row for each job, and one for all of them.
            Action::Claim { .. } => {
                "jsonb_build_object('ids', jsonb_agg(a.id) filter (where a.id is not null), \
                                    'tickets', jsonb_agg(a.ticket) filter (where a.id is not null))"
            }
            _ => "to_jsonb(a)",
        };
        format!(
            "{begin}\nselect coalesce({answer}{more}, 'null')::text as answer from pgjobq.{call} a;\n{end}"
        )
    }

    /// The steps at which it does not stop, because another operation that has them does.
    fn skipped(&self) -> &'static str {
        match self.action {
            Action::CompleteIn { enqueued, .. } if !enqueued.is_empty() => "lease seen,queues read",
            Action::Cancel { .. } => "requests read,jobs taken",
            Action::ActOnCancels { jobs: Some(GONE) } => "requests read,lanes locked,jobs locked",
            Action::ActOnCancels { jobs: Some(_) } => "requests read",
            Action::Expire | Action::PurgeQueue => "jobs locked",
            // One of each kind stops there.
            Action::Enqueue { jobs, .. } if jobs != [7] => "queues read",
            Action::CompleteIn { rolled_back: true, .. } => "lease seen",
            Action::Claim { want, .. } if want < 3 => "worker locked",
            _ => "",
        }
    }

    fn call(&self, side: usize) -> String {
        let lease = 100 + side;
        match self.action {
            Action::Enqueue { jobs, .. } | Action::CompleteIn { enqueued: jobs, .. } => enqueue(jobs),
            Action::Ask { jobs, .. } => ask(jobs),
            Action::Cancel { jobs } | Action::ActOnCancels { jobs: Some(jobs) } => {
                format!("act_on_cancels(0::smallint, {}, null, 0)", ids(jobs))
            }
            Action::ActOnCancels { jobs: None } => {
                "act_on_cancels(0::smallint, null, races.id(0), 100)".into()
            }
            Action::Expire => "expire(0::smallint, '-infinity', races.id(0), 100)".into(),
            Action::Requeue { edited } => {
                let other = if edited {
                    "null, '{\"edited\": true}', null, 2::smallint, 7::smallint"
                } else {
                    "null, null, null, null, null"
                };
                format!("requeue_jobs(0::smallint, {}, {other})", ids(&[DEAD]))
            }
            Action::ChangeArgs { job } => format!(
                "change_args(races.id({job}), '{{\"edited\": true}}', null, null, null, 'somebody', null)"
            ),
            Action::Purge => format!("purge_ended(0::smallint, {})", ids(&[DEAD])),
            Action::PurgeQueue => format!("purge_queue(0::smallint, {QUEUE}, 3::smallint, 0, 100, null)"),
            Action::DeleteQueue => "delete_queue('default')".into(),
            Action::Claim { want, wait, found } => {
                let found =
                    if found == "null" { "null, null".into() } else { format!("'{found}', '{{3,3,3,3}}'") };
                format!(
                    "claim(0::smallint, {QUEUE}, {CLAIMER}, {lease}, {wait}, '{{kind}}', {want}, '{{0,0,0,0}}', {found})"
                )
            }
            Action::ClaimQuarantined { want } => {
                format!(
                    "claim_quarantined(0::smallint, {QUEUE}, {CLAIMER}, {lease}, '{{kind}}', {want}, true, '{{0,0,0,0}}')"
                )
            }
            Action::Finish { ended, close } => finish(ended, close),
            Action::Heartbeat => format!("heartbeat(0::smallint, {HOLDER})"),
            Action::GiveUpWorkers => "give_up_workers(0::smallint, '{1,2}', '{0,0}')".into(),
            Action::Reap => "reap(0::smallint, '{}')".into(),
            Action::ReturnLease => {
                format!("return_lease(0::smallint, {HOLDER}, {QUEUE}, 3::smallint, 2, {LEASE})")
            }
            Action::Promote => "promote(0::smallint, 100)".into(),
            Action::Leave => format!("leave(0::smallint, {CLAIMER})"),
            Action::Pause { .. } => "pause('queue', 'default')".into(),
        }
    }
}

const PAUSE_AND_ROLL_BACK: &str = "select races.pause('asked');\nrollback;";

fn enqueue(jobs: &[Job]) -> String {
    if let [job] = jobs {
        return format!(
            "enqueue_one('kind', 'default', 3::smallint, 5::smallint, 3::smallint, races.id({job}), '{{}}', null, null, \
             null, null, null, null, true, null)"
        );
    }
    let (ids, shapes) = (ids(jobs), list(jobs, |_| "1".into()));
    let args = list(jobs, |_| "'{}'".into());
    format!(
        "enqueue_many(array['kind'], array['default'], array[3]::smallint[], array[5]::smallint[], \
         array[3]::smallint[], {ids}, array[{shapes}], array[{args}], null, null, null, null, null, null, true, null)"
    )
}

fn ask(jobs: &[Job]) -> String {
    format!("ask_to_cancel(0::smallint, {}, 'somebody', null)", ids(jobs))
}

fn complete_in(keep: bool) -> String {
    let kept = if keep { "1, '{}'" } else { "null, null" };
    format!("complete_in(0::smallint, {HOLDER}, {QUEUE}, 3::smallint, 2, {LEASE}, races.id(1), 1, {kept})")
}

fn finish(ended: &[(Job, Decision)], close: bool) -> String {
    let of = |cell: &dyn Fn(Job, Decision) -> String, kind: &str| {
        let cells: Vec<_> = ended.iter().map(|(job, decision)| cell(*job, *decision)).collect();
        format!("array[{}]::{kind}[]", cells.join(", "))
    };
    let or_null = |there: bool, value: &str| if there { value } else { "null" }.to_owned();
    let columns = [
        of(&|_, _| "1".into(), "int"),
        of(&|job, _| format!("races.id({job})"), "uuid"),
        of(&|job, _| job.to_string(), "bigint"),
        of(&|_, decision| format!("'{}'", decision.word()), "text"),
        of(
            &|_, decision| or_null(matches!(decision, Decision::RetryLater | Decision::Snooze), "1"),
            "bigint",
        ),
        of(&|_, decision| or_null(decision == Decision::CompleteKept, "1"), "bigint"),
        of(&|_, decision| or_null(decision == Decision::CompleteKept, "'{}'"), "text"),
        of(&|_, _| "'error'".into(), "text"),
        of(&|_, _| "'it failed'".into(), "text"),
        // Read before the first step, so that a row may move afterwards.
        of(&|job, _| format!("(select ctid from pgjobq.jobs where id = races.id({job}))"), "tid"),
    ];
    format!(
        "finish(0::smallint, {HOLDER}, 'worker 1', array[{QUEUE}], array[3]::smallint[], array[2]::bigint[], \
         array[{LEASE}]::bigint[], array[{close}], {})",
        columns.join(", ")
    )
}

fn ids(jobs: &[Job]) -> String {
    format!("array[{}]", list(jobs, |job| format!("races.id({job})")))
}

fn list(jobs: &[Job], cell: impl Fn(&Job) -> String) -> String {
    jobs.iter().map(cell).collect::<Vec<_>>().join(", ")
}

impl Decision {
    fn word(self) -> &'static str {
        match self {
            Self::Complete => "delete",
            Self::CompleteKept => "complete",
            Self::Bury => "bury",
            Self::Cancel => "cancel",
            Self::RetryLater | Self::RetryNow => "retry",
            Self::Snooze => "snooze",
            Self::Release => "release",
            Self::Return => "return",
        }
    }
}
