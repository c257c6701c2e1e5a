//! What must hold after two operations, in whatever order their steps went.

use crate::after::After;
use crate::bench::Run;
use crate::facts::{Facts, number};
use crate::operation::{Decision, Isolation, Job, LEASE, Operation};

const JOBS: std::ops::RangeInclusive<Job> = 1..=8;

pub(crate) struct Check<'c> {
    facts: [Facts; 2],
    run: &'c Run,
    after: After,
}

/// The first thing that does not hold.
pub(crate) fn check(pair: [(&Operation, Isolation); 2], run: &Run) -> Result<(), String> {
    let read = |side: usize| Facts::read(pair[side].0, pair[side].1, &run.endings[side]);
    let check = Check { facts: [read(0)?, read(1)?], run, after: After::read(&run.state) };
    check.one_lease_for_each_ticket()?;
    check.claims()?;
    check.fence()?;
    check.attempts()?;
    check.conservation()?;
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

    /// A claim returns no more than was asked, and each of its jobs is there with this ticket, under its lease alone.
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
            if facts.claimed.iter().any(|claimed| self.facts[1 - side].claimed.contains(claimed)) {
                return Err("a job was claimed twice".into());
            }
        }
        Ok(())
    }

    /// Each job that ran under lease 11 was taken from it at most once; what was refused was another's; and nothing was
    /// accepted after the lease was closed.
    fn fence(&self) -> Result<(), String> {
        for job in [1, 2] {
            let (taken, told) =
                (self.taken(job), self.facts.iter().filter(|f| f.stale.contains(&job)).count());
            if taken > 1 {
                return Err(format!("job {job} was taken from its lease {taken} times"));
            }
            let closed = |side: usize| self.facts[side].closed && !self.facts[side].stale.contains(&job);
            if told > 0 && taken == 0 && !closed(0) && !closed(1) {
                return Err(format!("a result of job {job} is stale, and nobody else had it"));
            }
            let new_row = self.born(job) > 0;
            let ticket = self.after.live.get(&job).and_then(|row| row.ticket);
            if !new_row && self.after.live.contains_key(&job) && (taken == 1) == (ticket == Some(job)) {
                return Err(format!("job {job} was taken {taken} times, and its ticket is {ticket:?}"));
            }
        }
        let [first, last] = [self.run.ended[0], self.run.ended[1]];
        if self.facts[first].closed && !self.facts[last].accepted.is_empty() {
            return Err("a result was accepted after the lease was closed".into());
        }
        let there = self.after.leases.iter().any(|lease| lease.id == LEASE);
        if there && self.facts.iter().any(|facts| facts.closed) {
            return Err("the lease was closed, and is there".into());
        }
        Ok(())
    }

    /// A job's attempts, failures and crashes are what the answers say.
    fn attempts(&self) -> Result<(), String> {
        for (job, row) in &self.after.live {
            let (mut attempt, mut failures) = if self.born(*job) > 0 {
                (0, 0)
            } else {
                (i64::from([1, 5].contains(job)), i64::from(*job == 1))
            };
            let crashes = row.crashes - i64::from(*job == 5 && self.born(*job) == 0);
            for decision in self.accepted(*job).filter(|decision| !decision.ends_the_job()) {
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
        let requeued: i64 = self.facts.iter().map(|facts| facts.requeued).sum();
        let crashed: i64 = [1, 2].iter().map(|job| self.crashed(*job)).sum();
        if requeued != crashed {
            return Err(format!("{requeued} jobs were taken back, and {crashed} have crashed"));
        }
        Ok(())
    }

    /// Every acknowledged enqueue is live, or ended exactly once.
    fn conservation(&self) -> Result<(), String> {
        for job in JOBS {
            let enqueued = i64::from(job <= 6) + self.born(job);
            let kept = self.accepted(job).filter(|decision| decision.keeps()).count();
            let forgotten = self.accepted(job).filter(|decision| *decision == Decision::Complete).count();
            let finished: Vec<_> = self.after.finished.iter().filter(|row| row.id == job).collect();
            let by_crash = finished.iter().filter(|row| row.crashed && row.outcome == "dead").count();
            if finished.len() != kept + by_crash {
                return Err(format!("job {job} was kept {kept} times, and {finished:?} is there"));
            }
            let live = i64::from(self.after.live.contains_key(&job));
            if enqueued != live + (forgotten + finished.len()) as i64 {
                return Err(format!(
                    "job {job}: enqueued {enqueued} times, live {live}, forgotten {forgotten}, finished {}",
                    finished.len()
                ));
            }
            if finished.iter().any(|row| row.attempt != 1 + i64::from(job == 1)) {
                return Err(format!("job {job} ended with another attempt: {finished:?}"));
            }
            let known = job <= 6 || self.born(job) > 0;
            if !known && self.facts.iter().any(|facts| facts.duplicate.contains(&job)) {
                return Err(format!("job {job} is said to be a duplicate, and there is none"));
            }
        }
        let sum = |of: fn(&Facts) -> i64| self.facts.iter().map(of).sum::<i64>();
        let by_crash = self.after.finished.iter().filter(|row| row.crashed).count() as i64;
        if sum(|facts| facts.buried) != by_crash {
            return Err(format!("{} jobs were buried, and {by_crash} are", sum(|facts| facts.buried)));
        }
        let given_back = [1, 2].iter().filter(|job| self.given_back(**job)).count() as i64;
        if sum(|facts| facts.returned) != given_back {
            return Err(format!(
                "{} jobs were given back, and {given_back} are",
                sum(|facts| facts.returned)
            ));
        }
        let delayed = |job: &Job| *job == 6 || self.accepted(*job).any(|d| d == Decision::RetryLater);
        let due =
            self.after.live.iter().filter(|(job, row)| delayed(job) && row.ticket.is_some()).count() as i64;
        if sum(|facts| facts.promoted) != due {
            return Err(format!("{} jobs were promoted, and {due} are in line", sum(|facts| facts.promoted)));
        }
        Ok(())
    }

    /// A worker that was told that it lives is there.
    fn heartbeat(&self) -> Result<(), String> {
        let there = self.after.workers.contains(&1);
        match self.facts.iter().any(|facts| facts.alive) && !there {
            true => Err("a worker was given up although its heartbeat was answered".into()),
            false => Ok(()),
        }
    }

    /// Brought to its end, every live job ran once more, and nothing is left.
    fn nothing_is_stranded(&self) -> Result<(), String> {
        let drained = &self.run.drained;
        let left = ["stale", "jobs", "leases", "failures"].iter().any(|what| number(&drained[what]) != 0);
        if left || drained["live"] != drained["claimed"] {
            return Err(format!("something is stranded: {drained}"));
        }
        Ok(())
    }

    /// How many enqueues of this job were acknowledged as new.
    fn born(&self, job: Job) -> i64 {
        self.facts.iter().flat_map(|facts| &facts.inserted).filter(|new| **new == job).count() as i64
    }

    fn accepted(&self, job: Job) -> impl Iterator<Item = Decision> {
        self.facts
            .iter()
            .flat_map(|facts| &facts.accepted)
            .filter(move |(of, _)| *of == job)
            .map(|(_, decision)| *decision)
    }

    /// How many crashes a live job of lease 11 has been charged with.
    fn crashed(&self, job: Job) -> i64 {
        self.after.live.get(&job).map_or(0, |row| row.crashes)
    }

    /// How often a job was taken from lease 11, by a finish, the reaper, or a return.
    fn taken(&self, job: Job) -> i64 {
        self.taken_with_a_trace(job) + i64::from(self.given_back(job))
    }

    fn taken_with_a_trace(&self, job: Job) -> i64 {
        let dead = self.after.finished.iter().filter(|row| row.id == job && row.crashed).count() as i64;
        self.accepted(job).count() as i64 + self.crashed(job) + dead
    }

    /// Whether a job has a new ticket, and nothing else says why.
    fn given_back(&self, job: Job) -> bool {
        let moved = self.after.live.get(&job).is_some_and(|row| row.ticket != Some(job));
        moved && self.born(job) == 0 && self.taken_with_a_trace(job) == 0
    }
}
