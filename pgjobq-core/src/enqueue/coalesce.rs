//! Coalescing: single enqueues that are called at the same time become one statement and one commit, because the commit is
//! most of an enqueue's cost.
//!
//! A job is sent at once if no other is being sent. Otherwise its caller waits, and the job goes with the next *group*: the
//! jobs of all callers that wait by then. A task of its own sends a group, so that a caller that is dropped cancels no
//! other caller's enqueue. A task that ends starts the next one itself, on the runtime of a waiting caller: no caller has
//! to be polled for the others to continue.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::EnqueueError;
use crate::db::shared::Shared;
use crate::enqueue::deliver::{FIRST_TRY_TIMEOUT, GROUP_PATIENCE, Sender};
use crate::enqueue::full::{Full, Room};
use crate::enqueue::group::{BEAT_INTERVAL, Caller, Group, Reply, next_group};
use crate::enqueue::row::Row;
use crate::enqueue::settling::settle_later;
use crate::lock::lock;

/// The interval at which a waiting caller checks the groups that are being sent.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);
/// The age from which a group no longer delays the next one: its connection may have fallen silent.
const SLOW_AFTER: Duration = Duration::from_secs(2);
/// The time that a group has left when the client is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The single enqueues of one client.
#[derive(Clone, Debug)]
pub(crate) struct Coalesce {
    shared: Arc<Shared>,
    sender: Sender,
    state: Arc<Mutex<State>>,
}

/// The callers of the next group, and the groups that are being sent: one, unless it is slow.
#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Caller>,
    sending: Vec<Arc<Group>>,
}

impl Coalesce {
    pub(crate) fn new(shared: Arc<Shared>, sender: Sender) -> Self {
        Self { shared, sender, state: Arc::default() }
    }

    /// Enqueues one job. Returns its queue if that is full.
    pub(crate) async fn enqueue(
        &self,
        row: Arc<Row>,
        deadline: Instant,
    ) -> Result<Option<Full>, EnqueueError> {
        let (reply, replied) = oneshot::channel();
        let caller = Caller { row: Arc::clone(&row), reply, runtime: Handle::current() };
        {
            let mut state = lock(&self.state);
            state.waiting.push_back(caller);
            self.start_next(state, None);
        }
        let reply = self.wait_for(replied).await;
        self.follow(reply, row, deadline).await
    }

    /// Does what a reply asks the caller to do.
    pub(super) async fn follow(
        &self,
        reply: Reply,
        row: Arc<Row>,
        deadline: Instant,
    ) -> Result<Option<Full>, EnqueueError> {
        let lost = match reply {
            Reply::Enqueued(result) => return result.map(|()| None),
            Reply::Full(full) => return Ok(Some(full)),
            Reply::SendAlone { lost } => lost,
        };
        let mut rows = vec![row];
        tokio::select! {
            biased;
            () = self.shared.stop.cancelled() => Err(EnqueueError::Closed),
            result = self.sender.deliver(&mut rows, lost, deadline, Room::ForSome) => result.map(|mut full| full.pop()),
        }
    }

    /// Waits for the reply to a caller, and checks the groups meanwhile.
    async fn wait_for(&self, mut reply: oneshot::Receiver<Reply>) -> Reply {
        loop {
            let before = Instant::now();
            match timeout(CHECK_INTERVAL, &mut reply).await {
                Ok(Ok(reply)) => return reply,
                Ok(Err(_)) => return Reply::SendAlone { lost: None }, // The client was closed.
                // A late check shows a delay of this runtime rather than of the group's.
                Err(_) if before.elapsed() < 2 * CHECK_INTERVAL => self.check(),
                Err(_) => {}
            }
        }
    }

    /// Gives up groups whose runtime is not driven, and starts the next group on this runtime if it is due.
    fn check(&self) {
        let mut state = lock(&self.state);
        let (stalled, sending): (Vec<Arc<Group>>, Vec<_>) =
            std::mem::take(&mut state.sending).into_iter().partition(|group| group.is_stalled());
        state.sending = sending;
        for caller in stalled.iter().rev().flat_map(|group| group.abandon().into_iter().rev()) {
            state.waiting.push_front(caller);
        }
        self.start_next(state, Some(Handle::current()));
    }

    /// Removes a group that has ended, with any result, and starts the next one.
    fn ended(&self, group: &Arc<Group>) {
        let mut state = lock(&self.state);
        state.sending.retain(|one| !Arc::ptr_eq(one, group));
        if self.shared.stop.is_cancelled() {
            state.waiting.clear(); // Drops the senders, and so replies to their callers.
        }
        self.start_next(state, None);
    }

    /// Sends the jobs of those who wait, unless another group was started only just before. The task runs on this runtime, or
    /// on that of the first caller.
    fn start_next(&self, mut state: MutexGuard<'_, State>, runtime: Option<Handle>) {
        if state.sending.iter().any(|group| group.age() < SLOW_AFTER) {
            return;
        }
        let callers = next_group(&mut state.waiting);
        let Some(first) = callers.first() else { return };
        let runtime = runtime.unwrap_or_else(|| first.runtime.clone());
        let group = Arc::new(Group::new(callers));
        state.sending.push(Arc::clone(&group));
        drop(state); // A runtime that has ended drops the task at once, and dropping it locks the state.
        let sending = Sending { coalesce: self.clone(), group: Arc::clone(&group) };
        let task = self.shared.tasks.spawn_on(sending.run(), &runtime);
        group.set_task(task.abort_handle());
    }
}

/// The task of a group. However it ends, also with its runtime, all callers get a reply and the next group starts.
struct Sending {
    coalesce: Coalesce,
    group: Arc<Group>,
}

impl Sending {
    async fn run(self) {
        let Self { group, coalesce } = &self;
        let beat = async {
            let mut beat = interval(BEAT_INTERVAL);
            loop {
                beat.tick().await;
                group.beat();
            }
        };
        tokio::select! {
            () = send_all(group, coalesce) => {}
            () = beat => {}
            () = closed(&coalesce.shared.stop) => {}
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        for caller in self.group.abandon() {
            caller.reply(Reply::SendAlone { lost: None });
        }
        self.coalesce.ended(&self.group);
    }
}

/// Sends the rows of a group until each caller has a reply.
async fn send_all(group: &Group, Coalesce { shared, sender, .. }: &Coalesce) {
    loop {
        let rows = group.rows();
        if rows.is_empty() {
            return;
        }
        match sender.ask(&rows, GROUP_PATIENCE, FIRST_TRY_TIMEOUT, Room::ForSome, || group.note_sent()).await
        {
            Ok(answer) => {
                if let Some(unsettled) = group.answered(&answer) {
                    settle_later(shared, sender, unsettled, answer);
                }
            }
            Err(error) => group.failed(&error, sender.is_for_all(&error)),
        }
    }
}

/// Returns when the client was closed and its groups have had their time.
pub(super) async fn closed(stop: &CancellationToken) {
    stop.cancelled().await;
    sleep(CLOSE_TIMEOUT).await;
}
