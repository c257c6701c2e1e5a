//! The jobs of several callers that are sent in one statement.

use std::collections::{HashSet, VecDeque};
use std::slice;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::enqueue::full::Full;
use crate::enqueue::insert::{Answer, MAX_BYTES, MAX_ROWS};
use crate::enqueue::row::Row;
use crate::lock::lock;
use crate::{DatabaseError, EnqueueError};

/// The interval at which the task of a group shows that its runtime is driven.
pub(super) const BEAT_INTERVAL: Duration = Duration::from_millis(50);
/// The time without a beat after which a group is given up.
const STALLED_AFTER: Duration = Duration::from_millis(500);

/// A caller who waits for the enqueue of one job.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) row: Arc<Row>,
    pub(super) reply: oneshot::Sender<Reply>,
    /// The caller's runtime, on which a group may be sent.
    pub(super) runtime: Handle,
}

/// The reply to a caller.
#[derive(Debug)]
pub(super) enum Reply {
    /// The job was enqueued, or not: its row has the outcome.
    Enqueued(Result<(), EnqueueError>),
    /// The caller has to send the job alone. If it was sent in a group and not answered, it may be committed: `lost` is the
    /// time at which it was sent.
    SendAlone { lost: Option<Instant> },
    /// The job was left out, because its queue is full.
    Full(Full),
}

impl Caller {
    /// Replies to the caller, unless it has gone away.
    pub(super) fn reply(self, reply: Reply) {
        let _ = self.reply.send(reply);
    }
}

/// Takes the callers of the next group: at most as many as one statement carries, and each id once. So the database reports
/// to the second caller of an id that it is a duplicate, or that it has another kind.
pub(super) fn next_group(waiting: &mut VecDeque<Caller>) -> Vec<Caller> {
    let (mut ids, mut bytes) = (HashSet::new(), 0);
    let (mut callers, mut later) = (Vec::new(), VecDeque::new());
    while callers.len() < MAX_ROWS && bytes < MAX_BYTES {
        let Some(next) = waiting.pop_front() else { break };
        if next.reply.is_closed() {
            continue; // That caller has gone away.
        }
        if !ids.insert(next.row.id) {
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

/// The jobs of several callers that are sent in one statement.
#[derive(Debug)]
pub(super) struct Group {
    since: Instant,
    state: Mutex<State>,
    task: OnceLock<AbortHandle>,
}

#[derive(Debug)]
struct State {
    /// The callers who have no reply yet.
    callers: Vec<Caller>,
    /// The time since when the statement may have been committed without an answer.
    sent: Option<Instant>,
    /// The time of the last beat.
    beat: Instant,
}

impl Group {
    pub(super) fn new(callers: Vec<Caller>) -> Self {
        Self::sent(callers, None)
    }

    fn sent(callers: Vec<Caller>, sent: Option<Instant>) -> Self {
        let since = Instant::now();
        let state = State { callers, sent, beat: since };
        Self { since, state: Mutex::new(state), task: OnceLock::new() }
    }

    /// Sets the task that sends the group.
    pub(super) fn set_task(&self, task: AbortHandle) {
        let _ = self.task.set(task);
    }

    pub(super) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// Notes that the runtime of the task is driven.
    pub(super) fn beat(&self) {
        lock(&self.state).beat = Instant::now();
    }

    /// Returns whether the runtime of the task seems not to be driven: its thread is blocked, or its `block_on` has returned.
    pub(super) fn is_stalled(&self) -> bool {
        lock(&self.state).beat.elapsed() > STALLED_AFTER
    }

    /// Gives the group up. Callers whose jobs may have been sent get the reply to look for them; returns the other
    /// callers.
    pub(super) fn abandon(&self) -> Vec<Caller> {
        if let Some(task) = self.task.get() {
            task.abort();
        }
        let mut state = lock(&self.state);
        let callers = std::mem::take(&mut state.callers);
        let Some(sent) = state.sent else { return callers };
        callers.into_iter().for_each(|caller| caller.reply(Reply::SendAlone { lost: Some(sent) }));
        Vec::new()
    }

    /// Returns the rows of the callers who have no reply yet.
    pub(super) fn rows(&self) -> Vec<Arc<Row>> {
        lock(&self.state).callers.iter().map(|caller| Arc::clone(&caller.row)).collect()
    }

    /// Notes that the statement is sent now. Fails if the group was given up before.
    pub(super) fn note_sent(&self) -> Result<(), DatabaseError> {
        let mut state = lock(&self.state);
        if state.callers.is_empty() {
            return Err(DatabaseError::Unanswered { after: self.age() });
        }
        state.sent = Some(Instant::now());
        Ok(())
    }

    /// Replies to each caller. If a queue does not exist, the statement has inserted nothing: the callers with other queues
    /// get no reply yet, and their jobs are sent again. Returns the callers whose outcome is to be settled, as a group of their own.
    #[must_use]
    pub(super) fn answered(&self, answer: &Answer) -> Option<Self> {
        let mut state = lock(&self.state);
        let sent = state.sent.take();
        let mut unsettled = Vec::new();
        for caller in std::mem::take(&mut state.callers) {
            if let Some(full) = answer.left_out(caller.row.id) {
                let full = full.of(caller.row.id);
                caller.reply(Reply::Full(full));
                continue;
            }
            match answer.check(slice::from_ref(&caller.row)) {
                Err(error) => caller.reply(Reply::Enqueued(Err(error))),
                Ok(()) if answer.has_inserted_nothing() => state.callers.push(caller),
                Ok(()) if answer.held.has_asked(caller.row.id) => unsettled.push(caller),
                Ok(()) => {
                    answer.note_duplicates(slice::from_ref(&caller.row), |_| false);
                    caller.reply(Reply::Enqueued(Ok(())));
                }
            }
        }
        (!unsettled.is_empty()).then(|| Self::sent(unsettled, sent))
    }

    /// Takes the callers back, after an error that says that nothing was enqueued.
    pub(super) fn take_back(&self) -> Vec<Caller> {
        let mut state = lock(&self.state);
        state.sent = None;
        std::mem::take(&mut state.callers)
    }

    /// Replies to all callers after an error. Any row may have caused most errors, so each caller sends its job alone and gets
    /// an error of its own. An error that is `for_all` goes to every caller.
    pub(super) fn failed(&self, error: &DatabaseError, for_all: bool) {
        let mut state = lock(&self.state);
        let lost = state.sent.take().filter(|_| error.leaves_in_doubt());
        for caller in std::mem::take(&mut state.callers) {
            caller.reply(match error.for_another().filter(|_| for_all) {
                Some(same) => Reply::Enqueued(Err(same.into())),
                None => Reply::SendAlone { lost },
            });
        }
    }
}
