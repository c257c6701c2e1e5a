//! One statement with the jobs of several callers, under way to the database.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::enqueue::batch::{Answer, Batch, CHUNK_BYTES, CHUNK_ROWS};
use crate::lock::lock;
use crate::{DatabaseError, EnqueueError, JobId};

/// How often a flight shows that its runtime is driven, and after how long without that sign it is given up.
pub(crate) const PULSE_EVERY: Duration = Duration::from_millis(50);
const LIFELESS: Duration = Duration::from_millis(500);

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
    pub(crate) fn tell(self, told: Told) {
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
    pub(crate) fn load(&self) -> Batch {
        let mut batch = Batch::default();
        self.lock().callers.iter().for_each(|caller| batch.add(&caller.row));
        batch
    }

    /// Notes that the statement is sent now. Fails if the flight was given up before that.
    pub(crate) fn sending(&self) -> Result<(), DatabaseError> {
        let mut state = self.lock();
        if state.callers.is_empty() {
            return Err(DatabaseError::Unanswered { after: self.age() });
        }
        state.sent = Some(Instant::now());
        Ok(())
    }

    /// Tells each caller what became of its row. An unknown queue has kept out all of them: the others are sent again.
    pub(crate) fn answered(&self, answer: &Answer) {
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
    pub(crate) fn failed(&self, error: &DatabaseError, for_all: bool) {
        let mut state = self.lock();
        let sent = state.sent.take();
        let lost = sent.filter(|_| error.leaves_in_doubt());
        for caller in std::mem::take(&mut state.callers) {
            caller.tell(match error.for_another().filter(|_| for_all) {
                Some(same) => Told::Answer(Err(same.into())),
                None => Told::Alone { lost },
            });
        }
    }

    /// Notes that the runtime of the flight is driven.
    pub(crate) fn beat(&self) {
        self.lock().pulse = Instant::now();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}
