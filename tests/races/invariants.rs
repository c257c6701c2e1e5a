//! The conditions that must hold after some operations, in the orders of their steps.

use crate::after::{After, Finished, Lease};
use crate::bench::Run;
use crate::facts::{Facts, number};
use crate::operation::{Action, Decision, Job, LEASE, Side};

pub(crate) struct Check<'c> {
    pub(crate) group: &'c [Side],
    pub(crate) facts: Vec<Facts>,
    pub(crate) run: &'c Run,
    pub(crate) after: After,
}

/// Returns the first violation.
pub(crate) fn check(group: &[Side], run: &Run) -> Result<(), String> {
    let facts = group.iter().zip(&run.endings);
    let facts = facts.map(|((operation, level), ending)| Facts::read(operation, *level, ending));
    let check = Check { group, facts: facts.collect::<Result<_, _>>()?, run, after: After::read(&run.state) };
    check.one_lease_for_each_ticket()?;
    check.claims()?;
    check.fence()?;
    check.attempts()?;
    check.conservation()?;
    check.counts()?;
    check.requests_are_met()?;
    check.nobody_waits_for_a_caller()?;
    check.pauses()?;
    check.changes()?;
    check.heartbeat()?;
    check.nothing_is_stranded()
}

impl Check<'_> {
    /// At most one live lease covers a ticket.
    fn one_lease_for_each_ticket(&self) -> Result<(), String> {
        let mut tickets: Vec<_> = self.after.leases.iter().flat_map(|lease| &lease.tickets).collect();
        tickets.sort_unstable();
        match tickets.windows(2).find(|two| two[0] == two[1]) {
            Some(two) => Err(format!("two leases cover ticket {}", two[0])),
            None => Ok(()),
        }
    }

    /// A claim returns at most the wanted number of jobs. Each job exists with this ticket, under its lease alone.
    fn claims(&self) -> Result<(), String> {
        for (side, facts) in self.facts.iter().enumerate() {
            if facts.claimed.len() as i64 > facts.asked {
                return Err(format!("a claim of {} got {:?}", facts.asked, facts.claimed));
            }
            for (job, ticket) in &facts.claimed {
                if self.after.live.get(job).and_then(|row| row.ticket) != Some(*ticket) {
                    return Err(format!(
                        "job {job} was claimed with ticket {ticket}, which it does not have"
                    ));
                }
                let mine = 101 + side as i64;
                if !self.after.leases.iter().any(|lease| lease.id == mine && lease.tickets.contains(ticket)) {
                    return Err(format!("job {job} was claimed, and the lease does not cover it"));
                }
            }
            let others = self.facts[..side].iter().flat_map(|other| &other.claimed);
            if others.into_iter().any(|claimed| facts.claimed.contains(claimed)) {
                return Err("a job was claimed twice".into());
            }
        }
        Ok(())
    }

    /// Each job that ran under lease 11 was taken from it at most once. A refused decision was about a job that another
    /// operation took. After the lease was closed, no decision was accepted.
    fn fence(&self) -> Result<(), String> {
        for job in [1, 2] {
            let (taken, stale) =
                (self.taken(job), self.facts.iter().filter(|f| f.stale.contains(&job)).count());
            if taken > 1 {
                return Err(format!("job {job} was taken from its lease {taken} times"));
            }
            let closed = self.facts.iter().any(|facts| facts.closed && !facts.stale.contains(&job));
            if stale > 0 && taken == 0 && !closed {
                return Err(format!("a result of job {job} is stale, but no other operation took the job"));
            }
            let new_row = self.born(job) > 0;
            let ticket = self.after.live.get(&job).and_then(|row| row.ticket);
            if !new_row && self.after.live.contains_key(&job) && (taken == 1) == (ticket == Some(job)) {
                return Err(format!("job {job} was taken {taken} times, and its ticket is {ticket:?}"));
            }
        }
        for (side, facts) in self.facts.iter().enumerate() {
            // A worker closes a lease when all its jobs have ended, so that its own transactions need no lock on it.
            let in_a_transaction = matches!(self.group[side].0.action, Action::CompleteIn { .. });
            let closed_before =
                |other: usize| self.facts[other].closed && self.run.ended(other) < self.run.ended(side);
            if !facts.accepted.is_empty() && !in_a_transaction && (0..self.facts.len()).any(closed_before) {
                return Err("a result was accepted after the lease was closed".into());
            }
        }
        let there = self.after.leases.iter().any(|lease| lease.id == LEASE);
        if there && self.facts.iter().any(|facts| facts.closed) {
            return Err("the lease was closed, and is there".into());
        }
        Ok(())
    }

    /// Once a pause has committed, no claim that is still open has taken a job.
    fn pauses(&self) -> Result<(), String> {
        let is_pause = |side: &usize| matches!(self.group[*side].0.action, Action::Pause { .. });
        for pause in (0..self.group.len()).filter(is_pause) {
            let later = |side: &usize| self.run.ended(*side) > self.run.ended(pause);
            if (0..self.group.len()).filter(later).any(|side| !self.facts[side].claimed.is_empty()) {
                return Err("a claim took jobs after the queue was paused".into());
            }
        }
        Ok(())
    }

    /// Arguments change only while the job does not run: before a claim takes it, and never under its lease.
    fn changes(&self) -> Result<(), String> {
        for (side, facts) in self.facts.iter().enumerate() {
            for job in &facts.changed {
                let earlier = |other: usize| self.run.ended(other) < self.run.ended(side);
                let claimed = |other: usize| self.facts[other].claimed.iter().any(|(of, _)| of == job);
                if (0..self.facts.len()).any(|other| earlier(other) && claimed(other)) {
                    return Err(format!("the arguments of job {job} changed after it was claimed"));
                }
                let Some(row) = self.after.live.get(job).filter(|_| self.born(*job) == 0) else { continue };
                if !row.edited {
                    return Err(format!("the arguments of job {job} were changed, and are the old ones"));
                }
                let held = |lease: &Lease| {
                    lease.id == LEASE && row.ticket.is_some_and(|t| lease.tickets.contains(&t))
                };
                if self.after.leases.iter().any(held) {
                    return Err(format!("the arguments of job {job} changed while it ran"));
                }
            }
        }
        Ok(())
    }

    /// A worker that was confirmed as registered has a row.
    fn heartbeat(&self) -> Result<(), String> {
        let there = self.after.workers.contains(&1);
        match self.facts.iter().any(|facts| facts.alive) && !there {
            true => Err("a worker was given up although its heartbeat was answered".into()),
            false => Ok(()),
        }
    }

    /// After the drain, every live job ran once more, and no row is left. Before the drain, each job with a request to
    /// cancel had ended, or was running.
    fn nothing_is_stranded(&self) -> Result<(), String> {
        let drained = &self.run.drained;
        let nothing = ["unmet", "paused", "stale", "jobs", "leases", "failures", "cancels"];
        if nothing.iter().any(|what| number(&drained[what]) != 0) || drained["live"] != drained["claimed"] {
            return Err(format!("something is stranded: {drained}"));
        }
        Ok(())
    }

    /// Returns the number of enqueues of this job that were acknowledged as new.
    pub(crate) fn born(&self, job: Job) -> i64 {
        self.count(job, |facts| &facts.inserted)
    }

    /// Returns the number of times that a list of the answers contains this job.
    pub(crate) fn count(&self, job: Job, list: fn(&Facts) -> &Vec<Job>) -> i64 {
        self.facts.iter().flat_map(list).filter(|of| **of == job).count() as i64
    }

    pub(crate) fn sum(&self, of: fn(&Facts) -> i64) -> i64 {
        self.facts.iter().map(of).sum()
    }

    pub(crate) fn accepted(&self, job: Job) -> impl Iterator<Item = Decision> {
        self.facts
            .iter()
            .flat_map(|facts| &facts.accepted)
            .filter(move |(of, _)| *of == job)
            .map(|(_, decision)| *decision)
    }

    pub(crate) fn finished(&self, job: Job) -> impl Iterator<Item = &Finished> {
        self.after.finished.iter().filter(move |row| row.id == job)
    }

    /// Returns the crashes that a job of lease 11 was charged with: it is live, or was cancelled or buried because of it or
    /// since.
    pub(crate) fn crashed(&self, job: Job) -> i64 {
        let live = self.after.live.get(&job).map_or(0, |row| row.crashes);
        live + self.finished(job).filter(|row| row.crashed).count() as i64
    }

    /// Returns whether a job ended while it waited.
    pub(crate) fn ended_waiting(&self, job: Job) -> bool {
        let by = |(side, facts): (&Side, &Facts)| {
            let acts = matches!(
                side.0.action,
                Action::ActOnCancels { .. }
                    | Action::Cancel { .. }
                    | Action::PurgeQueue
                    | Action::ReturnLease
            );
            (acts && facts.cancelled.contains(&job)) || facts.expired.contains(&job)
        };
        self.group.iter().zip(&self.facts).any(by)
    }

    /// Returns the number of times that a job was taken from lease 11, by a finish, the reaper, or a return.
    fn taken(&self, job: Job) -> i64 {
        self.taken_with_a_trace(job) + i64::from(self.given_back(job))
    }

    fn taken_with_a_trace(&self, job: Job) -> i64 {
        self.accepted(job).count() as i64 + self.crashed(job)
    }

    /// Returns whether a job has a new ticket for no other known reason, or had one when it was cancelled or expired.
    pub(crate) fn given_back(&self, job: Job) -> bool {
        let moved = self.after.live.get(&job).is_some_and(|row| row.ticket != Some(job));
        let returned = self.ended_waiting(job) && self.sum(|facts| facts.returned) > 0;
        (moved || returned) && self.born(job) == 0 && self.taken_with_a_trace(job) == 0
    }
}
