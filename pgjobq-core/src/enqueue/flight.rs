//! One statement with the jobs of several callers, under way to the database.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::enqueue::batch::{Answer, Batch};
use crate::enqueue::bulk::{CHUNK_BYTES, CHUNK_ROWS};
use crate::enqueue::coalesce::Coalesce;
use crate::enqueue::deliver::{FIRST_TRY, Sender};
use crate::{DatabaseError, EnqueueError, JobId};

/// How long a flight waits for a caller's open transaction that has inserted one of its ids. Then each of its jobs is sent
/// alone, so that only the one of that id waits.
const PATIENCE: Duration = Duration::from_millis(50);
/// How often a flight shows that its runtime is driven, and after how long without that sign it is given up.
const PULSE_EVERY: Duration = Duration::from_millis(50);
const LIFELESS: Duration = Duration::from_millis(500);
/// The time that a flight has left when the client is closed.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// A caller who waits for the answer to an enqueue of one job.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) id: JobId,
    pub(crate) row: Arc<Batch>,
    pub(crate) told: oneshot::Sender<Told>,
    /// The caller's runtime: a flight may take off on it.
    pub(crate) runtime: Handle,
}

#[derive(Debug)]
pub(crate) enum Told {
    Answer(Result<Answer, EnqueueError>),
    /// Send it by yourself. It may be committed already if it was sent, and its answer `lost`, at the time given.
    Alone {
        lost: Option<Instant>,
    },
}

impl Caller {
    /// Tells the caller, unless it has gone away.
    fn tell(self, told: Told) {
        let _ = self.told.send(told);
    }
}

/// Takes those who go with the next flight: no more than a statement carries, and each id once, so that the database tells
/// the second caller of an id that it is a duplicate, or of another kind.
pub(crate) fn crew(waiting: &mut VecDeque<Caller>) -> Vec<Caller> {
    let (mut ids, mut bytes) = (HashSet::new(), 0);
    let (mut callers, mut later) = (Vec::new(), VecDeque::new());
    while callers.len() < CHUNK_ROWS && bytes < CHUNK_BYTES {
        let Some(next) = waiting.pop_front() else { break };
        if next.told.is_closed() {
            continue; // That caller has gone away.
        }
        if !ids.insert(next.id) {
            later.push_back(next);
            continue;
        }
        bytes += next.row.bytes();
        callers.push(next);
    }
    later.append(waiting);
    *waiting = later;
    callers
}

/// A flight, as those who wait on the ground see it.
#[derive(Debug)]
pub(crate) struct Flight {
    since: Instant,
    state: Mutex<State>,
    task: OnceLock<AbortHandle>,
}

#[derive(Debug)]
struct State {
    /// Callers without an answer.
    callers: Vec<Caller>,
    /// The time since when the statement may have been committed without an answer.
    sent: Option<Instant>,
    /// The last sign that the flight's runtime is driven.
    pulse: Instant,
}

impl Flight {
    pub(crate) fn new(callers: Vec<Caller>) -> Self {
        let since = Instant::now();
        let state = State { callers, sent: None, pulse: since };
        Self { since, state: Mutex::new(state), task: OnceLock::new() }
    }

    pub(crate) fn flown_by(&self, task: AbortHandle) {
        let _ = self.task.set(task);
    }

    pub(crate) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// Returns whether the flight's runtime seems not to be driven: its thread is blocked, or its `block_on` has returned.
    pub(crate) fn is_lifeless(&self) -> bool {
        self.lock().pulse.elapsed() > LIFELESS
    }

    /// Gives the flight up. Callers whose jobs may have been sent are told to look for them; returns the others.
    pub(crate) fn abandon(&self) -> Vec<Caller> {
        if let Some(task) = self.task.get() {
            task.abort();
        }
        let mut state = self.lock();
        let callers = std::mem::take(&mut state.callers);
        let Some(sent) = state.sent else { return callers };
        callers.into_iter().for_each(|caller| caller.tell(Told::Alone { lost: Some(sent) }));
        Vec::new()
    }

    /// Takes a copy of all rows, as one batch.
    fn load(&self) -> Batch {
        let mut batch = Batch::default();
        self.lock().callers.iter().for_each(|caller| batch.add(&caller.row));
        batch
    }

    /// Notes that the statement is sent now. Fails if the flight was given up before that.
    fn sending(&self) -> Result<(), DatabaseError> {
        let mut state = self.lock();
        if state.callers.is_empty() {
            return Err(DatabaseError::Unavailable(sqlx::Error::WorkerCrashed));
        }
        state.sent = Some(Instant::now());
        Ok(())
    }

    /// Tells each caller what became of its row. An unknown queue has kept out all of them: the others are sent again.
    fn answered(&self, answer: &Answer) {
        let mut state = self.lock();
        state.sent = None;
        for caller in std::mem::take(&mut state.callers) {
            match caller.row.check(answer) {
                Err(error) => caller.tell(Told::Answer(Err(error))),
                Ok(()) if !answer.unknown.is_empty() => state.callers.push(caller),
                Ok(()) => {
                    let new = !answer.duplicates.contains(&caller.id.as_uuid());
                    let own = Answer { new: new.into(), committed: true, ..Answer::default() };
                    caller.tell(Told::Answer(Ok(own)));
                }
            }
        }
    }

    /// Tells the callers of an error. Most may be any row's fault: alone, each gets an error of its own.
    fn failed(&self, error: &DatabaseError, for_all: bool) {
        let mut state = self.lock();
        let sent = state.sent.take();
        let lost = if matches!(error, DatabaseError::Unavailable(_)) { sent } else { None };
        for caller in std::mem::take(&mut state.callers) {
            caller.tell(match error.for_another().filter(|_| for_all) {
                Some(same) => Told::Answer(Err(same.into())),
                None => Told::Alone { lost },
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task of a flight. However it ends, also with its runtime, the callers are told and the next flight follows.
pub(crate) struct Flying {
    coalesce: Coalesce,
    flight: Arc<Flight>,
}

impl Flying {
    pub(crate) fn new(coalesce: Coalesce, flight: Arc<Flight>) -> Self {
        Self { coalesce, flight }
    }

    pub(crate) async fn fly(self, sender: Sender, stop: CancellationToken) {
        let flight = &self.flight;
        let pulse = async {
            let mut pulse = interval(PULSE_EVERY);
            loop {
                pulse.tick().await;
                flight.lock().pulse = Instant::now();
            }
        };
        tokio::select! {
            () = send_all(flight, &sender) => {}
            () = pulse => {}
            () = async { stop.cancelled().await; sleep(CLOSE_WITHIN).await } => {}
        }
    }
}

impl Drop for Flying {
    fn drop(&mut self) {
        for caller in self.flight.abandon() {
            caller.tell(Told::Alone { lost: None });
        }
        self.coalesce.land(&self.flight);
    }
}

/// Sends the rows until each caller was told something.
async fn send_all(flight: &Flight, sender: &Sender) {
    loop {
        let mut batch = flight.load();
        if batch.is_empty() {
            return;
        }
        match sender.ask(&mut batch, PATIENCE, FIRST_TRY, || flight.sending()).await {
            Ok(answer) => flight.answered(&answer),
            Err(error) => flight.failed(&error, sender.is_for_all(&error)),
        }
    }
}
