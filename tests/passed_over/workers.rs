//! Simulated workers. They send the same statements as real ones, but with guesses that the test chooses.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pgjobq::{FailureReason, JobId};
use pgjobq_core::worker_api::{
    Bounds, ByPriority, Claim, ClaimId, ClaimedJob, Decision, Ended, Hold, Lane, LeaseId, LeaseKey, LeaseUse,
    PRIORITIES, Peek, Peeked, Ticket, WorkerId,
};

use crate::dice::Dice;
use crate::ledger::Leaves;
use crate::world::World;

/// Above every ticket.
const TOP: ByPriority = [Ticket(i64::MAX); PRIORITIES];

/// A simulated worker.
pub(crate) struct Simulated {
    world: Arc<World>,
    pub(crate) dice: Dice,
    pub(crate) id: i64,
    kinds: Vec<&'static str>,
    /// The same, as a claim takes them.
    names: Vec<String>,
    scan_hint: HashMap<Lane, ByPriority>,
    held: Vec<Held>,
    /// The number of tickets that it wants from one peek.
    pub(crate) peek: usize,
}

/// A lease that it holds, and the jobs that are left of it.
struct Held {
    key: LeaseKey,
    jobs: Vec<(JobId, Ticket)>,
}

/// The tickets that a look has found.
type Found = Vec<(Ticket, i16)>;

impl Simulated {
    /// Registers a simulated worker.
    pub(crate) async fn new(world: &Arc<World>, mut dice: Dice, kinds: &[&'static str]) -> Self {
        let id = dice.ticket(1..);
        world
            .store
            .register(WorkerId(id), "simulated", std::time::Duration::from_secs(30), &[], &[])
            .await
            .unwrap();
        let scan_hint = world.lanes.iter().map(|lane| (*lane, [Ticket(0); PRIORITIES])).collect();
        let names = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        let (kinds, held) = (kinds.to_vec(), Vec::new());
        Self { world: Arc::clone(world), dice, id, kinds, names, scan_hint, held, peek: 500 }
    }

    /// The least of its guesses in the queue `default`, for the priority of most jobs.
    pub(crate) fn lowest_guess(&self) -> i64 {
        let lanes = self.scan_hint.iter().filter(|(lane, _)| lane.queue == self.world.lanes[0].queue);
        lanes.map(|(_, scan_hint)| scan_hint[1].0).min().unwrap()
    }

    /// Sets a new, wrong guess in one lane.
    pub(crate) async fn guess_wrong(&mut self) {
        let drawn = self.world.drawn().await;
        let lane = self.dice.pick(&self.world.lanes);
        for scan_hint in self.scan_hint.get_mut(&lane).unwrap() {
            scan_hint.0 = match self.dice.number(..7) {
                0 => 0,                                              // As a new worker.
                1 => self.dice.ticket(0..=drawn),                    // Anywhere.
                2 => drawn + self.dice.ticket(0..100),               // Past what is open.
                3 => drawn + self.dice.ticket(0..1_000_000_000_000), // Far ahead.
                4 => scan_hint.0 - self.dice.ticket(0..1000),        // Set back, even below the first.
                5 => i64::MAX,
                _ => scan_hint.0, // Kept.
            };
        }
    }

    /// Claims from one lane, from its guess on. Returns whether it got a job.
    pub(crate) async fn claim(&mut self, lane: Lane, want: usize) -> bool {
        self.claim_found(lane, want, None).await
    }

    /// Claims the tickets that a look has found, or from the guess on.
    async fn claim_found(&mut self, lane: Lane, want: usize, found: Option<Found>) -> bool {
        let world = Arc::clone(&self.world);
        let _answered = world.claims.read().await;
        let (lease, wait) = (self.dice.ticket(1..), !self.dice.one_in(4));
        let scan_hint = self.scan_hint[&lane];
        let claim = Claim {
            id: ClaimId { lane, worker: WorkerId(self.id), lease: LeaseId(lease) },
            wait,
            kinds: &self.names,
            want,
            scan_hint,
            found: found.as_deref(),
            bounds: Bounds::default(),
        };
        let claimed = world.store.claim(claim).await.unwrap();
        for priority in 0..PRIORITIES as i16 {
            let of_it: Vec<&ClaimedJob> = claimed.jobs.iter().filter(|j| j.priority == priority).collect();
            let jobs: Vec<_> = of_it.iter().map(|job| (job.id, job.ticket)).collect();
            if let Some(max_ticket) = jobs.iter().map(|(_, ticket)| *ticket).max() {
                self.held
                    .push(Held { key: LeaseKey { lane, priority, max_ticket, id: LeaseId(lease) }, jobs });
            }
        }
        for job in &claimed.jobs {
            assert!(self.kinds.contains(&&*job.kind), "worker {} does not know {}", self.id, job.kind);
            world.ledger.taken(job.id, self.id);
        }
        // Guesses as the real worker does: see `SLACK` there.
        for (scan_hint, scanned_to) in
            self.scan_hint.get_mut(&lane).unwrap().iter_mut().zip(claimed.scanned_to)
        {
            *scan_hint = (*scan_hint).max(Ticket(scanned_to.0 - 1500));
        }
        !claimed.jobs.is_empty()
    }

    /// Ends some of the jobs of a lease that it holds, in random ways.
    pub(crate) async fn finish_some(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let place = self.dice.number(..self.held.len());
        let count = self.dice.number(1..=self.held[place].jobs.len());
        let ways = [Leaves::Done, Leaves::Done, Leaves::Done, Leaves::InLine, Leaves::Scheduled];
        let ends = (0..count).map(|_| self.dice.pick(&ways)).collect();
        self.finish(place, ends).await;
    }

    /// Completes all jobs that it holds.
    pub(crate) async fn complete_all(&mut self) {
        while let Some(held) = self.held.last() {
            let ends = vec![Leaves::Done; held.jobs.len()];
            self.finish(self.held.len() - 1, ends).await;
        }
    }

    async fn finish(&mut self, place: usize, ends: Vec<Leaves>) {
        let held = &mut self.held[place];
        let key = held.key;
        let jobs: Vec<_> = held.jobs.drain(..ends.len()).collect();
        let close = held.jobs.is_empty();
        if close {
            self.held.swap_remove(place);
        }
        let mut ended = Vec::new();
        for ((id, ticket), leaves) in jobs.iter().zip(&ends) {
            self.world.ledger.let_go(*id, self.id);
            let decision = self.decision(*leaves);
            let hold =
                Hold { lease: key, worker: WorkerId(self.id), job: *id, ticket: *ticket, address: None };
            ended.push(Ended { hold, decision });
        }
        ended.sort_by_key(|end| end.hold.job);
        let leases = [LeaseUse { key, close }];
        let store = &self.world.store;
        let finished = store.finish(WorkerId(self.id), "simulated", &leases, &ended).await.unwrap();
        assert!(finished.stale.is_empty(), "worker {} lost {:?}", self.id, finished.stale);
        for ((id, _), leaves) in jobs.into_iter().zip(ends) {
            self.world.ledger.left(id, self.id, leaves);
        }
    }

    fn decision(&mut self, leaves: Leaves) -> Decision {
        match leaves {
            Leaves::Done => Decision::Complete { keep: None, output: None },
            Leaves::InLine if self.dice.one_in(2) => Decision::Release,
            Leaves::InLine => Decision::Return,
            Leaves::Scheduled => Decision::Retry {
                delay: Duration::from_millis(1) + self.dice.millis(20),
                reason: FailureReason::Error,
                message: "so the dice said".into(),
            },
        }
    }

    /// Promotes the jobs that are due.
    pub(crate) async fn promote(&self) {
        for shard in self.world.store.shards() {
            self.world.store.promote(shard, 0, 100).await.unwrap();
        }
    }

    /// Looks through every lane, below its guess and above it. Checks that it passes over no job of its kinds that was
    /// committed before and that no worker touched meanwhile. Returns the tickets that it found.
    pub(crate) async fn look_everywhere(&self) -> Vec<(Lane, Found)> {
        let before = self.world.ledger.in_line(&self.kinds);
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        for lane in &self.world.lanes {
            let scan_hint = self.scan_hint[lane];
            for (low, high) in [([Ticket(0); PRIORITIES], scan_hint), (scan_hint, TOP)] {
                for peeked in self.look_through(*lane, low, high).await {
                    seen.extend(self.world.jobs(*lane, &peeked.found).await);
                    found.push((*lane, peeked.found));
                }
            }
        }
        drop(self.world.claims.write().await); // Waits until the ledger has the answer of every claim that was sent.
        let after = self.world.ledger.in_line(&self.kinds);
        let passed_over =
            |(job, moves): &(&JobId, &u32)| after.get(*job) == Some(*moves) && !seen.contains(job);
        let passed_over: Vec<_> = before.iter().filter(passed_over).map(|(job, _)| *job).collect();
        let excused = self.world.tickets_collide.load(Ordering::Acquire);
        assert!(excused || passed_over.is_empty(), "worker {} passed over {passed_over:?}", self.id);
        found
    }

    /// Runs one sweep, in as many peeks as it needs.
    async fn look_through(&self, lane: Lane, from: ByPriority, high: ByPriority) -> Vec<Peeked> {
        let mut peeks = Vec::new();
        let mut low = from;
        loop {
            let peek = [Peek { lane, low, high, quarantine: [Ticket(0); PRIORITIES] }];
            let peeked = self.world.store.peek(&peek, &self.names, self.peek).await.unwrap().remove(0);
            // The test has too few rows to reach the bound on a peek's walk.
            let over = peeked.found.len() < self.peek;
            // If the sequence was set back, `scanned_to` is where the next guess begins, below this look.
            low.iter_mut().zip(peeked.scanned_to).for_each(|(low, scanned_to)| *low = scanned_to.max(*low));
            if !peeked.found.is_empty() {
                peeks.push(peeked);
            }
            if over {
                return peeks;
            }
        }
    }

    /// Claims by name all tickets that a look through every lane finds. Returns whether it got a job.
    pub(crate) async fn sweep(&mut self) -> bool {
        let mut got = false;
        for (lane, found) in self.look_everywhere().await {
            let want = found.len();
            got |= self.claim_found(lane, want, Some(found)).await;
        }
        got
    }

    /// Claims and completes from every lane until claims from its guess on find no job.
    pub(crate) async fn work_from_near(&mut self) {
        for lane in self.world.lanes.clone() {
            while self.claim(lane, 500).await {
                self.complete_all().await;
            }
        }
    }
}
