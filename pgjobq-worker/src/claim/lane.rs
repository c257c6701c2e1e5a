//! The state of one lane in the claim loop: whether work seems to wait there, and when to ask about it next.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq_core::worker_api::{ByPriority, Claimed, ClaimedQuarantined, Lane, Pauses, Peek, Peeked};

use super::portion::Portion;
use super::promise::Promise;
use super::scan_hint::ScanHint;
use crate::pause::{Pause, jittered};
use crate::served_queue::ServedQueue;

/// The time between the first two looks at an idle lane, and the longest one as a share of its idle time.
const FIRST_LOOK_INTERVAL: Duration = Duration::from_millis(50);
const LOOK_SHARE: u32 = 8;
/// The time between two looks at a lane that a pause concerns: the pause may be over.
const PAUSED_LOOK_INTERVAL: Duration = Duration::from_millis(750);
/// The largest number of jobs after whose claim no look follows at once. After more of them, older ones of the same transaction may
/// wait below the scan hint.
const FEW_JOBS: usize = 8;

/// The state of one lane.
#[derive(Debug)]
pub(crate) struct LaneState {
    pub(crate) lane: Lane,
    pub(crate) queue: Arc<ServedQueue>,
    /// True while a claim of this lane is in flight.
    pub(crate) asked: bool,
    claim_sent: Instant,
    /// True if the lane was woken since then.
    woken: bool,
    /// True if it was woken to look since then.
    woken_to_look: bool,
    pub(super) promise: Promise,
    /// The size of the next claim.
    pub(crate) portion: Portion,
    pub(crate) scan: ScanHint,
    /// The start of the idle time, when a look found nothing; `None` while work seems to wait.
    idle_since: Option<Instant>,
    last_idle: Instant,
    next_look: Instant,
    look_interval: Duration,
    /// The end of the pause after an error of this lane, or after another session had locked it.
    retry_at: Option<Instant>,
    errors: Pause,
    locked: Pause,
    /// The pauses that concern the lane, as far as the last answer has shown.
    pauses: Pauses,
    /// The pauses of which one has ended while a claim was in flight, whose answer does not know that.
    ended_pauses: Option<Pauses>,
    pub(crate) quarantine: LaneQuarantine,
}

/// The request of a claim, as its answer is judged by it.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) wanted: usize,
    /// The number of tickets that it named, if it did not walk the line.
    pub(crate) named: Option<usize>,
    /// The time since when each enqueue into this queue has notified this worker.
    pub(crate) notified_since: Option<Instant>,
}

/// The quarantine of one lane, as far as the last answer about it has shown.
#[derive(Debug, Default)]
pub(crate) struct LaneQuarantine {
    /// The tickets at which the next walk through the quarantine begins.
    pub(crate) cursor: ByPriority,
    /// True if a quarantined job waits.
    waits: bool,
    /// True if that job waits until no other quarantined job runs in this worker.
    waits_to_be_alone: bool,
    /// True if the last claim passed over a job that must run alone.
    passed_lone: bool,
}

impl LaneState {
    /// A lane that no look has seen. The first hint comes from a look, not from a walk under the lane's lock.
    pub(crate) fn new(lane: Lane, queue: Arc<ServedQueue>, has_filter: bool, now: Instant) -> Self {
        Self {
            lane,
            queue,
            asked: false,
            claim_sent: now,
            woken: false,
            woken_to_look: false,
            promise: Promise::None,
            portion: Portion::WHOLE,
            scan: ScanHint::new(has_filter, now),
            idle_since: Some(now),
            last_idle: now,
            next_look: now,
            look_interval: Duration::ZERO,
            retry_at: None,
            errors: Pause::new(),
            locked: Pause::of_locks(),
            pauses: Pauses::None,
            ended_pauses: None,
            quarantine: LaneQuarantine::default(),
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.idle_since.is_some()
    }

    /// Returns whether the lane may be asked about now: nothing is in flight, there is room for jobs, and no pause is left.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        !self.asked && self.retry_at.is_none_or(|at| at <= now) && self.queue.has_room(now)
    }

    /// Returns whether a claim of this lane is likely to be slow, or to fail.
    pub(crate) fn is_troubled(&self) -> bool {
        self.retry_at.is_some() || self.portion.is_reduced()
    }

    /// Returns when the lane was last idle: now, if it is.
    pub(crate) fn last_idle(&mut self, now: Instant) -> Instant {
        if self.is_idle() {
            self.last_idle = now;
        }
        self.last_idle
    }

    /// Returns whether the queue was paused when the lane was last looked at. New jobs do not wake the lane then.
    pub(crate) fn is_paused(&self) -> bool {
        self.pauses == Pauses::Queue
    }

    /// Makes a claim the next step: there may be work.
    pub(crate) fn wake(&mut self) {
        if !self.is_paused() {
            self.idle_since = None;
            self.woken = true;
        }
    }

    /// Notes that a pause has ended. If it concerned this lane, jobs may wait that claims have passed over.
    pub(crate) fn resumed(&mut self, now: Instant) {
        let ended = std::mem::take(&mut self.pauses);
        self.ended_pauses = self.asked.then_some(ended);
        if ended != Pauses::None {
            self.restart(now);
        }
    }

    /// Looks from the start of the line.
    fn restart(&mut self, now: Instant) {
        self.scan.restart();
        self.become_idle(now);
    }

    /// Notes that a claim is sent.
    pub(crate) fn ask(&mut self, now: Instant) {
        self.asked = true;
        self.claim_sent = now;
        (self.woken, self.woken_to_look) = (false, false);
    }

    /// Makes a look the next step, or the one after the claim in flight: there may be work in one of several lanes.
    pub(crate) fn wake_to_look(&mut self, now: Instant) {
        self.woken_to_look = true;
        if self.is_idle() && !self.is_paused() {
            self.become_idle(now);
        }
    }

    /// Wakes the lane if jobs were left in it without a place: one is free now.
    pub(crate) fn place_is_free(&mut self) {
        if self.scan.place_is_free() {
            self.wake();
        }
    }

    /// Returns when the lane must be looked at, or may be asked again, unless something else happens before.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.retry_at.max(self.idle_since.map(|_| self.next_look))
    }

    /// Returns whether a look is due, or will be so soon that it can go with the looks at other lanes.
    pub(crate) fn look_is_near(&self, now: Instant) -> bool {
        self.is_idle() && self.next_look <= now + self.look_interval / 2
    }

    /// The look at the tickets above the scan hint.
    pub(crate) fn ahead(&self) -> Peek {
        self.peek(self.scan.ahead())
    }

    /// The sweep: the look at the tickets below the scan hint.
    pub(crate) fn below(&self) -> Peek {
        self.peek(self.scan.below())
    }

    fn peek(&self, (low, high): (ByPriority, ByPriority)) -> Peek {
        Peek { lane: self.lane, low, high, quarantine: self.quarantine.cursor }
    }

    /// Notes the answer of a claim. If it got less than it wanted, and its walk was not cut, it has seen the end of the line. Then a
    /// look is next: at once, unless the claim got a few jobs, and this worker is notified of all that came after them, and was not
    /// woken to look meanwhile.
    pub(crate) fn claimed(&mut self, claimed: &Claimed, asked: &Asked, longest: Duration, now: Instant) {
        self.answered();
        let bytes = claimed.jobs.iter().filter_map(|job| Some(job.args.as_ref()?.get().len())).sum();
        self.portion.arrived(bytes);
        self.scan.advance(claimed.scanned_to);
        if let Some(named) = asked.named {
            self.scan.named(named, claimed.jobs.len());
        }
        let got_all = claimed.jobs.len() < asked.wanted && !claimed.more;
        let at_end_of_line = got_all && asked.named.is_none() && saw_every_end(&claimed.scanned_to);
        self.promise.claim_ended(at_end_of_line);
        let notified_since = asked.notified_since.filter(|since| *since <= self.claim_sent);
        let got_few = (1..=FEW_JOBS).contains(&claimed.jobs.len());
        match notified_since.filter(|_| at_end_of_line && got_few) {
            _ if !got_all || self.woken => self.wake(),
            Some(since) if !self.woken_to_look => self.rest(since, longest, now),
            _ => self.become_idle(now),
        }
        if self.ended_pauses.take().is_some_and(|ended| ended != Pauses::None) {
            self.restart(now); // The claim has moved the hint up, past the jobs that it left.
        }
    }

    /// Notes that a claim found the queue paused. Looks follow until the pause is over.
    pub(crate) fn was_paused(&mut self, longest: Duration, now: Instant) {
        self.answered();
        self.quarantine.waits = false;
        if self.ended_pauses.take().is_some() {
            return self.restart(now);
        }
        self.pauses = Pauses::Queue;
        self.rest(now, longest, now);
    }

    /// Notes the answer of a claim of quarantined jobs.
    pub(crate) fn claimed_quarantined(&mut self, claimed: &ClaimedQuarantined, alone: bool) {
        self.answered();
        self.quarantine.claimed(claimed, alone);
    }

    /// Pauses the lane because another session had locked it.
    pub(crate) fn was_locked(&mut self, now: Instant) {
        self.retry_at = Some(now + self.locked.after_error());
    }

    /// Pauses the lane because a claim failed for a reason of its own.
    pub(crate) fn failed(&mut self, now: Instant) {
        self.retry_at = Some(now + self.errors.after_error());
    }

    /// Notes the answer of a look ahead. An idle lane is looked at less and less often, down to every `longest`. After a walk that was
    /// cut, the next look continues it soon.
    pub(crate) fn looked_ahead(&mut self, peeked: Peeked, longest: Duration, now: Instant) {
        self.quarantine.seen(&peeked);
        if self.saw_end_of_pauses(peeked.pauses, now) {
            return;
        }
        if peeked.found.is_empty() {
            self.scan.advance(peeked.scanned_to);
            let since = self.idle_since.filter(|_| saw_every_end(&peeked.scanned_to)).unwrap_or(now);
            self.rest(since, longest, now);
        } else {
            self.wake();
            self.scan.take_found(peeked);
        }
    }

    /// Notes the answer of a sweep.
    pub(crate) fn swept(&mut self, peeked: Peeked, now: Instant) {
        self.quarantine.seen(&peeked);
        if self.saw_end_of_pauses(peeked.pauses, now) {
            return;
        }
        self.scan.swept(peeked.scanned_to, now);
        if !peeked.found.is_empty() {
            self.wake();
            self.scan.take_found(peeked);
        }
    }

    /// Waits for the next look, after an eighth of the time since then.
    fn rest(&mut self, since: Instant, longest: Duration, now: Instant) {
        self.idle_since = Some(since);
        let interval = (now - since) / LOOK_SHARE;
        let interval = match self.pauses {
            Pauses::None => interval,
            Pauses::Some => interval.min(PAUSED_LOOK_INTERVAL),
            Pauses::Queue => PAUSED_LOOK_INTERVAL,
        };
        self.look_interval = interval.clamp(FIRST_LOOK_INTERVAL.min(longest), longest);
        self.next_look = now + jittered(self.look_interval);
    }

    /// Notes the pauses that a look has seen. Returns whether there were some before, and are none now.
    fn saw_end_of_pauses(&mut self, seen: Pauses, now: Instant) -> bool {
        let ended = seen == Pauses::None && self.pauses != Pauses::None;
        if ended {
            self.resumed(now);
        }
        self.pauses = seen;
        ended
    }

    fn become_idle(&mut self, now: Instant) {
        self.idle_since = Some(now);
        self.next_look = now;
    }

    fn answered(&mut self) {
        self.retry_at = None;
        self.errors.reset();
        self.locked.reset();
    }
}

/// Returns whether a walk that found less than it wanted came to the end of each line, all of which it then has scanned up to the
/// last ticket drawn. A walk that passed too many rows was cut before.
fn saw_every_end(scanned_to: &ByPriority) -> bool {
    scanned_to.iter().all(|ticket| *ticket == scanned_to[0])
}

impl LaneQuarantine {
    /// Returns whether to claim quarantined jobs. `none_runs` says that no quarantined job runs in this worker.
    pub(crate) fn wants_claim(&self, none_runs: bool) -> bool {
        self.waits && (none_runs || !self.waits_to_be_alone)
    }

    /// Returns whether a quarantined job waits.
    pub(crate) fn waits(&self) -> bool {
        self.waits
    }

    /// Returns whether a job that must run alone waits, and others were claimed before it.
    pub(crate) fn has_passed_lone(&self) -> bool {
        self.waits && self.passed_lone
    }

    fn claimed(&mut self, claimed: &ClaimedQuarantined, alone: bool) {
        self.cursor = claimed.scanned_to;
        self.waits_to_be_alone = claimed.jobs.is_empty() && !alone;
        self.passed_lone = claimed.passed;
        self.waits = !claimed.jobs.is_empty() || self.waits_to_be_alone;
    }

    fn seen(&mut self, peeked: &Peeked) {
        self.waits = peeked.quarantined;
        self.cursor = peeked.quarantine;
    }
}

#[cfg(test)]
mod tests;
