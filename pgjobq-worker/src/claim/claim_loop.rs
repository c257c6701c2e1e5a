//! Claims jobs for free slots, and short ones before a slot is free.
//!
//! One task serves all lanes of a worker: it claims where work seems to wait, looks where none did, and sweeps below its scan
//! hints. A few requests are in flight at a time, at most one for each lane, so that a slow, locked or failing lane delays no other.

use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use pgjobq_core::worker_api::{Answers, Lane, LocalWorker, SCHEDULED, Signal};
use tokio::sync::broadcast;

use super::begin::begin_prefetched;
use super::idleness::Idleness;
use super::lane::LaneState;
use super::outage::Outages;
use super::pace::{LONGEST_WAIT, LONGEST_WAIT_BEFORE_OTHERS};
use super::requests::Answer;
use crate::attempt::turn;
use crate::runtime::Runtime;
use crate::served_queue::ServedQueue;
use crate::slots::Slots;

pub(super) struct Claimer {
    pub(super) runtime: Arc<Runtime>,
    pub(super) lanes: Vec<LaneState>,
    signals: broadcast::Receiver<Signal>,
    /// Replaces the client's signals after the client was closed: no signal arrives any more.
    silent: Option<broadcast::Sender<Signal>>,
    answers: Arc<Answers>,
    in_flight: FuturesUnordered<BoxFuture<'static, Answer>>,
    /// The number of claims in flight, and of those in troubled lanes.
    pub(super) claims: usize,
    pub(super) troubled: usize,
    pub(super) is_looking: bool,
    /// No sweep begins before this.
    pub(super) no_sweep_before: Instant,
    pub(super) idleness: Idleness,
    pub(super) outages: Outages,
    /// The lane to ask first in the next round.
    pub(super) first: usize,
    /// The number of queues whose lanes are not idle, as far as it matters.
    pub(super) busy_queues: usize,
}

/// Claims until the worker drains.
pub(crate) async fn claim_until_drain(runtime: Arc<Runtime>) {
    let local_worker: Arc<dyn LocalWorker> = Arc::clone(&runtime) as _;
    runtime.client.add_local_worker(&local_worker);
    let mut claimer = Claimer::new(runtime);
    while !claimer.runtime.stages.drain.is_cancelled() {
        claimer.follow_recreated_queues();
        claimer.note_arrivals();
        claimer.serve_prefetched();
        claimer.ask();
        claimer.give_up_promises();
        claimer.wait().await;
    }
    // Jobs that have not begun are returned, those of claims in flight as well.
    claimer.return_prefetched();
    while let Some(answer) = claimer.in_flight.next().await {
        claimer.take(answer);
    }
    claimer.note_arrivals();
    claimer.give_up_promises();
}

impl Claimer {
    fn new(runtime: Arc<Runtime>) -> Self {
        let (has_filter, now) = (runtime.store.has_filter(), Instant::now());
        let lane = |shard, queue: &Arc<ServedQueue>| {
            LaneState::new(Lane { shard, queue: queue.id() }, Arc::clone(queue), has_filter, now)
        };
        let shards = runtime.store.shards();
        let lanes =
            shards.iter().flat_map(|shard| runtime.queues.iter().map(move |queue| lane(*shard, queue)));
        Self {
            lanes: lanes.collect(),
            signals: runtime.client.signals(),
            silent: None,
            answers: runtime.client.answers(),
            in_flight: FuturesUnordered::new(),
            claims: 0,
            troubled: 0,
            is_looking: false,
            no_sweep_before: now,
            idleness: Idleness::default(),
            outages: Outages::default(),
            first: 0,
            busy_queues: 1,
            runtime,
        }
    }

    pub(super) fn send(&mut self, request: impl Future<Output = Answer> + Send + 'static) {
        self.in_flight.push(request.boxed());
    }

    /// Replaces the lanes of queues that were recreated under another id.
    fn follow_recreated_queues(&mut self) {
        let (has_filter, now) = (self.runtime.store.has_filter(), Instant::now());
        let is_old = |lane: &&mut LaneState| !lane.asked && lane.lane.queue != lane.queue.id();
        for lane in self.lanes.iter_mut().filter(is_old) {
            let queue = Arc::clone(&lane.queue);
            *lane =
                LaneState::new(Lane { shard: lane.lane.shard, queue: queue.id() }, queue, has_filter, now);
        }
    }

    /// Wakes the lanes of queues in which work has arrived.
    fn note_arrivals(&mut self) {
        loop {
            match self.signals.try_recv() {
                Ok(signal) => self.note(&signal),
                Err(broadcast::error::TryRecvError::Lagged(_)) => self.note(&Signal::Anything),
                Err(_) => break,
            }
        }
        let arrived = self.runtime.arrivals.take();
        if arrived.is_empty() {
            return;
        }
        let (shards, now) = (self.lanes.len() / self.runtime.queues.len().max(1), Instant::now());
        let has_filter = self.runtime.store.has_filter();
        for lane in self.lanes.iter_mut().filter(|lane| arrived.is_in(lane.lane.queue)) {
            // If the lane of the work is not known, one look at all that it may be in costs less than a claim in each. And a worker
            // with a filter looks before it locks a lane, because the jobs may be for others.
            if shards > 1 || has_filter || !arrived.names(lane.lane.queue) {
                lane.wake_to_look(now)
            } else {
                lane.wake()
            }
            if arrived.is_promised(lane.lane.queue) && !lane.is_paused() {
                lane.promise.make();
            }
        }
    }

    /// Notifies other workers of jobs that this one has promised to start, and does not claim now.
    fn give_up_promises(&mut self) {
        let open = self.lanes.iter_mut().filter(|lane| !lane.asked);
        let given_up = open.filter_map(|lane| lane.promise.give_up().then_some(lane.lane.queue));
        self.runtime.notifier.wake(&given_up.collect::<Vec<_>>());
    }

    fn note(&mut self, signal: &Signal) {
        match signal {
            Signal::Wake(queues) => {
                self.runtime.arrivals.note(queues);
                if queues.contains(&SCHEDULED) {
                    self.runtime.events.promote.notify_one();
                }
            }
            Signal::Anything => {
                self.runtime.arrivals.note_anywhere();
                self.runtime.events.promote.notify_one();
                self.runtime.events.schedules.notify_one();
            }
            Signal::Queues => self.runtime.something_changed(),
            Signal::Resumed => {
                let now = Instant::now();
                self.lanes.iter_mut().for_each(|lane| lane.resumed(now));
            }
            Signal::Ended(_) | Signal::Room(_) | Signal::Cancel => {}
            Signal::Edges | Signal::Limited(_) | Signal::Unique => {}
        }
    }

    /// Begins the calls that have waited for more jobs for long enough. Returns prefetched jobs that did not begin in time. Begins others
    /// if a slot is free, because the task of an attempt panicked.
    fn serve_prefetched(&self) {
        let now = Instant::now();
        for queue in &self.runtime.queues {
            while let Some((slot, call)) = Slots::take_due_call(queue, now) {
                turn::spawn(&self.runtime, slot, call);
            }
            if self.begin_by(queue).is_some_and(|by| by <= now) {
                let overdue = queue.occupancy().take_overdue(now);
                let jobs = overdue.len();
                tracing::debug!(queue = &*queue.name, jobs, "prefetched jobs did not begin in time");
                overdue.into_iter().for_each(|job| self.runtime.recorders.send(job.returned()));
            }
            begin_prefetched(&self.runtime, Slots::take(queue, 0, 0), Vec::new());
        }
    }

    /// Returns when a prefetched job of this queue must have begun.
    fn begin_by(&self, queue: &Arc<ServedQueue>) -> Option<Instant> {
        let oldest = queue.occupancy().prefetch.oldest()?;
        let others_wait = |lane: &LaneState| Arc::ptr_eq(&lane.queue, queue) && !lane.is_idle();
        let others_wait = self.lanes.iter().any(others_wait);
        Some(oldest + if others_wait { LONGEST_WAIT_BEFORE_OTHERS } else { LONGEST_WAIT })
    }

    fn return_prefetched(&self) {
        let waiting = self.runtime.queues.iter().flat_map(|queue| queue.occupancy().take_waiting());
        waiting.for_each(|job| self.runtime.recorders.send(job.returned()));
    }

    /// Waits for an answer, or for another reason to begin the next round.
    async fn wait(&mut self) {
        let now = Instant::now();
        let has_outage = !self.outages.everything.is_over(now);
        let due = if has_outage { self.outages.everything.until() } else { self.due(now) };
        let queues = &self.runtime.queues;
        let prefetched = queues.iter().filter_map(|queue| self.begin_by(queue));
        let calls = queues.iter().filter_map(|queue| queue.occupancy().gathering.due());
        let due = prefetched
            .chain(calls)
            .chain(due)
            .min()
            .unwrap_or_else(|| now + self.runtime.config.poll_interval);
        let (answers, is_busy) = (Arc::clone(&self.answers), !self.in_flight.is_empty());
        tokio::select! {
            () = self.runtime.stages.drain.cancelled() => {}
            Some(answer) = self.in_flight.next(), if is_busy => self.take(answer),
            () = self.runtime.events.claim.notified() => {}
            () = tokio::time::sleep_until(due.into()) => {}
            () = answers.next(), if has_outage => self.outages.everything.others_got_through(),
            signal = self.signals.recv() => match signal {
                Ok(signal) => self.note(&signal),
                Err(broadcast::error::RecvError::Lagged(_)) => self.note(&Signal::Anything),
                // The client was closed: from now on the worker only polls.
                Err(broadcast::error::RecvError::Closed) => {
                    let (silent, signals) = broadcast::channel(1);
                    (self.silent, self.signals) = (Some(silent), signals);
                }
            },
        }
    }

    /// Returns when a lane must be looked at, or a pause ends. Lanes that are due already wait for an answer.
    fn due(&self, now: Instant) -> Option<Instant> {
        let lanes = self.lanes.iter().filter(|lane| !lane.asked && lane.queue.has_room(now));
        let pauses = [self.outages.looks.until(), self.outages.announcements.until()];
        let lanes = lanes.filter_map(LaneState::due).chain(pauses.into_iter().flatten());
        lanes.filter(|due| *due > now).min()
    }
}
