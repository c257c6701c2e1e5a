//! Single enqueues that come together become one statement and one commit: the commit is what an enqueue costs.
//!
//! Who comes while nothing is in flight is sent at once; who comes while something is waits, and goes with the next
//! *flight*: all who have come by then. A flight is a task of its own, so that a caller who goes away takes nobody
//! along. When it has landed, one of those who wait leads the next one, on the runtime that it waits on: the last flight's
//! may have ended, or nobody drive it any more, as its callers have their answers.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::batch::{Answer, Batch};
use crate::client::Shared;
use crate::enqueue::{CHUNK_BYTES, CHUNK_ROWS};
use crate::send::Sender;
use crate::{EnqueueError, JobId};

/// How long a flight waits for a caller's open transaction that has inserted one of its ids. Then each of its jobs is sent
/// alone, so that only the one of that id waits.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long an enqueue waits for its flight: a connection may have fallen silent, or nobody drive the flight's runtime.
const OVERDUE: Duration = Duration::from_secs(10);
/// How long a flight may take when the client is being closed.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// The single enqueues of one client.
#[derive(Clone, Debug)]
pub(crate) struct Coalesce {
    shared: Arc<Shared>,
    sender: Sender,
    line: Arc<Mutex<Line>>,
}

/// Who waits for the next flight, and the number of the one that is in flight.
#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<Caller>,
    in_flight: Option<u64>,
    flights: u64,
}

#[derive(Debug)]
struct Caller {
    id: JobId,
    row: Arc<Batch>,
    told: oneshot::Sender<Told>,
}

#[derive(Debug)]
enum Told {
    Answer(Result<Answer, EnqueueError>),
    /// Lead the next flight, of this number.
    Lead(u64),
    /// Send it by yourself. `lost` says that it may be committed already.
    Alone {
        lost: bool,
    },
}

impl Coalesce {
    pub(crate) fn new(shared: Arc<Shared>, sender: Sender) -> Self {
        Self { shared, sender, line: Arc::default() }
    }

    /// Enqueues a batch of one.
    pub(crate) async fn enqueue(&self, id: JobId, row: Batch) -> Result<Answer, EnqueueError> {
        let row = Arc::new(row);
        let since = Instant::now();
        let mut lead = None;
        let lost = loop {
            let (told, answer) = oneshot::channel();
            let overtaken = self.line_up(Caller { id, row: Arc::clone(&row), told }, lead);
            let mut place = Place { coalesce: self, answer };
            match timeout(OVERDUE, &mut place.answer).await {
                Ok(Ok(Told::Answer(answer))) => return answer,
                Ok(Ok(Told::Lead(flight))) => lead = Some(flight),
                Ok(Ok(Told::Alone { lost })) => break lost,
                Ok(Err(_)) => break true, // The flight's runtime has ended, and the flight with it.
                Err(_) => {
                    self.land(overtaken); // Who comes now need not wait for it.
                    break true;
                }
            }
        };
        let mut row = Batch::clone(&row);
        tokio::select! {
            biased;
            () = self.shared.stop.cancelled() => Err(EnqueueError::Closed),
            answer = self.sender.deliver(&mut row, lost.then_some(since)) => answer,
        }
    }

    /// Takes off with all who wait, or waits for those in flight to land. Gives the flight that is under way then.
    fn line_up(&self, caller: Caller, lead: Option<u64>) -> u64 {
        let mut line = self.lock();
        let flight = match (lead, line.in_flight) {
            (None, Some(under_way)) => {
                line.waiting.push_back(caller);
                return under_way;
            }
            (Some(told), _) => told,
            (None, None) => line.next_flight(),
        };
        let callers = line.take(caller);
        drop(line);
        let flight = Flight { coalesce: self.clone(), number: flight, callers };
        let number = flight.number;
        self.shared.tasks.spawn(flight.fly());
        number
    }

    /// The flight is over, however it ended: the first who waits leads the next one.
    fn land(&self, flight: u64) {
        let mut line = self.lock();
        if line.in_flight != Some(flight) {
            return; // It was given up for overdue.
        }
        line.in_flight = None;
        if self.shared.stop.is_cancelled() {
            line.waiting.clear(); // Dropping the senders tells them.
        }
        while let Some(next) = line.waiting.pop_front() {
            let number = line.next_flight();
            if next.told.send(Told::Lead(number)).is_ok() {
                return;
            }
            line.in_flight = None; // That caller has gone away.
        }
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn next_flight(&mut self) -> u64 {
        self.flights += 1;
        self.in_flight = Some(self.flights);
        self.flights
    }

    /// Who goes with the next flight: no more than a statement carries, and each id once, so that the second caller of an
    /// id is told by the database that it is a duplicate, or of another kind.
    fn take(&mut self, first: Caller) -> Vec<Caller> {
        let mut ids = HashSet::from([first.id]);
        let mut bytes = first.row.bytes();
        let mut callers = vec![first];
        let mut later = VecDeque::new();
        while callers.len() < CHUNK_ROWS && bytes < CHUNK_BYTES {
            let Some(next) = self.waiting.pop_front() else { break };
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
        later.append(&mut self.waiting);
        self.waiting = later;
        callers
    }
}

/// A caller's place in the line. One who goes away after being told to lead lets the next one lead.
struct Place<'c> {
    coalesce: &'c Coalesce,
    answer: oneshot::Receiver<Told>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.answer.close();
        if let Ok(Told::Lead(flight)) = self.answer.try_recv() {
            self.coalesce.land(flight);
        }
    }
}

/// One statement under way. However it ends, also with its runtime, the next one follows.
struct Flight {
    coalesce: Coalesce,
    number: u64,
    callers: Vec<Caller>,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.coalesce.land(self.number);
    }
}

impl Caller {
    /// Tells the caller, unless it has gone away.
    fn tell(self, told: Told) {
        let _ = self.told.send(told);
    }
}

impl Flight {
    async fn fly(mut self) {
        let stop = self.coalesce.shared.stop.clone();
        tokio::select! {
            () = self.answer_all() => {}
            () = async { stop.cancelled().await; sleep(CLOSE_WITHIN).await } => {}
        }
    }

    async fn answer_all(&mut self) {
        while !self.callers.is_empty() {
            let mut batch = Batch::default();
            self.callers.iter().for_each(|caller| batch.add(&caller.row));
            let mut lost = None;
            match self.coalesce.sender.ask(&mut batch, PATIENCE, &mut lost).await {
                Ok(answer) => self.answer(&answer),
                // It may be any row's fault; alone, each gets an error of its own.
                Err(_) => self
                    .callers
                    .drain(..)
                    .for_each(|caller| caller.tell(Told::Alone { lost: lost.is_some() })),
            }
        }
    }

    /// Tells each what became of its row. An unknown queue has kept out all of them: the others are sent again.
    fn answer(&mut self, answer: &Answer) {
        for caller in std::mem::take(&mut self.callers) {
            match caller.row.check(answer) {
                Err(error) => caller.tell(Told::Answer(Err(error))),
                Ok(()) if !answer.unknown.is_empty() => self.callers.push(caller),
                Ok(()) => {
                    let new = !answer.duplicates.contains(&caller.id.as_uuid());
                    let own = Answer { new: new.into(), committed: true, ..Answer::default() };
                    caller.tell(Told::Answer(Ok(own)));
                }
            }
        }
    }
}
