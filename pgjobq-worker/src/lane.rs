//! What a worker remembers of one lane: where it guesses the waiting jobs to begin, and when it looks again.
//!
//! Nothing here carries correctness. A wrong guess costs delay, until the sweep has looked below it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq_core::__private::{ByPriority, Claimed, Lane, PRIORITIES, Peek, Peeked};

use crate::pause::jittered;
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
    last_idle: Instant,
    /// Free tickets that a look has found, and their priorities.
    found: Option<(Vec<i64>, Vec<i16>)>,
    /// Whether others were quicker to claim what was found here.
    contended: bool,
    /// Whether a suspect was seen.
    pub(crate) suspects: bool,
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
            last_idle: now,
            found: None,
            contended: false,
            suspects: false,
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.idle_since.is_some()
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

    /// When the lane wants to be looked at, should nothing else happen.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.idle_since.map(|_| self.next_look)
    }

    pub(crate) fn sweep_is_due(&self, now: Instant) -> bool {
        now >= self.next_sweep && self.near != [0; PRIORITIES]
    }

    /// The look at what lies above the guess.
    pub(crate) fn ahead(&self) -> Peek {
        Peek { lane: self.lane, low: self.near, high: TOP }
    }

    /// The sweep: the look at what lies below it.
    pub(crate) fn below(&self) -> Peek {
        Peek { lane: self.lane, low: self.swept, high: self.near }
    }

    /// What the next claim is to take by name, if anything.
    pub(crate) fn take_named(&mut self) -> Option<(Vec<i64>, Vec<i16>)> {
        let found = self.found.take()?;
        Some(if self.contended { half(found) } else { found })
    }

    /// A claim by name was answered. Others who looked at the same moment may have been quicker.
    pub(crate) fn named(&mut self, named: usize, got: usize) {
        self.contended = got < named;
    }

    /// A claim was answered. One that got less than it wanted has seen the end of the line, so look before the next.
    pub(crate) fn claimed(&mut self, claimed: &Claimed, wanted: usize, now: Instant) {
        for (near, reach) in self.near.iter_mut().zip(claimed.reach) {
            *near = (*near).max(reach - SLACK);
        }
        if claimed.jobs.len() < wanted {
            self.idle_since = Some(now);
            self.next_look = now;
        } else {
            self.idle_since = None;
        }
    }

    /// A look at what lies ahead was answered.
    pub(crate) fn looked_ahead(&mut self, peeked: Peeked, wanted: usize, most: Duration, now: Instant) {
        self.suspects = peeked.suspects;
        if peeked.found.is_empty() {
            for (near, reach) in self.near.iter_mut().zip(peeked.reach) {
                *near = (*near).max(reach - SLACK);
            }
            let since = *self.idle_since.get_or_insert(now);
            self.next_look = now + jittered((since.elapsed() / 8).clamp(LOOK_FIRST.min(most), most));
        } else {
            self.take_found(peeked, wanted);
        }
    }

    /// A sweep was answered. It goes on from there the next time, and begins anew when it has come up to the guess.
    pub(crate) fn swept(&mut self, peeked: Peeked, wanted: usize, now: Instant) {
        self.next_sweep = now + jittered(SWEEP_EVERY);
        self.suspects |= peeked.suspects;
        self.swept = peeked.reach;
        if self.swept.iter().zip(self.near).all(|(swept, near)| *swept >= near) {
            self.swept = [0; PRIORITIES];
        }
        if !peeked.found.is_empty() {
            self.take_found(peeked, wanted);
        }
    }

    /// A few found are claimed by name. A whole batch found: the waiting jobs begin there.
    fn take_found(&mut self, peeked: Peeked, wanted: usize) {
        self.idle_since = None;
        if peeked.found.len() < wanted {
            self.found = Some((peeked.found, peeked.priorities));
            return;
        }
        for (ticket, priority) in peeked.found.into_iter().zip(peeked.priorities) {
            let near = &mut self.near[priority as usize];
            *near = (*near).min(ticket - 1);
        }
        self.swept = [0; PRIORITIES];
    }
}

/// A half of the tickets, at random, so that workers who look at the same moment meet less.
fn half((tickets, priorities): (Vec<i64>, Vec<i16>)) -> (Vec<i64>, Vec<i16>) {
    let mut found: Vec<_> = tickets.into_iter().zip(priorities).collect();
    fastrand::shuffle(&mut found);
    found.truncate(found.len().div_ceil(2));
    found.into_iter().unzip()
}
