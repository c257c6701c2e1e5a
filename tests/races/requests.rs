//! The effects of a request to cancel, and the operations that wait for a caller.

use crate::facts::Facts;
use crate::invariants::Check;
use crate::operation::{ASKED, Action, Job, Stage};

/// The step at which an operation that puts a job back has locked its row, and has not read the requests.
const WRITTEN: &str = "jobs written";

impl Check<'_> {
    /// An operation that puts a job back ends it if a request was committed before it read the requests. (The canceller
    /// acts on a later request after its commit.)
    pub(crate) fn requests_are_met(&self) -> Result<(), String> {
        for side in 0..self.group.len() {
            let Some(read) = self.run.passed(side, WRITTEN) else { continue };
            for job in [1, 2].into_iter().filter(|job| self.put_back(side, *job)) {
                let on_stage = Stage::of(self.group).asked && ASKED.contains(&job);
                if on_stage || (0..self.group.len()).any(|other| self.asked_before(other, job, read)) {
                    return Err(format!("job {job} was put back although somebody had asked to cancel it"));
                }
            }
        }
        Ok(())
    }

    fn put_back(&self, side: usize, job: Job) -> bool {
        let facts: &Facts = &self.facts[side];
        match self.group[side].0.action {
            Action::Finish { .. } => {
                let decided =
                    facts.accepted.iter().any(|(of, decision)| *of == job && !decision.ends_the_job());
                decided && !facts.cancelled.contains(&job)
            }
            Action::Reap => {
                facts.requeued > 0 && self.after.live.get(&job).is_some_and(|row| row.crashes > 0)
            }
            Action::ReturnLease => self.given_back(job) && !self.ended_waiting(job),
            _ => false,
        }
    }

    fn asked_before(&self, side: usize, job: Job, moment: usize) -> bool {
        let committed = match self.group[side].0.action {
            Action::Ask { .. } => Some(self.run.ended(side)),
            Action::Cancel { .. } => self.run.came_to(side, "request committed"),
            _ => None,
        };
        self.facts[side].requests.contains(&job) && committed.is_some_and(|committed| committed < moment)
    }

    /// No transaction of ours waits for a caller's, except for the very job that it has written.
    pub(crate) fn nobody_waits_for_a_caller(&self) -> Result<(), String> {
        for wait in &self.run.waits {
            let ((waiter, _), (holder, _)) = (self.group[wait.waiter], self.group[wait.holder]);
            let written = holder.names();
            if holder.is_callers()
                && !waiter.is_callers()
                && !waiter.names().iter().any(|job| written.contains(job))
            {
                return Err(format!("`{}` waited for the caller of `{}`", waiter.name, holder.name));
            }
        }
        Ok(())
    }
}
