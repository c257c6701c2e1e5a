//! Decides which lanes the claim loop asks now, and for how much.

use std::sync::Arc;
use std::time::Instant;

use pgjobq_core::worker_api::{ClaimId, Peek};

use super::claim_loop::Claimer;
use super::lane::LaneState;
use super::pace::MOST_BUSY;
use super::requests::{self, InFlight, Look, QuarantineRequest, WalkRequest};
use crate::slots::Slots;

/// The largest number of claims in flight. One of them may be in a lane whose claims are slow, or fail.
const CLAIMS_IN_FLIGHT: usize = 2;
/// The largest number of lanes in one look.
const LOOK_LANES: usize = 128;

impl Claimer {
    /// Sends the requests that are due.
    pub(super) fn ask(&mut self) {
        let now = Instant::now();
        if !self.outages.everything.is_over(now) {
            return;
        }
        self.wake_lanes_without_place();
        self.look(now);
        self.share_claims();
        let waiting = self.lanes.iter().filter(|lane| !lane.is_idle() && lane.is_open(now)).count();
        if !self.is_behind() {
            self.claim_in_turn(waiting <= 1, now);
        }
        if self.outages.announcements.is_over(now)
            && let Some((worker, queues)) =
                self.idleness.next_announcement(&self.runtime, &mut self.lanes, now)
        {
            self.send(requests::announce(Arc::clone(&self.runtime), worker, queues));
        }
    }

    /// Sets in each queue the number of those that share the claims.
    fn share_claims(&mut self) {
        let shards = self.lanes.len() / self.runtime.queues.len().max(1);
        let busy =
            self.lanes.iter().filter(|lane| !lane.is_idle()).count().div_ceil(shards.max(1)).min(MOST_BUSY);
        if std::mem::replace(&mut self.busy_queues, busy) != busy {
            let busy = u32::try_from(busy).unwrap_or(u32::MAX);
            self.runtime.queues.iter().for_each(|queue| queue.occupancy().prefetch.pace.shared_by(busy));
        }
    }

    /// Claims in one lane after the other. `wait` says that no other lane is open, so that a locked one is waited for.
    fn claim_in_turn(&mut self, wait: bool, now: Instant) {
        for turn in 0..self.lanes.len() {
            if self.claims >= CLAIMS_IN_FLIGHT {
                break;
            }
            let place = (self.first + turn) % self.lanes.len();
            let lane = &self.lanes[place];
            let may_claim = lane.is_open(now) && !(lane.is_troubled() && self.troubled > 0);
            if may_claim && (self.claim_quarantined(place, now) || self.claim(place, wait, now)) {
                self.first = place + 1;
            }
        }
    }

    /// Returns whether nothing should be claimed: too many results wait to be recorded, or no heartbeat was answered lately.
    fn is_behind(&self) -> bool {
        self.runtime.is_behind() || !self.runtime.liveness.may_claim(self.runtime.config.lease)
    }

    fn wake_lanes_without_place(&mut self) {
        if !self.runtime.kinds.transactional.is_empty() && self.runtime.client.has_places() {
            self.lanes.iter_mut().filter(|lane| !lane.asked).for_each(LaneState::place_is_free);
        }
    }

    /// Claims in one lane, if work seems to wait there and there is room for it.
    fn claim(&mut self, place: usize, wait: bool, now: Instant) -> bool {
        if self.lanes[place].is_idle() {
            return false;
        }
        let is_transactional = !self.runtime.kinds.transactional.is_empty();
        let shares = shares(&self.lanes, place, self.runtime.queues.len(), is_transactional, now);
        let slots = self.take_slots(place, shares.slots, now);
        if slots.jobs() == 0 {
            return false;
        }
        let (lane, client) = (&mut self.lanes[place], &self.runtime.client);
        let most = slots.count().max(1).min(share(client.free_places(), shares.places));
        let places = is_transactional.then(|| client.take_places(most)).flatten();
        if is_transactional && places.is_none() {
            lane.scan.left_without_place();
        }
        let (from, found) = lane.scan.next_walk(slots.jobs());
        let request = WalkRequest {
            wait,
            from,
            found,
            bytes: lane.portion.bytes,
            without_args: lane.portion.without_args,
            places,
        };
        let id = self.begin_claim(place, now);
        self.lanes[place].promise.claim_sent();
        let claim = InFlight { place, id, slots, sent: now, request };
        self.send(requests::claim(Arc::clone(&self.runtime), claim));
        true
    }

    /// Takes free slots for a claim in this lane, and room for prefetched jobs.
    fn take_slots(&self, place: usize, is_shared: bool, now: Instant) -> Slots {
        let LaneState { queue, portion, .. } = &self.lanes[place];
        // Quarantined jobs, and jobs without arguments, only begin in slots that are free.
        let is_quarantined = |lane: &LaneState| Arc::ptr_eq(&lane.queue, queue) && lane.quarantine.waits();
        let prefetches = !portion.is_reduced() && !self.lanes.iter().any(is_quarantined);
        let room = if prefetches { queue.room(now) } else { queue.free_slots() };
        let most = portion.jobs.min(share(room.slots, is_shared));
        Slots::take(queue, most, share(room.ahead, is_shared).min(portion.jobs - most))
    }

    /// Claims quarantined jobs in one lane, if one waits there and more of them may run here.
    fn claim_quarantined(&mut self, place: usize, now: Instant) -> bool {
        let quarantine = &self.runtime.quarantine;
        let lone_first = quarantine.lone_goes_first();
        let has_turn = |lane: &LaneState| lane.quarantine.has_passed_lone() && lane.is_open(now);
        let lane = &self.lanes[place];
        if lone_first && !lane.quarantine.has_passed_lone() && self.lanes.iter().any(has_turn) {
            return false; // The job whose turn it is waits in another lane.
        }
        let alone = quarantine.is_empty();
        if !lane.quarantine.wants_claim(alone) {
            return false;
        }
        let slots = Slots::take(&lane.queue, quarantine.count_free(), 0);
        if slots.count() == 0 {
            return false;
        }
        let admission = quarantine.admit(slots.count());
        let request = QuarantineRequest { alone, lone_first, from: lane.quarantine.cursor, admission };
        let id = self.begin_claim(place, now);
        self.send(requests::claim_quarantined(
            Arc::clone(&self.runtime),
            InFlight { place, id, slots, sent: Instant::now(), request },
        ));
        true
    }

    fn begin_claim(&mut self, place: usize, now: Instant) -> ClaimId {
        let lane = &mut self.lanes[place];
        lane.ask(now);
        self.claims += 1;
        self.troubled += usize::from(lane.is_troubled());
        ClaimId { lane: lane.lane, worker: self.runtime.worker(), lease: self.runtime.leases.begin_claim() }
    }

    /// Looks, in one statement, at idle lanes if one of them is due, and below the hints of those whose sweep is due.
    fn look(&mut self, now: Instant) {
        if self.is_looking || !self.outages.looks.is_over(now) {
            return;
        }
        let has_places = self.runtime.kinds.transactional.is_empty() || self.runtime.client.has_places();
        let is_open = |lane: &LaneState| !lane.asked && lane.is_open(now);
        let is_due = self.lanes.iter().any(|lane| is_open(lane) && lane.is_idle() && lane.due() <= Some(now));
        let may_sweep = now >= self.no_sweep_before;
        let (mut looks, mut peeks) = (Vec::new(), Vec::<Peek>::new());
        for turn in 0..self.lanes.len() {
            if peeks.len() >= LOOK_LANES {
                break;
            }
            let place = (self.first + turn) % self.lanes.len();
            let lane = &mut self.lanes[place];
            if !is_open(lane) {
                continue;
            }
            let looks_ahead = is_due && lane.look_is_near(now);
            if looks_ahead {
                looks.push((place, Look::Ahead));
                peeks.push(lane.ahead());
                if !has_places {
                    lane.scan.left_without_place();
                }
            }
            if may_sweep && lane.scan.sweep_is_due(now) && (looks_ahead || !lane.is_idle()) {
                looks.push((place, Look::Below));
                peeks.push(lane.below());
            }
        }
        if peeks.is_empty() {
            return;
        }
        self.is_looking = true;
        self.send(requests::look(Arc::clone(&self.runtime), looks, peeks, has_places));
    }
}

/// Says whether a claim leaves slots, and places for transactions, to other lanes, so that those need not wait for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shares {
    slots: bool,
    places: bool,
}

/// Slots are shared with open lanes of the same queue in other shards; places with any other open lane.
fn shares(lanes: &[LaneState], place: usize, queues: usize, is_transactional: bool, now: Instant) -> Shares {
    let queue = &lanes[place].queue;
    let mut others = lanes.iter().enumerate().filter(|(at, lane)| *at != place && lane.is_open(now));
    let is_sharded = lanes.len() > queues;
    let slots = is_sharded && others.clone().any(|(_, lane)| Arc::ptr_eq(&lane.queue, queue));
    Shares { slots, places: slots || (is_transactional && others.next().is_some()) }
}

fn share(free: usize, is_shared: bool) -> usize {
    if is_shared { free.div_ceil(2) } else { free }
}

#[cfg(test)]
mod tests {
    use pgjobq_core::worker_api::{Lane, QueueId, Shard};

    use super::*;
    use crate::served_queue::ServedQueue;

    fn lanes(queues: &[&Arc<ServedQueue>], shards: i16, now: Instant) -> Vec<LaneState> {
        let lane = |shard, queue: &Arc<ServedQueue>| {
            LaneState::new(Lane { shard, queue: queue.id() }, Arc::clone(queue), false, now)
        };
        (0..shards).map(Shard).flat_map(|shard| queues.iter().map(move |queue| lane(shard, queue))).collect()
    }

    fn queue(id: i32) -> Arc<ServedQueue> {
        Arc::new(ServedQueue::new(QueueId(id), "default", 10, Arc::default()))
    }

    #[test]
    fn claim_takes_half_only_while_other_lanes_are_open() {
        let (now, mail) = (Instant::now(), queue(1));
        let one_lane = lanes(&[&mail], 1, now);
        assert_eq!(shares(&one_lane, 0, 1, true, now), Shares { slots: false, places: false });
        let mut sharded = lanes(&[&mail], 2, now);
        assert_eq!(shares(&sharded, 0, 1, true, now), Shares { slots: true, places: true });
        sharded[1].asked = true;
        assert_eq!(shares(&sharded, 0, 1, true, now), Shares { slots: false, places: false });
        assert_eq!((share(5, true), share(5, false)), (3, 5));
    }

    #[test]
    fn other_queues_share_places_but_no_slots() {
        let (now, mail, images) = (Instant::now(), queue(1), queue(2));
        let two_queues = lanes(&[&mail, &images], 1, now);
        assert_eq!(shares(&two_queues, 0, 2, true, now), Shares { slots: false, places: true });
        assert_eq!(shares(&two_queues, 0, 2, false, now), Shares { slots: false, places: false });
    }
}
