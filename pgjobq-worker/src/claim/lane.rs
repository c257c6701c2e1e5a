//! What a worker remembers of one lane: where it guesses the waiting jobs to begin, and when it looks again.
//!
//! Nothing here carries correctness. A wrong guess costs delay, until the sweep has looked below it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq_core::__private::{ByPriority, Claimed, ClaimedQuarantined, Lane, PRIORITIES, Peek, Peeked};

use crate::claim::portion::Portion;
use crate::pause::{Pause, jittered};
use crate::runtime::QueueSlots;

/// How many jobs a claim asks for at most.
pub(crate) const BATCH: usize = 500;
/// How far the guess stays behind what was seen: room for transactions that commit out of order.
const SLACK: i64 = 500 + 2 * BATCH as i64;
/// How often a lane is swept at most.
const SWEEP_EVERY: Duration = Duration::from_millis(250);
/// How soon an idle lane is looked at again, at first.
const LOOK_FIRST: Duration = Duration::from_millis(50);
/// Above every ticket.
const TOP: ByPriority = [i64::MAX; PRIORITIES];

/// Tickets that a look has found, and their priorities.
pub(crate) type Found = (Vec<i64>, Vec<i16>);

/// What a worker remembers of one lane.
#[derive(Debug)]
pub(crate) struct LaneState {
    pub(crate) lane: Lane,
    pub(crate) slots: Arc<QueueSlots>,
    /// The guess of where the waiting jobs begin.
    pub(crate) near: ByPriority,
    /// How far the sweep has come, on its way up to `near`.
    swept: ByPriority,
    next_sweep: Instant,
    /// Since when a look has found nothing; `None` while there seems to be work.
    idle_since: Option<Instant>,
    next_look: Instant,
    look_every: Duration,
    last_idle: Instant,
    /// What a look has found, and the next claim may name.
    found: Option<Found>,
    /// Whether others were quicker to claim what was found here.
    contended: bool,
    /// Whether a statement about this lane is on its way.
    pub(crate) asked: bool,
    /// How much the next claim asks for.
    pub(crate) portion: Portion,
    /// After an error of this lane's, and after it was locked: not before this.
    retry_at: Option<Instant>,
    errors: Pause,
    locked: Pause,
    /// Where the guess was when jobs were left for which there was no place.
    without_place: Option<ByPriority>,
    /// Whether a quarantined job was seen.
    quarantined: bool,
    /// Whether the one that was seen waits until no other quarantined job runs here.
    waits_to_be_alone: bool,
    /// Whether the last claim left one that must run alone for others.
    passed_lone: bool,
    /// Where the next walk through the quarantine begins.
    pub(crate) quarantine: ByPriority,
}

impl LaneState {
    /// A lane that has not been looked at.
    pub(crate) fn new(lane: Lane, slots: Arc<QueueSlots>, now: Instant) -> Self {
        Self {
            lane,
            slots,
            near: [0; PRIORITIES],
            swept: [0; PRIORITIES],
            next_sweep: now + jittered(SWEEP_EVERY),
            idle_since: Some(now), // The first guess is found by a look, not under the lane's lock.
            next_look: now,
            look_every: Duration::ZERO,
            last_idle: now,
            found: None,
            contended: false,
            asked: false,
            portion: Portion::WHOLE,
            retry_at: None,
            errors: Pause::new(),
            locked: Pause::of_locks(),
            without_place: None,
            quarantined: false,
            waits_to_be_alone: false,
            passed_lone: false,
            quarantine: [0; PRIORITIES],
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.idle_since.is_some()
    }

    /// Whether it may be asked about now: nothing is on its way, a slot is free, and no pause is left.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        !self.asked && self.slots.has_free() && self.retry_at.is_none_or(|at| at <= now)
    }

    /// Whether a claim of it is likely to be slow, or to fail.
    pub(crate) fn is_troubled(&self) -> bool {
        self.retry_at.is_some() || self.portion.is_reduced()
    }

    /// When it was idle for the last time: now, if it is.
    pub(crate) fn idle_for_the_last_time(&mut self, now: Instant) -> Instant {
        if self.is_idle() {
            self.last_idle = now;
        }
        self.last_idle
    }

    /// There may be work: the next step is a claim.
    pub(crate) fn wake(&mut self) {
        self.idle_since = None;
    }

    /// There may be work in one lane of several: the next step is a look at all of them.
    pub(crate) fn wake_to_look(&mut self, now: Instant) {
        if self.is_idle() {
            self.idle_since = Some(now);
            self.next_look = now;
        }
    }

    /// When the lane has to be looked at, or asked again, should nothing else happen.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.retry_at.max(self.idle_since.map(|_| self.next_look))
    }

    /// Whether a look is due, or will be so soon that it can go with others.
    pub(crate) fn look_is_near(&self, now: Instant) -> bool {
        self.is_idle() && self.next_look <= now + self.look_every / 4
    }

    pub(crate) fn sweep_is_due(&self, now: Instant) -> bool {
        now >= self.next_sweep && self.near != [0; PRIORITIES]
    }

    /// The look at what lies above the guess.
    pub(crate) fn ahead(&self) -> Peek {
        Peek { lane: self.lane, low: self.near, high: TOP, quarantine: self.quarantine }
    }

    /// The sweep: the look at what lies below it.
    pub(crate) fn below(&self) -> Peek {
        Peek { lane: self.lane, low: self.swept, high: self.near, quarantine: self.quarantine }
    }

    /// What the next claim, of `want` jobs, is to take by name, if anything. More than it can take is not named: the guess
    /// moves down to it instead, so that the claims to come find the rest as well.
    pub(crate) fn take_named(&mut self, want: usize) -> Option<Found> {
        let found = self.found.take()?;
        let found = if self.contended { half(found) } else { found };
        if found.0.len() > want {
            self.begin_at(&found);
            return None;
        }
        Some(found)
    }

    /// A claim by name has not come to look for these.
    pub(crate) fn not_named(&mut self, found: Option<Found>) {
        self.found = self.found.take().or(found);
    }

    /// A claim by name was answered. Others who looked at the same moment may have been quicker.
    pub(crate) fn named(&mut self, named: usize, got: usize) {
        self.contended = got < named;
    }

    /// A claim was answered. One that got less than it wanted has seen the end of the line, so look before the next.
    pub(crate) fn claimed(&mut self, claimed: &Claimed, wanted: usize, now: Instant) {
        self.answered();
        self.portion
            .arrived(claimed.jobs.iter().filter_map(|job| Some(job.args.as_ref()?.get().len())).sum());
        self.advance(claimed.reach);
        if claimed.jobs.len() < wanted && !claimed.more {
            self.idle_since = Some(now);
            self.next_look = now;
        } else {
            self.idle_since = None;
        }
    }

    /// Jobs were asked for without those that need a place, because none is free.
    pub(crate) fn left_without_place(&mut self) {
        let near = self.without_place.get_or_insert(self.near);
        near.iter_mut().zip(self.near).for_each(|(left, near)| *left = (*left).min(near));
    }

    /// A place is free: jobs that were left may be had.
    pub(crate) fn place_is_free(&mut self) {
        if let Some(left) = self.without_place.take() {
            self.near.iter_mut().zip(left).for_each(|(near, left)| *near = (*near).min(left));
            self.wake();
        }
    }

    /// Whether to claim quarantined jobs, when so many may run and when some run already.
    pub(crate) fn wants_quarantined(&self, none_runs: bool) -> bool {
        self.quarantined && (none_runs || !self.waits_to_be_alone)
    }

    /// Whether a job waits that must run alone, and others were claimed before it.
    pub(crate) fn has_passed_lone(&self) -> bool {
        self.quarantined && self.passed_lone
    }

    /// A claim of quarantined jobs was answered.
    pub(crate) fn claimed_quarantined(&mut self, claimed: &ClaimedQuarantined, alone: bool) {
        self.answered();
        self.quarantine = claimed.reach;
        self.waits_to_be_alone = claimed.jobs.is_empty() && !alone;
        self.passed_lone = claimed.passed;
        self.quarantined = !claimed.jobs.is_empty() || self.waits_to_be_alone;
    }

    /// Another session held the lane.
    pub(crate) fn was_locked(&mut self, now: Instant) {
        self.retry_at = Some(now + self.locked.after_error());
    }

    /// A claim failed for a reason of this lane's.
    pub(crate) fn failed(&mut self, now: Instant) {
        self.retry_at = Some(now + self.errors.after_error());
    }

    fn answered(&mut self) {
        self.retry_at = None;
        self.errors.reset();
        self.locked.reset();
    }

    /// A look at what lies ahead was answered.
    pub(crate) fn looked_ahead(&mut self, peeked: Peeked, wanted: usize, most: Duration, now: Instant) {
        self.saw_quarantine(&peeked);
        if peeked.found.is_empty() {
            self.advance(peeked.reach);
            let since = *self.idle_since.get_or_insert(now);
            self.look_every = (since.elapsed() / 8).clamp(LOOK_FIRST.min(most), most);
            self.next_look = now + jittered(self.look_every);
        } else {
            self.take_found(peeked, wanted);
        }
    }

    /// A sweep was answered. It goes on from there the next time, and begins anew when it has come up to the guess.
    pub(crate) fn swept(&mut self, peeked: Peeked, wanted: usize, now: Instant) {
        self.next_sweep = now + jittered(SWEEP_EVERY);
        self.saw_quarantine(&peeked);
        self.swept = peeked.reach;
        if self.swept.iter().zip(self.near).all(|(swept, near)| *swept >= near) {
            self.swept = [0; PRIORITIES];
        }
        if !peeked.found.is_empty() {
            self.take_found(peeked, wanted);
        }
    }

    /// Moves the guess up to what was looked through. Down, if that is below the guess: then the sequence of tickets was set
    /// back, and nothing waits up there.
    fn advance(&mut self, reach: ByPriority) {
        for (near, reach) in self.near.iter_mut().zip(reach) {
            let behind = (reach - SLACK).max(0);
            *near = if reach < *near { behind } else { behind.max(*near) };
        }
    }

    fn saw_quarantine(&mut self, peeked: &Peeked) {
        self.quarantined = peeked.quarantined;
        self.quarantine = peeked.quarantine;
    }

    /// A few found are claimed by name. A whole batch found: the waiting jobs begin there.
    fn take_found(&mut self, peeked: Peeked, wanted: usize) {
        self.idle_since = None;
        let whole = peeked.found.len() >= wanted;
        let found = (peeked.found, peeked.priorities);
        if whole {
            self.begin_at(&found);
        } else {
            self.found = Some(found);
        }
    }

    /// Moves the guess down to these tickets.
    fn begin_at(&mut self, (tickets, priorities): &Found) {
        for (ticket, priority) in tickets.iter().zip(priorities) {
            let near = &mut self.near[*priority as usize];
            *near = (*near).min(ticket - 1);
        }
        self.swept = [0; PRIORITIES];
    }
}

/// A half of the tickets, at random, so that workers who look at the same moment meet less.
fn half((tickets, priorities): Found) -> Found {
    let mut found: Vec<_> = tickets.into_iter().zip(priorities).collect();
    fastrand::shuffle(&mut found);
    found.truncate(found.len().div_ceil(2));
    found.into_iter().unzip()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn lane() -> LaneState {
        let slots = Arc::new(QueueSlots::new(1, "default", 10));
        LaneState::new(Lane { shard: 0, queue: 1 }, slots, Instant::now())
    }

    fn seen(tickets: std::ops::Range<i64>) -> Peeked {
        let priorities = vec![1; tickets.clone().count()];
        Peeked { found: tickets.collect(), priorities, ..Peeked::default() }
    }

    #[test]
    fn more_than_a_claim_can_name_moves_the_guess_down() {
        let mut lane = lane();
        lane.near = [5000; PRIORITIES];
        lane.swept(seen(100..140), BATCH, Instant::now());
        assert_eq!(lane.take_named(10), None);
        assert_eq!(lane.near, [5000, 99, 5000, 5000], "the next claims begin where the found ones do");
        lane.near = [5000; PRIORITIES];
        lane.swept(seen(100..110), BATCH, Instant::now());
        assert_eq!(lane.take_named(10).map(|(tickets, _)| tickets.len()), Some(10));
        assert_eq!(lane.near, [5000; PRIORITIES]);
    }

    #[test]
    fn tickets_that_were_not_looked_for_are_named_again() {
        let mut lane = lane();
        lane.swept(seen(100..110), BATCH, Instant::now());
        let named = lane.take_named(10);
        assert!(named.is_some() && lane.take_named(10).is_none());
        lane.not_named(named.clone());
        assert_eq!(lane.take_named(10), named);
    }

    #[test]
    fn idle_lane_is_due_when_its_pause_and_its_wait_are_over() {
        let (mut lane, now) = (lane(), Instant::now());
        lane.failed(now);
        let paused = lane.due().unwrap();
        lane.looked_ahead(Peeked::default(), BATCH, Duration::from_secs(60), now);
        assert!(lane.next_look > now && lane.due().unwrap() >= lane.next_look.max(paused));
        lane.retry_at = Some(now);
        assert_eq!(lane.due(), Some(lane.next_look), "a pause that is over hides no look");
        lane.wake();
        assert_eq!(lane.due(), Some(now));
    }
}
