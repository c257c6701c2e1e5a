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
use crate::enqueue::coalesce::closed;
use crate::enqueue::deliver::{FIRST_TRY_TIMEOUT, GROUP_PATIENCE, Sender};
use crate::enqueue::full::{Full, Room};
use crate::enqueue::group::{Caller, Group, Reply, next_group};
use crate::enqueue::in_line::InLine;
use crate::enqueue::insert::MAX_ROWS;
use crate::enqueue::looks::Looks;
use crate::enqueue::row::Row;
use crate::enqueue::settling::settle_later;
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
struct Line {
    callers: VecDeque<Caller>,
    /// The looks of the task that sends their jobs.
    looks: Arc<Mutex<Looks>>,
}

/// The jobs of a group that had room.
#[derive(Debug)]
enum Sent {
    All,
    Some,
    Nothing,
    /// An open transaction has locked the id or the unique key of one of them. Nothing was enqueued.
    Locked(Vec<Caller>),
}

impl Work for Line {
    /// Each caller gets the reply to send its job alone, and joins the line again.
    fn abandon(&mut self) {
        self.callers.clear();
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
        let (joined, limit) = (Instant::now(), self.shared.limits.enqueue_timeout);
        let join = |line: &mut Line| line.callers.push_back(caller);
        line.add(&self.shared.tasks, join, |running| {
            self.clone().send_in_turn(full.id, line.clone(), running)
        });
        match timeout_at(deadline.into(), replied).await {
            Ok(reply) => Ok(reply.unwrap_or(Reply::SendAlone { lost: None })),
            // It was not sent, and will not be.
            Err(_) if line.with(|line| line.leave(row)) => {
                Err(line.with(|line| lock(&line.looks).error(full, joined, limit)))
            }
            Err(_) => Err(EnqueueError::TimedOut { limit, maybe_enqueued: true, last: None }),
        }
    }

    /// Sends the jobs of those who wait for room in a queue, each when it is its turn, until nobody waits or the client is closed.
    async fn send_in_turn(self, queue: QueueId, line: Pump<Line>, running: Running<Line>) {
        let place = InLine::new(&self.shared, &self.listener, queue);
        line.with(|line| line.looks = place.looks());
        tokio::select! {
            () = self.send_all_in_turn(place, &line, running) => {}
            () = closed(&self.shared.stop) => {}
        }
    }

    async fn send_all_in_turn(&self, mut place: InLine, line: &Pump<Line>, mut running: Running<Line>) {
        let stop = &self.shared.stop;
        let mut most = MAX_ROWS;
        while let Some(waiting) = running.next(Line::waiting) {
            let Some(turn) = stop.run_until_cancelled(place.turn(waiting)).await else { return };
            match turn {
                Ok(0) => {}
                Ok(turn) => {
                    let group = Group::new(line.with(|line| line.take(turn.min(most))));
                    match place.keep_during(waiting, self.send(&group)).await {
                        Sent::All => {
                            most = (most * 2).min(MAX_ROWS);
                            place.note_progress();
                            continue;
                        }
                        // Those who are left out join the line again, during the pause.
                        Sent::Some => place.note_progress(),
                        Sent::Nothing => {}
                        Sent::Locked(callers) => {
                            most = (callers.len() / 2).max(1);
                            line.with(|line| line.put_back(callers));
                            continue;
                        }
                    }
                }
                Err(error) => Group::new(line.with(|line| line.take(waiting))).failed(&error, true),
            }
            if stop.run_until_cancelled(place.wait()).await.is_none() {
                return;
            }
        }
    }

    /// Sends a group once. Each caller gets a reply, unless one of several jobs is locked.
    async fn send(&self, group: &Group) -> Sent {
        let rows = group.rows();
        if rows.is_empty() {
            return Sent::Nothing;
        }
        let sent =
            self.sender.ask(&rows, GROUP_PATIENCE, FIRST_TRY_TIMEOUT, Room::InTurn, || group.note_sent());
        let sent = match sent.await {
            Ok(answer) => {
                let sent = match rows.iter().filter(|row| answer.left_out(row.id).is_some()).count() {
                    0 => Sent::All,
                    left if left < rows.len() => Sent::Some,
                    _ => Sent::Nothing,
                };
                if let Some(unsettled) = group.answered(&answer) {
                    settle_later(&self.shared, &self.sender, unsettled, answer);
                }
                sent
            }
            Err(error) if error.is_lock_timeout() && rows.len() > 1 => {
                return Sent::Locked(group.take_back());
            }
            Err(error) => {
                group.failed(&error, self.sender.is_for_all(&error));
                Sent::Nothing
            }
        };
        group.abandon().into_iter().for_each(|caller| caller.reply(Reply::SendAlone { lost: None }));
        sent
    }

    /// Enqueues the jobs of a batch that had no room, in order, and leaves in `rows` those that are not known to be enqueued. Each time
    /// that some of them were, it has `limit` for the next.
    pub(crate) async fn deliver(
        &self,
        rows: &mut Vec<Arc<Row>>,
        full: &Full,
        limit: Duration,
    ) -> Result<(), EnqueueError> {
        let stop = &self.shared.stop;
        let mut place = InLine::new(&self.shared, &self.listener, full.id);
        let mut began = Instant::now();
        while !rows.is_empty() {
            let (want, deadline) = (rows.len(), began + limit);
            let turn = stop.run_until_cancelled(timeout_at(deadline.into(), place.turn(want))).await;
            let turn = turn.ok_or(EnqueueError::Closed)?.unwrap_or(Ok(0))?.min(want);
            let mut now: Vec<_> = rows.drain(..turn).collect();
            let sent = if now.is_empty() {
                Ok(Vec::new())
            } else {
                let deliver = self.sender.deliver(&mut now, None, deadline, Room::InTurn);
                place.keep_during(want, deliver).await
            };
            let left = now.len();
            rows.splice(..0, now);
            sent?;
            if left < turn {
                place.note_progress();
                began = Instant::now();
            } else if Instant::now() >= deadline {
                return Err(lock(&place.looks()).error(full, began, limit));
            } else {
                stop.run_until_cancelled(place.wait()).await.ok_or(EnqueueError::Closed)?;
            }
        }
        Ok(())
    }
}

impl Line {
    /// Returns the number of callers who wait, at most as many as one statement carries. `None` if there are none.
    fn waiting(&mut self) -> Option<usize> {
        self.callers.retain(|caller| !caller.reply.is_closed());
        (!self.callers.is_empty()).then(|| self.callers.len().min(MAX_ROWS))
    }

    /// Takes the first callers.
    fn take(&mut self, most: usize) -> Vec<Caller> {
        let mut first: VecDeque<_> = self.callers.drain(..most.min(self.callers.len())).collect();
        let group = next_group(&mut first);
        self.put_back(first); // Another job with the same id, or too many bytes.
        group
    }

    /// Puts these callers back before all others.
    fn put_back(&mut self, callers: impl IntoIterator<Item = Caller, IntoIter: DoubleEndedIterator>) {
        callers.into_iter().rev().for_each(|caller| self.callers.push_front(caller));
    }

    /// Removes the caller of this job, unless it was taken.
    fn leave(&mut self, row: &Arc<Row>) -> bool {
        let before = self.callers.len();
        self.callers.retain(|caller| !Arc::ptr_eq(&caller.row, row));
        self.callers.len() < before
    }
}
