//! The effects of an operation, according to its answers.

use serde_json::Value;

use crate::operation::{Action, Decision, Isolation, Job, LEASE, Operation};
use crate::session::Ending;

/// The effects that one side's answers report. All of it is empty if its transaction was rolled back.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) inserted: Vec<Job>,
    pub(crate) duplicate: Vec<Job>,
    pub(crate) claimed: Vec<(Job, i64)>,
    pub(crate) asked: i64,
    pub(crate) accepted: Vec<(Job, Decision)>,
    pub(crate) stale: Vec<Job>,
    /// True if it closed lease 11.
    pub(crate) closed: bool,
    /// Jobs that were charged with a crash, and are live.
    pub(crate) requeued: i64,
    pub(crate) buried: i64,
    pub(crate) returned: i64,
    pub(crate) promoted: i64,
    /// True if the database confirmed that worker 1 is registered.
    pub(crate) alive: bool,
    /// Jobs for which a request to cancel is committed.
    pub(crate) requests: Vec<Job>,
    /// Jobs that are cancelled: because they waited, or because they were about to wait again.
    pub(crate) cancelled: Vec<Job>,
    /// Of these, the ones that the reaper found.
    pub(crate) reaped: i64,
    pub(crate) expired: Vec<Job>,
    /// Dead jobs that were put back in line.
    pub(crate) revived: Vec<Job>,
    pub(crate) purged: i64,
    /// Jobs that have other arguments.
    pub(crate) changed: Vec<Job>,
}

impl Facts {
    /// Reads the facts. Fails with an error that the operation must not have, such as any deadlock.
    pub(crate) fn read(operation: &Operation, isolation: Isolation, ending: &Ending) -> Result<Self, String> {
        let answer = match ending {
            Ending::Answered(answer) => answer,
            // The caller's isolation allows it, and the caller receives the error.
            Ending::Failed { code, .. }
                if code == "40001" && operation.is_callers() && isolation != Isolation::ReadCommitted =>
            {
                return Ok(Self::default());
            }
            // A claim by a worker that left.
            Ending::Failed { code, .. } if code == "PJ001" => return Ok(Self::default()),
            // A job that could not be completed.
            Ending::Failed { code, .. } if code == "RC001" => {
                return Ok(Self { stale: vec![1], ..Self::default() });
            }
            Ending::Failed { code, message } => {
                return Err(format!("`{}` failed: {code} {message}", operation.name));
            }
        };
        let mut facts = Self::default();
        facts.fill(operation, answer)?;
        Ok(facts)
    }

    fn fill(&mut self, operation: &Operation, answer: &Value) -> Result<(), String> {
        match operation.action {
            Action::Enqueue { jobs, rolled_back } => self.fill_enqueued(jobs, rolled_back, answer)?,
            Action::CompleteIn { rolled_back: true, .. } | Action::Ask { rolled_back: true, .. } => {}
            Action::CompleteIn { keep, enqueued, .. } => {
                self.accepted = vec![(1, if keep { Decision::CompleteKept } else { Decision::Complete })];
                if !enqueued.is_empty() {
                    self.fill_enqueued(enqueued, false, answer)?;
                }
            }
            Action::Ask { .. } => self.requests = jobs_of(answer),
            Action::Cancel { .. } => {
                self.requests = jobs_of(&answer["asked"]);
                self.cancelled = jobs_of(&answer["cancelled"]);
            }
            Action::ActOnCancels { .. } | Action::PurgeQueue => {
                self.cancelled = jobs_of(&answer["cancelled"])
            }
            Action::Expire => self.expired = jobs_of(&answer["expired"]),
            Action::Requeue { .. } => self.revived = jobs_of(&answer["requeued"]),
            Action::ChangeArgs { job } => {
                self.changed = (answer["answer"] == "changed").then_some(job).into_iter().collect();
            }
            Action::Purge => self.purged = number(answer),
            Action::Claim { want, .. } | Action::ClaimQuarantined { want } => {
                self.asked = want;
                let tickets = answer["tickets"].as_array().into_iter().flatten().map(number);
                self.claimed = jobs_of(&answer["ids"]).into_iter().zip(tickets).collect();
            }
            Action::Finish { ended, close } => {
                self.stale = jobs_of(&answer["stale"]);
                self.accepted = ended.iter().copied().filter(|(job, _)| !self.stale.contains(job)).collect();
                self.closed = close && answer["closed"] == true;
                self.cancelled = jobs_of(&answer["cancelled"]);
            }
            Action::Heartbeat => {
                self.alive = answer["alive"] == true;
                let foreign = answer["ids"].as_array().into_iter().flatten().any(|id| number(id) != LEASE);
                if foreign {
                    return Err(format!("a heartbeat lists the lease of another: {answer}"));
                }
            }
            Action::Reap => {
                self.requeued = number(&answer["requeued"]);
                self.buried = jobs_of(&answer["buried"]).len() as i64;
                self.closed = !answer["queue"].is_null() && answer["skipped"].is_null();
                self.cancelled = jobs_of(&answer["cancelled"]);
                self.reaped = self.cancelled.len() as i64;
            }
            Action::ReturnLease => {
                self.returned = number(&answer["returned"]);
                self.cancelled = jobs_of(&answer["cancelled"]);
            }
            // A function that returns one value names the column after itself.
            Action::Promote => self.promoted = number(&answer["promoted"]),
            Action::GiveUpWorkers | Action::Leave | Action::DeleteQueue | Action::Pause { .. } => {}
        }
        Ok(())
    }

    fn fill_enqueued(&mut self, jobs: &[Job], rolled_back: bool, answer: &Value) -> Result<(), String> {
        if !answer["unknown"].is_null() {
            return Ok(()); // The queue was deleted.
        }
        let duplicate = jobs_of(&answer["duplicate"]);
        let inserted: Vec<_> = jobs.iter().copied().filter(|job| !duplicate.contains(job)).collect();
        if number(&answer["inserted"]) != inserted.len() as i64 {
            return Err(format!("an enqueue does not add up: {answer}"));
        }
        if !rolled_back {
            (self.inserted, self.duplicate) = (inserted, duplicate);
        }
        Ok(())
    }
}

/// A number, which is zero when it is not there.
pub(crate) fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

fn jobs_of(ids: &Value) -> Vec<Job> {
    ids.as_array().into_iter().flatten().filter_map(Value::as_str).map(job).collect()
}

/// The number at the end of an id.
fn job(id: &str) -> Job {
    i64::from_str_radix(&id[id.len() - 2..], 16).unwrap()
}
