//! The sums that must match: attempts, and jobs.

use crate::after::Row;
use crate::invariants::Check;
use crate::operation::{Action, DEAD, Decision, Job};

const JOBS: std::ops::RangeInclusive<Job> = 1..=9;

/// The attempts of a job on the stage.
fn attempts(job: Job) -> i64 {
    match job {
        1 | 5 => 1,
        DEAD => 2,
        _ => 0,
    }
}

impl Check<'_> {
    /// A job's attempts, failures and crashes match the answers.
    pub(crate) fn attempts(&self) -> Result<(), String> {
        for (job, row) in &self.after.live {
            let old = self.born(*job) == 0;
            let mut attempt = if old { attempts(*job) } else { 0 };
            let mut failures = i64::from(*job == 1 && old);
            let crashes = row.crashes - i64::from(*job == 5 && old);
            // The new row of a job that has ended was never under lease 11.
            for decision in self.accepted(*job).filter(|decision| old && !decision.ends_the_job()) {
                attempt += i64::from(decision != Decision::Return);
                failures += i64::from(matches!(decision, Decision::RetryLater | Decision::RetryNow));
            }
            if row.attempt != attempt + crashes || row.failures != failures {
                return Err(format!(
                    "job {job} has attempt {}, {} failures and {} crashes; expected {attempt} and {failures} without crashes",
                    row.attempt, row.failures, row.crashes
                ));
            }
        }
        Ok(())
    }

    /// Every acknowledged enqueue is live, or ended exactly once. An ended job stays ended, unless a person requeues it.
    pub(crate) fn conservation(&self) -> Result<(), String> {
        for job in JOBS {
            self.ends(job)?;
            self.attempts_of_the_ended(job)?;
            let purged = if job == DEAD { self.sum(|facts| facts.purged) } else { 0 };
            let enqueued = i64::from(job <= 6 || job == DEAD) + self.born(job);
            let forgotten = self.accepted(job).filter(|decision| *decision == Decision::Complete).count();
            let (live, finished) =
                (i64::from(self.after.live.contains_key(&job)), self.finished(job).count());
            if enqueued != live + purged + (forgotten + finished) as i64 {
                return Err(format!(
                    "job {job}: enqueued {enqueued} times, live {live}, forgotten {forgotten}, purged {purged}, finished {finished}"
                ));
            }
            let known = job <= 6 || self.born(job) > 0 || self.count(job, |facts| &facts.revived) > 0;
            if !known && self.facts.iter().any(|facts| facts.duplicate.contains(&job)) {
                return Err(format!("job {job} was reported as a duplicate, but there is none"));
            }
        }
        self.edits()
    }

    /// The rows in `finished` match the answers.
    fn ends(&self, job: Job) -> Result<(), String> {
        let moved = self.count(job, |facts| &facts.revived)
            + if job == DEAD { self.sum(|facts| facts.purged) } else { 0 };
        let by_crash = self.finished(job).filter(|row| row.crashed && row.outcome == "dead").count() as i64;
        for (outcome, otherwise) in [
            ("completed", 0),
            ("dead", i64::from(job == DEAD) + by_crash - moved),
            ("cancelled", self.count(job, |facts| &facts.cancelled)),
            ("expired", self.count(job, |facts| &facts.expired)),
        ] {
            let decided = self.accepted(job).filter(|decision| decision.kept_as() == Some(outcome)).count();
            let there = self.finished(job).filter(|row| row.outcome == outcome).count() as i64;
            if there != decided as i64 + otherwise {
                return Err(format!(
                    "job {job} is {outcome} {there} times; expected {decided} and {otherwise}"
                ));
            }
        }
        Ok(())
    }

    fn attempts_of_the_ended(&self, job: Job) -> Result<(), String> {
        let (base, born) = (attempts(job), self.born(job) > 0);
        // A request from before a job was enqueued does not concern that job.
        let asks = |action| matches!(action, Action::Ask { .. } | Action::Cancel { .. } | Action::PurgeQueue);
        let asked = self.group.iter().any(|(operation, _)| asks(operation.action));
        for row in self.finished(job) {
            let right = match row.outcome.as_str() {
                "cancelled" => {
                    row.asked && (base..=base + 1).contains(&row.attempt) || born && asked && row.attempt == 0
                }
                // The job must not have been started.
                "expired" => row.attempt == base,
                _ => row.attempt == base + i64::from(job != DEAD),
            };
            if !right {
                return Err(format!("job {job} ended with another attempt, or without a cause: {row:?}"));
            }
        }
        Ok(())
    }

    /// A dead job that was requeued has the arguments and the priority that the request set, or other arguments that were set beside
    /// it.
    fn edits(&self) -> Result<(), String> {
        let Some(row) = self.after.live.get(&DEAD) else { return Ok(()) };
        let moved = self.facts.iter().zip(self.group).find(|(facts, _)| facts.revived.contains(&DEAD));
        let edited = moved
            .is_some_and(|(_, (operation, _))| matches!(operation.action, Action::Requeue { edited: true }));
        let changed = self.facts.iter().any(|facts| facts.changed.contains(&DEAD));
        // Beside an enqueue with its id, the one that ended may have been changed, or the new one.
        let is_either = changed && moved.is_none();
        match (is_either || row.edited == (edited || changed)) && row.priority == if edited { 2 } else { 3 } {
            true => Ok(()),
            false => Err(format!("job {DEAD} is edited: {}, with priority {}", row.edited, row.priority)),
        }
    }

    /// The numbers in the answers are those of the rows.
    pub(crate) fn counts(&self) -> Result<(), String> {
        let dead =
            self.after.finished.iter().filter(|row| row.crashed && row.outcome == "dead").count() as i64;
        let crashed = self.crashed(1) + self.crashed(2) - dead;
        let taken_back = self.sum(|facts| facts.requeued + facts.reaped);
        if taken_back != crashed || self.sum(|facts| facts.buried) != dead {
            return Err(format!(
                "{taken_back} jobs were taken back, and {crashed} have crashed, and {dead} died"
            ));
        }
        let given_back = [1, 2].iter().filter(|job| self.given_back(**job)).count() as i64;
        let returned = self.sum(|facts| facts.returned);
        if returned != given_back {
            return Err(format!("{returned} jobs were given back, and {given_back} are"));
        }
        let later = |decision| matches!(decision, Decision::RetryLater | Decision::Snooze);
        let delayed = |job: &Job| *job == 6 || self.accepted(*job).any(later);
        let in_line =
            |(job, row): &(&Job, &Row)| delayed(job) && self.born(**job) == 0 && row.ticket.is_some();
        let due = self.after.live.iter().filter(in_line).count() as i64;
        let gone = JOBS.filter(|job| delayed(job) && self.ended_waiting(*job)).count() as i64;
        let promoted = self.sum(|facts| facts.promoted);
        if !(due..=due + gone).contains(&promoted) {
            return Err(format!("{promoted} jobs were promoted, and {due} are in line"));
        }
        Ok(())
    }
}
