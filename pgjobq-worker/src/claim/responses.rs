//! Uses the answers to the requests of the claim loop.

use std::time::{Duration, Instant};

use pgjobq_core::DatabaseError;
use pgjobq_core::observe::Event;
use pgjobq_core::worker_api::{Claimed, ClaimedQuarantined, Opened, Peeked, chain};

use super::begin::{Reserved, begin};
use super::claim_loop::Claimer;
use super::lane::Asked;
use super::outage::{Kind, affects_every_lane};
use super::requests::{Answer, Failed, InFlight, Look, QuarantineRequest, WalkRequest};

/// Sweeps take at most one part in this many of a worker's time, over all its lanes.
const SWEEP_SHARE: u32 = 20;
/// The longest pause between two sweeps, also if the answer was slow for another reason: only a sweep finds jobs that were committed
/// late.
const LONGEST_SWEEP_PAUSE: Duration = Duration::from_secs(10);
/// The SQLSTATE of a claim by a worker that is not registered.
const NOT_REGISTERED: &str = "PJ001";
/// The SQLSTATE of a claim that waited too long for its lane.
const LOCKED: &str = "55P03";

impl Claimer {
    pub(super) fn take(&mut self, answer: Answer) {
        match answer {
            Answer::Claim(claim, answer) => self.claimed(claim, answer),
            Answer::Quarantine(claim, answer) => self.claimed_quarantined(claim, answer),
            Answer::Look { looks, sent, answer } => self.looked(&looks, sent, answer),
            Answer::Announced(answer) => self.announced(answer),
        }
    }

    fn claimed(&mut self, claim: InFlight<WalkRequest>, answer: Result<Claimed, Failed>) {
        let InFlight { place, id, slots, sent, request } = claim;
        self.end_claim(place);
        let (lane, now) = (&mut self.lanes[place], Instant::now());
        let is_sharded = self.runtime.store.shards().len() > 1;
        let notified_since = self.idleness.notified_since(id.worker, id.lane.queue);
        let asked = Asked {
            wanted: slots.jobs(),
            named: request.found.as_ref().map(Vec::len),
            // With several shards, a wake-up during the claim may have been for another lane.
            notified_since: notified_since.filter(|_| !is_sharded),
        };
        let claimed = match answer {
            Ok(claimed) => claimed,
            Err(failed) => {
                lane.scan.not_named(request.found);
                if failed.may_be_caused_by_jobs() {
                    lane.portion.failed(slots.jobs());
                }
                return self.failed(place, &failed);
            }
        };
        self.outages.everything.answered();
        if claimed.held_back {
            self.runtime.events.awaited.notify_one(); // The claim has noted when their rate has room.
        }
        let longest = self.runtime.config.poll_interval;
        match claimed.lane {
            Opened::Open => {
                slots.queue().occupancy().prefetch.pace.answered(now - sent);
                lane.claimed(&claimed, &asked, longest, now);
            }
            Opened::Locked => {
                if request.wait {
                    self.runtime.events.check_queues.notify_one(); // It waited for the lane, whose row is gone.
                }
                lane.promise.claim_ended(false);
                lane.was_locked(now);
                lane.scan.not_named(request.found);
            }
            Opened::Paused => {
                lane.promise.claim_ended(true); // Nobody can start the jobs. They are found after the pause.
                lane.was_paused(longest, now);
            }
        }
        let reserved = Reserved { slots, places: request.places, quarantined: Vec::new() };
        begin(&self.runtime, id, claimed.jobs, reserved);
    }

    fn claimed_quarantined(
        &mut self,
        claim: InFlight<QuarantineRequest>,
        answer: Result<ClaimedQuarantined, Failed>,
    ) {
        let InFlight { place, id, slots, request, .. } = claim;
        self.end_claim(place);
        let claimed = match answer {
            Ok(claimed) => claimed,
            Err(failed) => return self.failed(place, &failed),
        };
        self.outages.everything.answered();
        let quarantined = request.admission.claimed(claimed.jobs.len(), claimed.alone);
        let lane = &mut self.lanes[place];
        if claimed.lane == Opened::Open {
            // If no passed job is left, the count of passes begins anew. Claims in lanes without such a job do not change it.
            if claimed.passed || lane.quarantine.has_passed_lone() || request.lone_first {
                self.runtime.quarantine.passed(claimed.passed);
            }
            lane.claimed_quarantined(&claimed, request.alone);
        } else if claimed.lane == Opened::Paused {
            lane.was_paused(self.runtime.config.poll_interval, Instant::now());
        } else {
            lane.was_locked(Instant::now());
        }
        begin(&self.runtime, id, claimed.jobs, Reserved { slots, places: None, quarantined });
    }

    fn end_claim(&mut self, place: usize) {
        let lane = &mut self.lanes[place];
        lane.asked = false;
        self.claims -= 1;
        self.troubled -= usize::from(lane.is_troubled());
    }

    fn looked(&mut self, looks: &[(usize, Look)], sent: Instant, answer: Result<Vec<Peeked>, Failed>) {
        self.is_looking = false;
        let peeked = match answer {
            Ok(peeked) => peeked,
            Err(failed) => {
                tracing::warn!(error = chain(&failed), "a look for jobs failed; trying again");
                return self.outages.failed(Kind::Look, &failed);
            }
        };
        self.outages.everything.answered();
        self.outages.looks.answered();
        let (longest, now) = (self.runtime.config.poll_interval, Instant::now());
        if looks.iter().any(|(_, look)| *look == Look::Below) {
            self.no_sweep_before = now + ((now - sent) * SWEEP_SHARE).min(LONGEST_SWEEP_PAUSE);
        }
        for ((place, look), peeked) in looks.iter().zip(peeked) {
            let lane = &mut self.lanes[*place];
            match look {
                Look::Ahead => lane.looked_ahead(peeked, longest, now),
                Look::Below => {
                    let jobs = peeked.found.len();
                    if jobs > 0 {
                        let queue = &lane.queue.name;
                        self.runtime.client.observers().emit_one(|| Event::swept(queue, jobs));
                    }
                    lane.swept(peeked, now);
                }
            }
        }
    }

    fn announced(&mut self, answer: Result<(), Failed>) {
        self.idleness.answered(answer.is_ok(), Instant::now());
        match answer {
            Ok(()) => self.outages.announcements.answered(),
            Err(failed) => {
                tracing::warn!(error = chain(&failed), "idle queues were not announced; trying again");
                self.outages.failed(Kind::Announcement, &failed);
            }
        }
    }

    /// Pauses the lane of a failed claim, or everything if the error would meet every lane.
    fn failed(&mut self, place: usize, failed: &Failed) {
        let code = match failed {
            Failed::Database(error) => DatabaseError::code(error),
            Failed::TimedOut => None,
        };
        let now = Instant::now();
        let lane = &mut self.lanes[place];
        lane.promise.claim_ended(false);
        match code.as_deref() {
            Some(LOCKED) => return lane.was_locked(now),
            // The worker was given up. A heartbeat registers it again; until then its claims are in vain.
            Some(NOT_REGISTERED) => {
                self.runtime.events.beat.notify_one();
                self.outages.everything.failed();
            }
            _ if affects_every_lane(failed) => self.outages.everything.failed(),
            _ => lane.failed(now),
        }
        let (queue, shard) = (&*lane.queue.name, lane.lane.shard.0);
        tracing::warn!(error = chain(failed), queue, shard, "a claim failed; trying again");
    }
}
