//! Single enqueues that come together become one statement and one commit: the commit is what an enqueue costs.
//!
//! A caller who comes while nothing is in flight is sent at once. One who comes while a flight is under way waits, and goes
//! with the next *flight*: all who have come by then. A flight is a task of its own, so that a caller who goes away takes
//! nobody along. The flight that lands starts the next one itself, on the runtime of a caller who waits. So no caller has
//! to be polled for the others to go on.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::db::shared::Shared;
use crate::enqueue::batch::{Answer, Batch};
use crate::enqueue::deliver::{FIRST_TRY, Sender};
use crate::enqueue::flight::{Caller, Flight, PULSE_EVERY, Told, crew};
use crate::lock::lock;
use crate::{EnqueueError, JobId};

/// How often a caller checks the flights under way.
const CHECK_EVERY: Duration = Duration::from_millis(100);
/// The age from which a flight no longer keeps the next one on the ground: its connection may have fallen silent.
const SLOW: Duration = Duration::from_secs(2);
/// How long a flight waits for a caller's open transaction that has inserted one of its ids. Then each of its jobs is sent
/// alone, so that only the one of that id waits.
const PATIENCE: Duration = Duration::from_millis(50);
/// The time that a flight has left when the client is closed.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// The single enqueues of one client.
#[derive(Clone, Debug)]
pub(crate) struct Coalesce {
    shared: Arc<Shared>,
    sender: Sender,
    line: Arc<Mutex<Line>>,
}

/// Callers who wait for the next flight, and the flights under way: one, unless it is slow.
#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Caller>,
    under_way: Vec<Arc<Flight>>,
}

impl Coalesce {
    pub(crate) fn new(shared: Arc<Shared>, sender: Sender) -> Self {
        Self { shared, sender, line: Arc::default() }
    }

    /// Enqueues a batch of one.
    pub(crate) async fn enqueue(
        &self,
        id: JobId,
        row: Batch,
        deadline: Instant,
    ) -> Result<Answer, EnqueueError> {
        let row = Arc::new(row);
        let (told, answer) = oneshot::channel();
        let caller = Caller { id, row: Arc::clone(&row), told, runtime: Handle::current() };
        {
            let mut line = self.lock();
            line.waiting.push_back(caller);
            self.take_off(line, None);
        }
        let lost = match self.answer(answer).await {
            Told::Answer(answer) => return answer,
            Told::Alone { lost } => lost,
        };
        let mut row = Arc::unwrap_or_clone(row);
        tokio::select! {
            biased;
            () = self.shared.stop.cancelled() => Err(EnqueueError::Closed),
            answer = self.sender.deliver(&mut row, lost, deadline) => answer,
        }
    }

    /// Waits for what the caller is told, and meanwhile looks after the flights.
    async fn answer(&self, mut answer: oneshot::Receiver<Told>) -> Told {
        loop {
            let before = Instant::now();
            match timeout(CHECK_EVERY, &mut answer).await {
                Ok(Ok(told)) => return told,
                Ok(Err(_)) => return Told::Alone { lost: None }, // The client was closed.
                // A check that comes late says more about this runtime than about the flight's.
                Err(_) if before.elapsed() < 2 * CHECK_EVERY => self.check(),
                Err(_) => {}
            }
        }
    }

    /// Gives up flights whose runtime is not driven, and lets the next one take off on this runtime if it should.
    fn check(&self) {
        let mut line = self.lock();
        let (lifeless, under_way) =
            std::mem::take(&mut line.under_way).into_iter().partition(|flight| flight.is_lifeless());
        line.under_way = under_way;
        let lifeless: Vec<Arc<Flight>> = lifeless;
        for caller in lifeless.iter().rev().flat_map(|flight| flight.abandon().into_iter().rev()) {
            line.waiting.push_front(caller);
        }
        self.take_off(line, Some(Handle::current()));
    }

    /// The flight is over, however it ended: the next one follows.
    fn land(&self, flight: &Arc<Flight>) {
        let mut line = self.lock();
        line.under_way.retain(|one| !Arc::ptr_eq(one, flight));
        if self.shared.stop.is_cancelled() {
            line.waiting.clear(); // Dropping the senders tells them.
        }
        self.take_off(line, None);
    }

    /// Takes off with those who wait, unless another flight has only just done so. It runs on the runtime given, or on that
    /// of the first caller.
    fn take_off(&self, mut line: MutexGuard<'_, Line>, runtime: Option<Handle>) {
        if line.under_way.iter().any(|flight| flight.age() < SLOW) {
            return;
        }
        let callers = crew(&mut line.waiting);
        let Some(first) = callers.first() else { return };
        let runtime = runtime.unwrap_or_else(|| first.runtime.clone());
        let flight = Arc::new(Flight::new(callers));
        line.under_way.push(Arc::clone(&flight));
        drop(line); // A runtime that has ended drops the task at once, which lands the flight.
        let flying = Flying::new(self.clone(), Arc::clone(&flight));
        let stop = self.shared.stop.clone();
        let task = self.shared.tasks.spawn_on(flying.fly(self.sender.clone(), stop), &runtime);
        flight.flown_by(task.abort_handle());
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        lock(&self.line)
    }
}

/// The task of a flight. However it ends, also with its runtime, the callers are told and the next flight follows.
struct Flying {
    coalesce: Coalesce,
    flight: Arc<Flight>,
}

impl Flying {
    fn new(coalesce: Coalesce, flight: Arc<Flight>) -> Self {
        Self { coalesce, flight }
    }

    async fn fly(self, sender: Sender, stop: CancellationToken) {
        let flight = &self.flight;
        let pulse = async {
            let mut pulse = interval(PULSE_EVERY);
            loop {
                pulse.tick().await;
                flight.beat();
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
