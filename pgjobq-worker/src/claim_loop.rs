//! Claims jobs for free slots and starts them. One task for all lanes of a worker: it claims where there seems to be work,
//! looks where there was none, and sweeps below its guesses.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use pgjobq_core::__private::{
    Claim, Claimed, ClaimedJob, Decision, Lane, LeaseKey, PRIORITIES, Peek, Signal,
};
use pgjobq_core::StoreError;
use tokio::sync::broadcast;
use tokio::time::timeout;

use crate::lane::{BATCH, LaneState};
use crate::leases::{HeldJob, Lease};
use crate::pause::Pause;
use crate::record::Unrecorded;
use crate::run::{Running, Slot};
use crate::runtime::{QueueSlots, Runtime};
use crate::setup::chain;

/// The share of its time that a worker sweeps, over all its lanes: one part in so many.
const SWEEP_SHARE: u32 = 20;
/// How long a queue must have been busy before its worker no longer wants to be notified of work in it.
const BUSY_AFTER: Duration = Duration::from_secs(2);
/// SQLSTATE of a claim by a worker that is not registered.
const NOT_REGISTERED: &str = "PJ001";

struct Claimer {
    runtime: Arc<Runtime>,
    lanes: Vec<LaneState>,
    signals: broadcast::Receiver<Signal>,
    /// No sweep before this.
    rest_until: Instant,
    /// Which worker was last said to want to be notified, and in which queues. One that starts anew says it anew.
    told: (i64, BTreeSet<i32>),
    /// The lane that goes first in this round.
    first: usize,
}

/// Claims until the worker drains.
pub(crate) async fn claim_for_ever(runtime: Arc<Runtime>) {
    let now = Instant::now();
    let lane = |shard| move |slots: &Arc<QueueSlots>| (Lane { shard, queue: slots.id() }, Arc::clone(slots));
    let shards = runtime.store.shards();
    let lanes = shards.iter().flat_map(|shard| runtime.queues.iter().map(lane(*shard)));
    let lanes: Vec<_> = lanes.map(|(lane, slots)| LaneState::new(lane, slots, now)).collect();
    let signals = runtime.client.signals();
    let mut claimer =
        Claimer { runtime, lanes, signals, rest_until: now, told: (0, BTreeSet::new()), first: 0 };
    let mut pause = Pause::new();
    while !claimer.runtime.stages.drain.is_cancelled() {
        match claimer.round().await {
            Ok(true) => pause.reset(),
            Ok(false) => {
                pause.reset();
                claimer.wait().await;
            }
            Err(error) => {
                tracing::warn!(error = chain(&error), "a claim failed; trying again");
                claimer.sleep(pause.after_error()).await;
            }
        }
    }
}

impl Claimer {
    /// One step in every lane. Returns whether any got on.
    async fn round(&mut self) -> std::result::Result<bool, StoreError> {
        self.follow_recreated_queues();
        self.note_arrivals();
        let mut progress = self.look().await?;
        let contended = self.lanes.iter().filter(|lane| !lane.is_idle()).count() > 1;
        self.first = (self.first + 1) % self.lanes.len().max(1);
        for turn in 0..self.lanes.len() {
            let place = (self.first + turn) % self.lanes.len();
            if self.runtime.stages.drain.is_cancelled() || self.is_behind() {
                break;
            }
            progress |= self.claim_suspect(place).await?;
            // A busy lane is waited for, unless another one is next.
            progress |= self.claim(place, !contended).await?;
        }
        self.tell_idleness().await?;
        Ok(progress)
    }

    /// Begins anew in the lanes of queues that were recreated under another id.
    fn follow_recreated_queues(&mut self) {
        let now = Instant::now();
        for lane in self.lanes.iter_mut().filter(|lane| lane.lane.queue != lane.slots.id()) {
            let slots = Arc::clone(&lane.slots);
            *lane = LaneState::new(Lane { shard: lane.lane.shard, queue: slots.id() }, slots, now);
        }
    }

    /// Whether so many results wait to be recorded that nothing more should be claimed, or no heartbeat was answered lately.
    fn is_behind(&self) -> bool {
        self.runtime.is_behind() || !self.runtime.heard.may_claim(self.runtime.config.lease)
    }

    /// Claims in one lane, if there seems to be work and a slot is free.
    async fn claim(&mut self, place: usize, wait: bool) -> std::result::Result<bool, StoreError> {
        let lane = &mut self.lanes[place];
        if lane.is_idle() {
            return Ok(false);
        }
        let want = lane.slots.take(BATCH);
        if want == 0 {
            return Ok(false);
        }
        let slots = Arc::clone(&lane.slots);
        let found = lane.take_named();
        let named = found.as_ref().map(|(tickets, _)| tickets.len().min(want));
        let runtime = Arc::clone(&self.runtime);
        let lease = runtime.leases.begin_claim();
        let claim = Claim {
            lane: lane.lane,
            worker: runtime.worker(),
            lease,
            wait,
            kinds: &runtime.kinds,
            want,
            near: lane.near,
            found,
        };
        let worker = claim.worker;
        let claimed = answer(&runtime, runtime.store.claim(claim)).await;
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(error) => {
                // Whether it was carried out is not known. A lease that it left is given back by a heartbeat.
                runtime.leases.end_claim(lease, &[]);
                slots.free(want);
                return self.excuse(error);
            }
        };
        slots.free(want - claimed.jobs.len());
        let (got, now) = (!claimed.jobs.is_empty(), Instant::now());
        lane.claimed(&claimed, want, now);
        if let Some(named) = named {
            lane.named(named, claimed.jobs.len());
        }
        start(&runtime, lane.lane, &slots, worker, lease, claimed);
        Ok(got)
    }

    /// Claims one suspect in a lane where one was seen, unless one runs here already.
    async fn claim_suspect(&mut self, place: usize) -> std::result::Result<bool, StoreError> {
        let lane = &mut self.lanes[place];
        if !lane.suspects || self.runtime.suspect_runs.load(Ordering::Acquire) || lane.slots.take(1) == 0 {
            return Ok(false);
        }
        let runtime = Arc::clone(&self.runtime);
        let slots = Arc::clone(&lane.slots);
        runtime.suspect_runs.store(true, Ordering::Release);
        let slot = Slot::new(&runtime, &slots, true);
        let (lease, worker) = (runtime.leases.begin_claim(), runtime.worker());
        match answer(&runtime, runtime.store.claim_suspect(lane.lane, worker, lease, &runtime.kinds)).await {
            Ok(Some(job)) => {
                let leases = hold(&runtime, lane.lane, worker, lease, std::slice::from_ref(&job));
                runtime.attempts.spawn(Running::new(&runtime, job, Arc::clone(&leases[0]), slot).run());
                Ok(true)
            }
            Ok(None) => {
                runtime.leases.end_claim(lease, &[]);
                lane.suspects = false;
                Ok(false)
            }
            Err(error) => {
                runtime.leases.end_claim(lease, &[]);
                self.excuse(error)
            }
        }
    }

    /// Looks, in one statement, at all idle lanes of which one is due, and below the guesses of those whose sweep is due.
    async fn look(&mut self) -> std::result::Result<bool, StoreError> {
        let now = Instant::now();
        let due = self.lanes.iter().any(|lane| lane.due().is_some_and(|due| due <= now));
        let may_sweep = now >= self.rest_until;
        let (mut places, mut peeks) = (Vec::new(), Vec::<Peek>::new());
        for (place, lane) in self.lanes.iter().enumerate() {
            if due && lane.is_idle() {
                places.push((place, Look::Ahead));
                peeks.push(lane.ahead());
            }
            if may_sweep && lane.sweep_is_due(now) && (due || !lane.is_idle()) {
                places.push((place, Look::Below));
                peeks.push(lane.below());
            }
        }
        if peeks.is_empty() {
            return Ok(false);
        }
        let peeked =
            answer(&self.runtime, self.runtime.store.peek(&peeks, &self.runtime.kinds, BATCH)).await?;
        let (most, then) = (self.runtime.config.poll_interval, Instant::now());
        if places.iter().any(|(_, look)| *look == Look::Below) {
            self.rest_until = then + (then - now) * SWEEP_SHARE;
        }
        let mut found = false;
        for ((place, look), peeked) in places.into_iter().zip(peeked) {
            found |= !peeked.found.is_empty() || peeked.suspects;
            match look {
                Look::Ahead => self.lanes[place].looked_ahead(peeked, BATCH, most, then),
                Look::Below => self.lanes[place].swept(peeked, BATCH, then),
            }
        }
        Ok(found)
    }

    /// A worker that was given up is told by its next heartbeat; until then its claims are in vain.
    fn excuse(&self, error: StoreError) -> std::result::Result<bool, StoreError> {
        if error.code().as_deref() == Some(NOT_REGISTERED) {
            self.runtime.events.beat.notify_one();
        }
        Err(error)
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
        for lane in self.lanes.iter_mut().filter(|lane| arrived.is_in(lane.lane.queue)) {
            lane.wake();
        }
    }

    /// Says in which queues this worker wants to be notified of work: those that were idle lately.
    async fn tell_idleness(&mut self) -> std::result::Result<(), StoreError> {
        let now = Instant::now();
        let mut wants = BTreeSet::new();
        for lane in &mut self.lanes {
            if lane.idle_for_the_last_time(now).elapsed() < BUSY_AFTER {
                wants.insert(lane.lane.queue);
            }
        }
        let tells = (self.runtime.worker(), wants);
        if tells != self.told && self.runtime.client.uses_notifications() {
            let queues: Vec<i32> = tells.1.iter().copied().collect();
            self.runtime.store.set_idle(tells.0, &queues).await?;
            self.told = tells;
        }
        Ok(())
    }

    /// Waits for a reason to go on.
    async fn wait(&mut self) {
        let free = |lane: &&LaneState| lane.slots.has_free();
        let due = self.lanes.iter().filter(free).filter_map(LaneState::due).min();
        let due = due.unwrap_or_else(|| Instant::now() + self.runtime.config.poll_interval);
        tokio::select! {
            () = self.runtime.stages.drain.cancelled() => {}
            () = self.runtime.events.claim.notified() => {}
            () = tokio::time::sleep_until(due.into()) => {}
            signal = self.signals.recv() => match signal {
                Ok(signal) => self.runtime.note(&signal),
                Err(broadcast::error::RecvError::Lagged(_)) => self.runtime.note(&Signal::Anything),
                // The client was closed: from now on, polling only.
                Err(broadcast::error::RecvError::Closed) => self.sleep(self.runtime.config.poll_interval).await,
            },
        }
    }

    async fn sleep(&self, pause: Duration) {
        tokio::select! {
            () = self.runtime.stages.drain.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Ahead,
    Below,
}

/// The answer, or an error when it does not come in time.
async fn answer<T>(
    runtime: &Runtime,
    call: impl Future<Output = std::result::Result<T, StoreError>>,
) -> std::result::Result<T, StoreError> {
    let silent = || StoreError::Unavailable(sqlx::Error::PoolTimedOut);
    timeout(runtime.config.claim_timeout, call).await.unwrap_or_else(|_| Err(silent()))
}

/// Takes note of the leases that a claim has made: one for each priority of which it got jobs.
fn hold(runtime: &Runtime, lane: Lane, worker: i64, id: i64, jobs: &[ClaimedJob]) -> Vec<Arc<Lease>> {
    let mut leases = Vec::new();
    for priority in (0..PRIORITIES as i16).rev() {
        let of_it: Vec<_> = jobs.iter().filter(|job| job.priority == priority).map(held).collect();
        if let Some(hi) = of_it.iter().map(|job| job.ticket).max() {
            let key = LeaseKey { lane, priority, hi, id };
            let stop = runtime.stages.stop_attempts.child_token();
            leases.push(Arc::new(Lease::new(key, worker, of_it, stop)));
        }
    }
    runtime.leases.end_claim(id, &leases);
    leases
}

fn held(job: &ClaimedJob) -> HeldJob {
    HeldJob { id: job.id, ticket: job.ticket, at_most_once: job.crash_budget == 0 }
}

/// Starts the claimed jobs, each in its slot; or gives them back, when the worker has begun to drain.
fn start(
    runtime: &Arc<Runtime>,
    lane: Lane,
    slots: &Arc<QueueSlots>,
    worker: i64,
    id: i64,
    claimed: Claimed,
) {
    let leases = hold(runtime, lane, worker, id, &claimed.jobs);
    let draining = runtime.stages.drain.is_cancelled();
    for job in claimed.jobs {
        let slot = Slot::new(runtime, slots, false);
        let Some(lease) = leases.iter().find(|lease| lease.key.priority == job.priority) else { continue };
        let lease = Arc::clone(lease);
        if draining {
            runtime.send(Unrecorded::new(lease, job.id, job.ticket, Decision::Return));
        } else {
            runtime.attempts.spawn(Running::new(runtime, job, lease, slot).run());
        }
    }
}

impl Runtime {
    /// Takes note of what the listener heard.
    fn note(&self, signal: &Signal) {
        match signal {
            Signal::Wake(queues) => self.arrivals.note(queues),
            Signal::Anything => self.arrivals.note_anywhere(),
            Signal::Ended(_) | Signal::Cancel => return,
        }
        self.events.promote.notify_one(); // It may have been a scheduled job.
    }
}
