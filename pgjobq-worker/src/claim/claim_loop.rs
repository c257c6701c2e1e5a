//! Claims jobs for free slots. One task for all lanes of a worker: it claims where there seems to be work, looks where there
//! was none, and sweeps below its guesses. A few statements are on their way at a time, at most one about each lane, so that a lane
//! that is slow, locked or fails delays no other lane.

use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use pgjobq_core::__private::{Answers, Lane, Peek, Signal};
use tokio::sync::broadcast;

use crate::claim::idleness::Idleness;
use crate::claim::lane::{BATCH, LaneState};
use crate::claim::outage::Outage;
use crate::claim::requests::{self, Answer, AskedClaim, AskedQuarantine, Look};
use crate::runtime::{QueueSlots, Runtime};

/// How many claims are on their way at a time. One of them may be of a lane whose claims are slow or fail.
const CLAIMS: usize = 2;
/// How many lanes one look looks at.
const LOOK_LANES: usize = 128;

pub(crate) struct Claimer {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) lanes: Vec<LaneState>,
    signals: broadcast::Receiver<Signal>,
    /// In the client's place once it was closed: nothing is heard any more.
    silent: Option<broadcast::Sender<Signal>>,
    answers: Arc<Answers>,
    on_their_way: FuturesUnordered<BoxFuture<'static, Answer>>,
    /// How many of these are claims, and how many of those are of troubled lanes.
    pub(crate) claims: usize,
    pub(crate) troubled: usize,
    pub(crate) looking: bool,
    /// No sweep before this.
    pub(crate) rest_until: Instant,
    pub(crate) idleness: Idleness,
    pub(crate) outage: Outage,
    /// The pauses after looks, and after announcements, that were refused: claims go on meanwhile.
    pub(crate) looks: Outage,
    pub(crate) announcing: Outage,
    /// The lane that goes first the next time.
    first: usize,
}

/// Claims until the worker drains.
pub(crate) async fn claim_for_ever(runtime: Arc<Runtime>) {
    let mut claimer = Claimer::new(runtime);
    while !claimer.runtime.stages.drain.is_cancelled() {
        claimer.follow_recreated_queues();
        claimer.note_arrivals();
        claimer.ask();
        claimer.wait().await;
    }
    // What a claim still brings is returned.
    while let Some(answer) = claimer.on_their_way.next().await {
        claimer.take(answer);
    }
}

impl Claimer {
    fn new(runtime: Arc<Runtime>) -> Self {
        let now = Instant::now();
        let lane =
            |shard| move |slots: &Arc<QueueSlots>| (Lane { shard, queue: slots.id() }, Arc::clone(slots));
        let shards = runtime.store.shards();
        let lanes = shards.iter().flat_map(|shard| runtime.queues.iter().map(lane(*shard)));
        Self {
            lanes: lanes.map(|(lane, slots)| LaneState::new(lane, slots, now)).collect(),
            signals: runtime.client.signals(),
            silent: None,
            answers: runtime.client.answers(),
            on_their_way: FuturesUnordered::new(),
            claims: 0,
            troubled: 0,
            looking: false,
            rest_until: now,
            idleness: Idleness::default(),
            outage: Outage::default(),
            looks: Outage::default(),
            announcing: Outage::default(),
            first: 0,
            runtime,
        }
    }

    /// Begins anew in the lanes of queues that were recreated under another id.
    fn follow_recreated_queues(&mut self) {
        let now = Instant::now();
        let moved = |lane: &&mut LaneState| !lane.asked && lane.lane.queue != lane.slots.id();
        for lane in self.lanes.iter_mut().filter(moved) {
            let slots = Arc::clone(&lane.slots);
            *lane = LaneState::new(Lane { shard: lane.lane.shard, queue: slots.id() }, slots, now);
        }
    }

    /// Sends what there is to ask now.
    fn ask(&mut self) {
        let now = Instant::now();
        if !self.outage.is_over(now) {
            return;
        }
        self.wake_those_without_place();
        self.look(now);
        let wanting = self.lanes.iter().filter(|lane| !lane.is_idle() && lane.is_open(now)).count();
        let behind = self.is_behind(); // Once: it looks at every queue.
        for turn in 0..self.lanes.len() {
            if self.claims >= CLAIMS || behind {
                break;
            }
            let place = (self.first + turn) % self.lanes.len();
            let lane = &self.lanes[place];
            if !lane.is_open(now) || (lane.is_troubled() && self.troubled > 0) {
                continue;
            }
            // A busy lane is waited for, unless another one is next.
            if self.claim_quarantined(place, now) || self.claim(place, wanting <= 1, now) {
                self.first = place + 1;
            }
        }
        if self.announcing.is_over(now)
            && let Some((worker, queues)) =
                self.idleness.next_announcement(&self.runtime, &mut self.lanes, now)
        {
            self.send(requests::announce(Arc::clone(&self.runtime), worker, queues));
        }
    }

    /// Whether so many results wait to be recorded that nothing more should be claimed, or no heartbeat was answered lately.
    fn is_behind(&self) -> bool {
        self.runtime.is_behind() || !self.runtime.liveness.may_claim(self.runtime.config.lease)
    }

    fn wake_those_without_place(&mut self) {
        if !self.runtime.kinds.transactional.is_empty() && self.runtime.client.has_places() {
            self.lanes.iter_mut().filter(|lane| !lane.asked).for_each(LaneState::place_is_free);
        }
    }

    /// Whether others may be asked as well: a lane of the same queue, and any lane. A claim leaves slots, or places, for them, so
    /// that they need not wait until it is answered.
    fn shares(&self, place: usize, now: Instant) -> (bool, bool) {
        let slots = &self.lanes[place].slots;
        let mut others = self.lanes.iter().enumerate().filter(|(at, lane)| *at != place && lane.is_open(now));
        let with_queue = self.lanes.len() > self.runtime.queues.len()
            && others.clone().any(|(_, lane)| Arc::ptr_eq(&lane.slots, slots));
        (with_queue, with_queue || (!self.runtime.kinds.transactional.is_empty() && others.next().is_some()))
    }

    /// Claims in one lane, if there seems to be work and a slot is free.
    fn claim(&mut self, place: usize, wait: bool, now: Instant) -> bool {
        if self.lanes[place].is_idle() {
            return false;
        }
        let (shares_slots, shares_places) = self.shares(place, now);
        let lane = &mut self.lanes[place];
        let part = |free: usize, shared| if shared { free.div_ceil(2) } else { free };
        let want = lane.slots.take(lane.portion.jobs.min(part(lane.slots.count_free(), shares_slots)));
        if want == 0 {
            return false;
        }
        let transactional = !self.runtime.kinds.transactional.is_empty();
        let client = &self.runtime.client;
        let most = want.min(part(client.free_places(), shares_places));
        let places = transactional.then(|| client.take_places(most)).flatten();
        if transactional && places.is_none() {
            lane.left_without_place();
        }
        let found = lane.take_named(want);
        let asked = AskedClaim {
            place,
            lane: lane.lane,
            worker: self.runtime.worker(),
            lease: self.runtime.leases.begin_claim(),
            want,
            wait,
            near: lane.near,
            found,
            bytes: lane.portion.bytes,
            bare: lane.portion.bare,
            places,
        };
        self.claim_begins(place);
        self.send(requests::claim(Arc::clone(&self.runtime), asked));
        true
    }

    /// Claims quarantined jobs in a lane where one was seen, if more may run here.
    fn claim_quarantined(&mut self, place: usize, now: Instant) -> bool {
        let quarantine = &self.runtime.quarantine;
        let lone_first = quarantine.lone_goes_first();
        let has_turn = |lane: &LaneState| lane.has_passed_lone() && lane.is_open(now);
        if lone_first && !self.lanes[place].has_passed_lone() && self.lanes.iter().any(has_turn) {
            return false; // The job whose turn it is waits in another lane.
        }
        let lane = &mut self.lanes[place];
        let alone = quarantine.is_empty();
        if !lane.wants_quarantined(alone) {
            return false;
        }
        let want = lane.slots.take(quarantine.free());
        if want == 0 {
            return false;
        }
        quarantine.begin(want); // Until the answer says how many they are.
        let asked = AskedQuarantine {
            place,
            lane: lane.lane,
            worker: self.runtime.worker(),
            lease: self.runtime.leases.begin_claim(),
            want,
            alone,
            lone_first,
            from: lane.quarantine,
        };
        self.claim_begins(place);
        self.send(requests::claim_quarantined(Arc::clone(&self.runtime), asked));
        true
    }

    fn claim_begins(&mut self, place: usize) {
        let lane = &mut self.lanes[place];
        lane.asked = true;
        self.claims += 1;
        self.troubled += usize::from(lane.is_troubled());
    }

    /// Looks, in one statement, at idle lanes of which one is due, and below the guesses of those whose sweep is due.
    fn look(&mut self, now: Instant) {
        if self.looking || !self.looks.is_over(now) {
            return;
        }
        let has_places = self.runtime.kinds.transactional.is_empty() || self.runtime.client.has_places();
        let open = |lane: &LaneState| !lane.asked && lane.is_open(now);
        let due = self.lanes.iter().any(|lane| open(lane) && lane.is_idle() && lane.due() <= Some(now));
        let may_sweep = now >= self.rest_until;
        let (mut places, mut peeks) = (Vec::new(), Vec::<Peek>::new());
        for turn in 0..self.lanes.len() {
            if peeks.len() >= LOOK_LANES {
                break;
            }
            let place = (self.first + turn) % self.lanes.len();
            let lane = &mut self.lanes[place];
            if !open(lane) {
                continue;
            }
            let looks = due && lane.look_is_near(now);
            if looks {
                places.push((place, Look::Ahead));
                peeks.push(lane.ahead());
                if !has_places {
                    lane.left_without_place();
                }
            }
            if may_sweep && lane.sweep_is_due(now) && (looks || !lane.is_idle()) {
                places.push((place, Look::Below));
                peeks.push(lane.below());
            }
        }
        if peeks.is_empty() {
            return;
        }
        self.looking = true;
        self.send(requests::look(Arc::clone(&self.runtime), places, peeks, has_places, BATCH));
    }

    fn send(&mut self, asks: impl Future<Output = Answer> + Send + 'static) {
        self.on_their_way.push(asks.boxed());
    }

    fn note_arrivals(&mut self) {
        loop {
            match self.signals.try_recv() {
                Ok(signal) => self.runtime.note(&signal),
                Err(broadcast::error::TryRecvError::Lagged(_)) => self.runtime.note(&Signal::Anything),
                Err(_) => break,
            }
        }
        let arrived = self.runtime.arrivals.take();
        if arrived.is_empty() {
            return;
        }
        let (shards, now) = (self.lanes.len() / self.runtime.queues.len().max(1), Instant::now());
        for lane in self.lanes.iter_mut().filter(|lane| arrived.is_in(lane.lane.queue)) {
            // In which shard is not known: one look at all of them is less than a claim in each.
            if shards > 1 { lane.wake_to_look(now) } else { lane.wake() }
        }
    }

    /// Waits for an answer, or for another reason to go on.
    async fn wait(&mut self) {
        let now = Instant::now();
        let due = if self.outage.is_over(now) { self.due(now) } else { self.outage.until() };
        let due = due.unwrap_or_else(|| now + self.runtime.config.poll_interval);
        let ends_outage = !self.outage.is_over(now);
        let (answers, busy) = (Arc::clone(&self.answers), !self.on_their_way.is_empty());
        tokio::select! {
            () = self.runtime.stages.drain.cancelled() => {}
            Some(answer) = self.on_their_way.next(), if busy => self.take(answer),
            () = self.runtime.events.claim.notified() => {}
            () = tokio::time::sleep_until(due.into()) => {}
            () = answers.next(), if ends_outage => self.outage.somebody_got_through(),
            signal = self.signals.recv() => match signal {
                Ok(signal) => self.runtime.note(&signal),
                Err(broadcast::error::RecvError::Lagged(_)) => self.runtime.note(&Signal::Anything),
                // The client was closed: from now on, polling only.
                Err(broadcast::error::RecvError::Closed) => {
                    let (silent, signals) = broadcast::channel(1);
                    (self.silent, self.signals) = (Some(silent), signals);
                }
            },
        }
    }

    /// When a lane has to be looked at, or may be asked again. What is due already waits for an answer.
    fn due(&self, now: Instant) -> Option<Instant> {
        let lanes = self.lanes.iter().filter(|lane| !lane.asked && lane.slots.has_free());
        let pauses = [self.looks.until(), self.announcing.until()].into_iter().flatten();
        lanes.filter_map(LaneState::due).chain(pauses).filter(|due| *due > now).min()
    }
}
