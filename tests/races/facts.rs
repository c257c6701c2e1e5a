//! What the answers of an operation say that it did.

use serde_json::Value;

use crate::operation::{Action, Decision, Isolation, Job, LEASE, Operation};
use crate::session::Ending;

/// What one side did, as it was told. All of it empty when its transaction was rolled back.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) committed: bool,
    pub(crate) inserted: Vec<Job>,
    pub(crate) duplicate: Vec<Job>,
    pub(crate) claimed: Vec<(Job, i64)>,
    pub(crate) asked: i64,
    pub(crate) accepted: Vec<(Job, Decision)>,
    pub(crate) stale: Vec<Job>,
    /// Whether it closed lease 11.
    pub(crate) closed: bool,
    pub(crate) requeued: i64,
    pub(crate) buried: i64,
    pub(crate) returned: i64,
    pub(crate) promoted: i64,
    /// Whether worker 1 was told that it is there.
    pub(crate) alive: bool,
}

impl Facts {
    /// Reads them; an error that the operation must not have is the error.
    pub(crate) fn read(operation: &Operation, isolation: Isolation, ending: &Ending) -> Result<Self, String> {
        let answer = match ending {
            Ending::Answered(answer) => answer,
            // The caller's isolation allows it, and the caller is told.
            Ending::Failed { code, .. }
                if code == "40001" && operation.is_callers() && isolation != Isolation::ReadCommitted =>
            {
                return Ok(Self::default());
            }
            // A claim by a worker that left.
            Ending::Failed { code, .. } if code == "PJ001" => return Ok(Self::default()),
            Ending::Failed { code, message } => {
                return Err(format!("`{}` failed: {code} {message}", operation.name));
            }
        };
        let mut facts = Self { committed: true, ..Self::default() };
        facts.fill(operation, answer)?;
        Ok(facts)
    }

    fn fill(&mut self, operation: &Operation, answer: &Value) -> Result<(), String> {
        match operation.action {
            Action::Enqueue { jobs, rolled_back } => {
                let duplicate = jobs_of(&answer["duplicate"]);
                let inserted: Vec<_> = jobs.iter().copied().filter(|job| !duplicate.contains(job)).collect();
                if number(&answer["inserted"]) != inserted.len() as i64 {
                    return Err(format!("an enqueue does not add up: {answer}"));
                }
                if rolled_back {
                    self.committed = false;
                } else {
                    (self.inserted, self.duplicate) = (inserted, duplicate);
                }
            }
            Action::Claim { want, .. } => {
                self.asked = want;
                let tickets = answer["tickets"].as_array().into_iter().flatten().map(number);
                self.claimed = jobs_of(&answer["ids"]).into_iter().zip(tickets).collect();
            }
            Action::ClaimSuspect => {
                self.asked = 1;
                let id = answer["id"].as_str().map(job);
                self.claimed = id.into_iter().map(|id| (id, number(&answer["ticket"]))).collect();
            }
            Action::Finish { ended, close } => {
                self.stale = jobs_of(&answer["stale"]);
                self.accepted = ended.iter().copied().filter(|(job, _)| !self.stale.contains(job)).collect();
                self.closed = close && answer["unclosed"].is_null();
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
                self.closed = !answer["queue"].is_null();
            }
            // A function that gives one value gives it under its own name.
            Action::ReturnLease => self.returned = number(answer),
            Action::Promote => self.promoted = number(&answer["promoted"]),
            Action::GiveUpWorkers | Action::Leave => {}
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
