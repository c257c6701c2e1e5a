//! Adds up events and statements to metrics.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::lock::lock;
use crate::measure::fleet::{FleetState, QueueState};
use crate::measure::labels::{ByKey, Key, Names};
use crate::measure::meter::{Instrument, Meter};
use crate::measure::metric::{self, Metric};
use crate::measure::of_jobs::OfJobs;
use crate::observe::{Ended, Event, ObservedJob, Observer, Outcome, Statement, TelemetryHook};

/// Adds up events and statements to metrics. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Measures(Arc<Inner>);

struct Inner {
    meter: Box<dyn Meter>,
    state: Mutex<State>,
}

/// A value of a metric of jobs, for one outcome or for all.
type OfOutcome = (&'static Metric, Option<Outcome>, f64);

/// A gauge with its labels.
type Gauge = (&'static Metric, Key);

#[derive(Default)]
struct State {
    queues: Names,
    kinds: Names,
    of_jobs: OfJobs,
    /// All others.
    instruments: ByKey<Instrument>,
    /// The gauges of the fleet that are not zero.
    fleet: Vec<Gauge>,
    /// The slots of the workers of this process, by worker, and their gauges that are not zero.
    workers: HashMap<usize, Vec<SlotsOfQueue>>,
    slots: Vec<Gauge>,
}

/// The slots that a worker has for one queue.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct SlotsOfQueue {
    pub queue: Arc<str>,
    pub slots: usize,
    /// The number of those in which a job runs.
    pub used: usize,
}

impl Measures {
    pub(crate) fn new(meter: impl Meter) -> Self {
        Self(Arc::new(Inner { meter: Box::new(meter), state: Mutex::default() }))
    }

    fn record(&self, metric: &'static Metric, value: f64, key: impl FnOnce(&mut State) -> Key) {
        let mut state = lock(&self.0.state);
        let key = key(&mut state);
        self.0.record(&mut state, metric, key, value);
    }

    /// Records values about a job.
    fn job(&self, job: &ObservedJob, values: impl IntoIterator<Item = OfOutcome>) {
        self.jobs(&job.queue, &job.kind, values);
    }

    /// Records values about a job of a queue and a kind.
    #[expect(clippy::ptr_arg, reason = "it is cloned without an allocation")]
    fn jobs(&self, queue: &Arc<str>, kind: &Cow<'static, str>, values: impl IntoIterator<Item = OfOutcome>) {
        let mut state = lock(&self.0.state);
        let State { of_jobs, queues, kinds, .. } = &mut *state;
        let mut of_job = of_jobs.of(queue, kind, queues, kinds);
        for (metric, outcome, value) in values {
            of_job.record(&*self.0.meter, metric, outcome, value);
        }
    }

    /// Counts a job.
    fn count(&self, metric: &'static Metric, job: &ObservedJob) {
        self.job(job, [(metric, None, 1.0)]);
    }

    /// Records a value about a queue, or about none in particular.
    fn queue(&self, metric: &'static Metric, value: u64, queue: Option<&str>) {
        self.record(metric, value as f64, |state| Key {
            queue: queue.map(|queue| state.queues.label(queue)),
            ..Key::of(metric)
        });
    }

    fn ended(&self, Ended { job, outcome, run, .. }: &Ended) {
        let run: Option<OfOutcome> =
            run.map(|run| (&metric::PROCESS_DURATION, Some(*outcome), run.as_secs_f64()));
        let ended: Option<OfOutcome> = outcome.is_final().then_some((&metric::ENDED, Some(*outcome), 1.0));
        let retried: Option<OfOutcome> =
            (*outcome == Outcome::Retried).then_some((&metric::RETRIES, None, 1.0));
        self.job(job, [run, ended, retried].into_iter().flatten());
    }

    /// Begins the counters of rare faults with 0, for a queue and a kind that a worker takes. The increase of a counter that appears
    /// with 1 is 0, so an alert would miss the first fault.
    pub(crate) fn begin(&self, queue: &Arc<str>, kind: &'static str) {
        let dead = (&metric::ENDED, Some(Outcome::Dead), 0.0);
        let others = [(&metric::RETRIES, None, 0.0), (&metric::LEASES_LOST, None, 0.0)];
        self.jobs(queue, &Cow::Borrowed(kind), [dead].into_iter().chain(others));
        self.queue(&metric::CRASHES, 0, Some(queue));
        self.queue(&metric::CONNECTIONS_LOST, 0, None);
    }

    /// Sets the gauges to a state of the fleet. Those of queues and kinds that it does not have become zero.
    pub(crate) fn set_fleet(&self, fleet: &FleetState) {
        let mut state = lock(&self.0.state);
        let state = &mut *state;
        let mut values = Values::default();
        fleet.queues.iter().for_each(|queue| values.add_queue(queue, state));
        let measured = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        values.add(
            &metric::MEASURED,
            Key::of(&metric::MEASURED),
            measured.saturating_sub(fleet.age).as_secs_f64(),
        );
        values.add(&metric::WORKERS, Key::of(&metric::WORKERS), fleet.workers as f64);
        let database = &fleet.database;
        values.add(&metric::DEAD_ROWS, Key::of(&metric::DEAD_ROWS), database.dead_rows as f64);
        let age = database.xmin_age.unwrap_or_default() as f64;
        values.add(&metric::XMIN_AGE, Key::of(&metric::XMIN_AGE), age);
        let age = database.oldest_transaction.unwrap_or_default().as_secs_f64();
        values.add(&metric::OLDEST_TRANSACTION, Key::of(&metric::OLDEST_TRANSACTION), age);
        let last = std::mem::take(&mut state.fleet);
        state.fleet = self.0.set(state, values, last);
    }

    /// Sets the gauges of a worker's slots, to which those of the other workers of this process are added.
    pub(crate) fn set_slots(&self, worker: usize, slots: &[SlotsOfQueue]) {
        let mut state = lock(&self.0.state);
        let state = &mut *state;
        if slots.is_empty() {
            state.workers.remove(&worker);
        } else {
            state.workers.insert(worker, slots.to_vec());
        }
        let mut values = Values::default();
        for of_queue in state.workers.values().flatten() {
            let name = state.queues.label(&of_queue.queue);
            let key = |metric| Key { queue: Some(Arc::clone(&name)), ..Key::of(metric) };
            values.add(&metric::WORKER_SLOTS, key(&metric::WORKER_SLOTS), of_queue.slots as f64);
            values.add(&metric::WORKER_USED, key(&metric::WORKER_USED), of_queue.used as f64);
        }
        let last = std::mem::take(&mut state.slots);
        state.slots = self.0.set(state, values, last);
    }
}

impl Inner {
    fn record(&self, state: &mut State, metric: &'static Metric, key: Key, value: f64) {
        let new = |key: &Key| self.meter.instrument(metric, &key.labels(metric));
        state.instruments.entry(key).or_insert_with_key(new)(value);
    }

    /// Sets gauges, and those of the last time that have no value any more to zero. Returns those that are not zero.
    fn set(&self, state: &mut State, mut values: Values, last: Vec<Gauge>) -> Vec<Gauge> {
        for (metric, key) in last {
            values.0.entry(key).or_insert((metric, 0.0));
        }
        let mut set = Vec::new();
        for (key, (metric, value)) in values.0 {
            if value != 0.0 {
                set.push((metric, key.clone()));
            }
            self.record(state, metric, key, value);
        }
        set
    }
}

/// The values of gauges.
#[derive(Default)]
struct Values(ByKey<(&'static Metric, f64)>);

impl Values {
    /// Adds to a gauge, of which several queues may share one.
    fn add(&mut self, metric: &'static Metric, key: Key, value: f64) {
        self.0.entry(key).or_insert((metric, 0.0)).1 += value;
    }

    fn add_queue(&mut self, queue: &QueueState, state: &mut State) {
        let name = state.queues.label(&queue.queue);
        let key = |metric| Key { queue: Some(Arc::clone(&name)), ..Key::of(metric) };
        for (state, jobs) in queue.jobs() {
            self.add(&metric::QUEUE_JOBS, key(&metric::QUEUE_JOBS).word(state), jobs as f64);
        }
        let exact = if queue.exact { 1.0 } else { 0.0 };
        self.0.insert(key(&metric::QUEUE_EXACT), (&metric::QUEUE_EXACT, exact));
        let oldest = self.0.entry(key(&metric::QUEUE_OLDEST)).or_insert((&metric::QUEUE_OLDEST, 0.0));
        oldest.1 = oldest.1.max(queue.oldest.unwrap_or_default().as_secs_f64());
        self.add(&metric::QUEUE_WORKERS, key(&metric::QUEUE_WORKERS), queue.workers as f64);
        self.add(&metric::QUEUE_SLOTS, key(&metric::QUEUE_SLOTS), queue.slots as f64);
        for (kind, jobs) in &queue.unserved {
            let key = Key { kind: Some(state.kinds.label(kind)), ..key(&metric::QUEUE_UNSERVED) };
            self.add(&metric::QUEUE_UNSERVED, key, *jobs as f64);
        }
    }
}

impl Observer for Measures {
    fn on_event(&self, event: &Event) {
        match event {
            Event::Enqueued(event) => self.count(&metric::SENT, &event.job),
            Event::Claimed(event) => self.count(&metric::CONSUMED, &event.job),
            Event::Started(event) => {
                if let Some(wait) = event.wait {
                    self.job(&event.job, [(&metric::WAIT_DURATION, None, wait.as_secs_f64())]);
                }
            }
            Event::Ended(event) => self.ended(event),
            Event::LeaseLost(event) => self.count(&metric::LEASES_LOST, &event.job),
            Event::StaleResult(event) => self.count(&metric::STALE_RESULTS, &event.job),
            Event::CrashRecovered(event) => {
                let jobs = event.requeued + event.buried + event.cancelled;
                self.queue(&metric::CRASHES, jobs, event.queue.as_deref());
            }
            Event::Swept(event) => self.queue(&metric::SWEPT, event.jobs, Some(&event.queue)),
            Event::Promoted(event) => self.queue(&metric::PROMOTED, event.jobs, None),
            Event::Batch(event) => {
                let key = |_: &mut State| Key::of(&metric::BATCH_SIZE).operation(event.of.as_str());
                self.record(&metric::BATCH_SIZE, event.size as f64, key);
            }
            Event::ConnectionLost(_) => self.queue(&metric::CONNECTIONS_LOST, 1, None),
            Event::ConnectionRegained(_) => {}
            Event::Dropped(event) => self.queue(&metric::EVENTS_DROPPED, event.count, None),
        }
    }
}

impl TelemetryHook for Measures {
    fn on_statement(&self, statement: &Statement) {
        let seconds = statement.duration.as_secs_f64();
        let outcome = if statement.error.is_none() { "ok" } else { "error" };
        self.record(&metric::OPERATION_DURATION, seconds, |_| {
            Key::of(&metric::OPERATION_DURATION).word(outcome).operation(statement.name)
        });
    }

    fn on_dropped(&self, count: u64) {
        self.queue(&metric::EVENTS_DROPPED, count, None);
    }
}

impl fmt::Debug for Measures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.0.state);
        write!(out, "Measures({} instruments)", state.instruments.len() + state.of_jobs.len())
    }
}
