//! What the claim loop does with the answers to what it asked.

use std::sync::Arc;
use std::time::Instant;

use pgjobq_core::__private::{Claimed, ClaimedQuarantined, Peeked, SCHEDULED, Signal};
use pgjobq_core::DatabaseError;

use crate::claim::begin::{Batch, begin};
use crate::claim::claim_loop::Claimer;
use crate::claim::lane::BATCH;
use crate::claim::outage::Outage;
use crate::claim::portion::may_be_the_jobs;
use crate::claim::requests::{Answer, AskedClaim, AskedQuarantine, Failed, Look};
use crate::runtime::Runtime;
use crate::setup::chain;

/// The share of its time that a worker sweeps, over all its lanes: one part in so many.
const SWEEP_SHARE: u32 = 20;
/// SQLSTATE of a claim by a worker that is not registered.
const NOT_REGISTERED: &str = "PJ001";
/// SQLSTATE of a claim that waited too long for its lane.
const LOCKED: &str = "55P03";

impl Claimer {
    pub(crate) fn take(&mut self, answer: Answer) {
        match answer {
            Answer::Claim(asked, claimed) => self.claimed(asked, claimed),
            Answer::Quarantine(asked, claimed) => self.claimed_quarantined(&asked, claimed),
            Answer::Look { places, sent, answer } => self.looked(&places, sent, answer),
            Answer::Announced(announced) => {
                self.idleness.answered(announced.is_ok());
                match announced {
                    Ok(()) => self.announcing.answered(),
                    Err(failed) => {
                        tracing::warn!(
                            error = chain(&failed),
                            "idle queues were not announced; trying again"
                        );
                        self.announcing.failed();
                        self.failed_for_all(&failed);
                    }
                }
            }
        }
    }

    fn claimed(&mut self, asked: AskedClaim, claimed: Result<Claimed, Failed>) {
        self.claim_ends(asked.place);
        let lane = &mut self.lanes[asked.place];
        let slots = Arc::clone(&lane.slots);
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(failed) => {
                slots.free(asked.want);
                lane.not_named(asked.found);
                if let Failed::TimedOut = failed {
                    lane.portion.failed(asked.want);
                } else if let Failed::Database(error) = &failed
                    && may_be_the_jobs(error)
                {
                    lane.portion.failed(asked.want);
                }
                return self.failed(asked.place, failed);
            }
        };
        self.outage.answered();
        slots.free(asked.want - claimed.jobs.len());
        let now = Instant::now();
        if claimed.opened {
            lane.claimed(&claimed, asked.want, now);
            if let Some((named, _)) = &asked.found {
                lane.named(named.len(), claimed.jobs.len());
            }
        } else {
            lane.was_locked(now);
            lane.not_named(asked.found);
        }
        let (lane, worker, lease) = (asked.lane, asked.worker, asked.lease);
        let batch = Batch { lane, slots: &slots, worker, lease, quarantined: false, places: asked.places };
        begin(&self.runtime, batch, claimed.jobs);
    }

    fn claimed_quarantined(&mut self, asked: &AskedQuarantine, claimed: Result<ClaimedQuarantined, Failed>) {
        self.claim_ends(asked.place);
        let lane = &mut self.lanes[asked.place];
        let slots = Arc::clone(&lane.slots);
        let quarantine = &self.runtime.quarantine;
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(failed) => {
                slots.free(asked.want);
                quarantine.had(asked.want, 0, false);
                return self.failed(asked.place, failed);
            }
        };
        self.outage.answered();
        slots.free(asked.want - claimed.jobs.len());
        quarantine.had(asked.want, claimed.jobs.len(), claimed.alone);
        if claimed.opened {
            // Where none is left that was passed, or could have been, the count begins anew; other lanes do not change it.
            if claimed.passed || lane.has_passed_lone() || asked.lone_first {
                quarantine.passed(claimed.passed);
            }
            lane.claimed_quarantined(&claimed, asked.alone);
        } else {
            lane.was_locked(Instant::now());
        }
        let (lane, worker, lease) = (asked.lane, asked.worker, asked.lease);
        let batch = Batch { lane, slots: &slots, worker, lease, quarantined: true, places: None };
        begin(&self.runtime, batch, claimed.jobs);
    }

    fn claim_ends(&mut self, place: usize) {
        let lane = &mut self.lanes[place];
        lane.asked = false;
        self.claims -= 1;
        self.troubled -= usize::from(lane.is_troubled());
    }

    fn looked(&mut self, places: &[(usize, Look)], sent: Instant, peeked: Result<Vec<Peeked>, Failed>) {
        self.looking = false;
        let peeked = match peeked {
            Ok(peeked) => peeked,
            Err(failed) => {
                tracing::warn!(error = chain(&failed), "a look for jobs failed; trying again");
                self.looks.failed();
                return self.failed_for_all(&failed);
            }
        };
        self.outage.answered();
        self.looks.answered();
        let (most, now) = (self.runtime.config.poll_interval, Instant::now());
        if places.iter().any(|(_, look)| *look == Look::Below) {
            self.rest_until = now + (now - sent) * SWEEP_SHARE;
        }
        for ((place, look), peeked) in places.iter().zip(peeked) {
            let lane = &mut self.lanes[*place];
            match look {
                Look::Ahead => lane.looked_ahead(peeked, BATCH, most, now),
                Look::Below => lane.swept(peeked, BATCH, now),
            }
        }
    }

    /// Another request than a claim failed. Mostly that pauses this kind of request; an outage pauses all.
    fn failed_for_all(&mut self, failed: &Failed) {
        if Outage::is_meant_by(failed) {
            self.outage.failed();
        }
    }

    /// A claim failed. The error is its lane's, unless it would meet every lane.
    fn failed(&mut self, place: usize, failed: Failed) {
        let code = match &failed {
            Failed::Database(error) => DatabaseError::code(error),
            Failed::TimedOut => None,
        };
        let now = Instant::now();
        let lane = &mut self.lanes[place];
        match code.as_deref() {
            Some(LOCKED) => return lane.was_locked(now),
            // A worker that was given up is told by its next heartbeat; until then its claims are in vain.
            Some(NOT_REGISTERED) => {
                self.runtime.events.beat.notify_one();
                self.outage.failed();
            }
            _ if Outage::is_meant_by(&failed) => self.outage.failed(),
            _ => lane.failed(now),
        }
        let queue = &*lane.slots.name;
        tracing::warn!(
            error = chain(&failed),
            queue,
            shard = lane.lane.shard,
            "a claim failed; trying again"
        );
    }
}

impl Runtime {
    /// Takes note of what the listener heard.
    pub(crate) fn note(&self, signal: &Signal) {
        match signal {
            Signal::Wake(queues) => {
                self.arrivals.note(queues);
                if queues.contains(&SCHEDULED) {
                    self.events.promote.notify_one();
                }
            }
            Signal::Anything => {
                self.arrivals.note_anywhere();
                self.events.promote.notify_one();
            }
            Signal::Ended(_) | Signal::Cancel => {}
        }
    }
}
