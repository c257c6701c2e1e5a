//! Waits for room in full queues, and enqueues jobs when it is their turn.
//!
//! Single jobs of one process that wait for the same queue share a place in its line, and are sent together. A batch has a place
//! of its own.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use crate::EnqueueError;
use crate::db::ids::QueueId;
use crate::db::listen::Listener;
use crate::db::shared::Shared;
use crate::enqueue::deliver::{FIRST_TRY_TIMEOUT, ID_PATIENCE, Sender};
use crate::enqueue::full::{Full, Room};
use crate::enqueue::group::{Caller, Group, Reply, next_group};
use crate::enqueue::in_line::InLine;
use crate::enqueue::insert::MAX_ROWS;
use crate::enqueue::row::Row;
use crate::lock::lock;
use crate::pump::{Pump, Running, Work};

/// The lines of this process, one for each full queue in which its single jobs wait.
#[derive(Clone, Debug)]
pub(crate) struct Rooms {
    shared: Arc<Shared>,
    sender: Sender,
    listener: Listener,
    lines: Arc<Mutex<HashMap<QueueId, Pump<Line>>>>,
}

/// The callers who wait for room in one queue.
#[derive(Debug, Default)]
struct Line(VecDeque<Caller>);

/// The jobs of a group that had room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    All,
    Some,
    Nothing,
}

impl Work for Line {
    /// Each caller gets the reply to send its job alone, and joins the line again.
    fn abandon(&mut self) {
        self.0.clear();
    }
}

impl Rooms {
    pub(crate) fn new(shared: Arc<Shared>, sender: Sender, listener: Listener) -> Self {
        Self { shared, sender, listener, lines: Arc::default() }
    }

    /// Enqueues one job when there is room for it. Fails with [`EnqueueError::QueueFull`] if that has not come by the deadline.
    pub(super) async fn enqueue(
        &self,
        row: &Arc<Row>,
        full: &Full,
        deadline: Instant,
    ) -> Result<Reply, EnqueueError> {
        let line = lock(&self.lines).entry(full.id).or_default().clone();
        let (reply, replied) = oneshot::channel();
        let caller = Caller { row: Arc::clone(row), reply, runtime: Handle::current() };
        let join = |line: &mut Line| line.0.push_back(caller);
        line.add(&self.shared.tasks, join, |running| {
            self.clone().send_in_turn(full.id, line.clone(), running)
        });
        match timeout_at(deadline.into(), replied).await {
            Ok(reply) => Ok(reply.unwrap_or(Reply::SendAlone { lost: None })),
            // It was not sent, and will not be.
            Err(_) if line.with(|line| line.leave(row)) => Err(full.error()),
            Err(_) => Err(EnqueueError::TimedOut {
                limit: self.shared.limits.enqueue_timeout,
                maybe_enqueued: true,
                last: None,
            }),
        }
    }

    /// Sends the jobs of those who wait for room in a queue, each when it is its turn.
    async fn send_in_turn(self, queue: QueueId, line: Pump<Line>, mut running: Running<Line>) {
        let mut place = InLine::new(&self.shared, &self.listener, queue);
        while let Some(waiting) = running.next(Line::waiting) {
            match place.turn(waiting).await {
                Ok(0) => {}
                // Those who are left out meanwhile join the line again, during the pause.
                Ok(turn) => match self.send(&Group::new(line.with(|line| line.take(turn)))).await {
                    Sent::All => {
                        place.note_progress();
                        continue;
                    }
                    Sent::Some => place.note_progress(),
                    Sent::Nothing => {}
                },
                Err(error) => Group::new(line.with(|line| line.take(waiting))).failed(&error, true),
            }
            tokio::select! {
                () = self.shared.stop.cancelled() => return,
                () = place.wait() => {}
            }
        }
    }

    /// Sends a group once. Each caller gets a reply.
    async fn send(&self, group: &Group) -> Sent {
        let rows = group.rows();
        if rows.is_empty() {
            return Sent::Nothing;
        }
        let sent = self.sender.ask(&rows, ID_PATIENCE, FIRST_TRY_TIMEOUT, Room::InTurn, || group.note_sent());
        let sent = match sent.await {
            Ok(answer) => {
                group.answered(&answer);
                match rows.iter().filter(|row| answer.left_out(row.id).is_some()).count() {
                    0 => Sent::All,
                    left if left < rows.len() => Sent::Some,
                    _ => Sent::Nothing,
                }
            }
            Err(error) => {
                group.failed(&error, self.sender.is_for_all(&error));
                Sent::Nothing
            }
        };
        group.abandon().into_iter().for_each(|caller| caller.reply(Reply::SendAlone { lost: None }));
        sent
    }

    /// Enqueues the jobs of a batch that had no room, in order. Returns the number of new ones, and leaves in `rows` those that are
    /// not known to be enqueued. Each time that some of them were, it has `limit` for the next.
    pub(crate) async fn deliver(
        &self,
        rows: &mut Vec<Arc<Row>>,
        full: &Full,
        limit: Duration,
    ) -> Result<u64, EnqueueError> {
        let mut place = InLine::new(&self.shared, &self.listener, full.id);
        let (mut new, mut deadline) = (0, Instant::now() + limit);
        while !rows.is_empty() {
            let turn = timeout_at(deadline.into(), place.turn(rows.len())).await;
            let turn = turn.unwrap_or(Ok(0))?.min(rows.len());
            let mut now: Vec<_> = rows.drain(..turn).collect();
            let sent = if now.is_empty() {
                Ok(Vec::new())
            } else {
                self.sender.deliver(&mut now, None, deadline, Room::InTurn).await.map(|delivered| {
                    new += delivered.new;
                    delivered.full
                })
            };
            let left = now.len();
            rows.splice(..0, now);
            sent?;
            if left < turn {
                place.note_progress();
                deadline = Instant::now() + limit;
            } else if Instant::now() >= deadline {
                return Err(full.error());
            } else {
                tokio::select! {
                    () = self.shared.stop.cancelled() => return Err(EnqueueError::Closed),
                    () = place.wait() => {}
                }
            }
        }
        Ok(new)
    }
}

impl Line {
    /// Returns the number of callers who wait, at most as many as one statement carries. `None` if there are none.
    fn waiting(&mut self) -> Option<usize> {
        self.0.retain(|caller| !caller.reply.is_closed());
        (!self.0.is_empty()).then(|| self.0.len().min(MAX_ROWS))
    }

    /// Takes the first callers.
    fn take(&mut self, most: usize) -> Vec<Caller> {
        let mut first: VecDeque<_> = self.0.drain(..most.min(self.0.len())).collect();
        let group = next_group(&mut first);
        // Another job with the same id, or too many bytes.
        first.into_iter().rev().for_each(|caller| self.0.push_front(caller));
        group
    }

    /// Removes the caller of this job, unless it was taken.
    fn leave(&mut self, row: &Arc<Row>) -> bool {
        let before = self.0.len();
        self.0.retain(|caller| !Arc::ptr_eq(&caller.row, row));
        self.0.len() < before
    }
}
