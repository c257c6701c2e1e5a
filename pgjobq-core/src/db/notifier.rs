//! Sends notifications, after the commit and outside of it.
//!
//! A notifying transaction holds a lock of the whole cluster until its commit is durable. So ours notify in transactions of
//! their own that write nothing, and not more often than every few milliseconds.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::DatabaseError;
use crate::db::ids::QueueId;
use crate::db::shared::Shared;
use crate::db::watch::Sender;
use crate::pump::{Pump, Running, Work};

/// The least time between two notifications of one process.
const SEND_INTERVAL: Duration = Duration::from_millis(4);
/// The timeout of one notification.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest number of ids in one notification, which holds 8,000 bytes. For more, it reports only that there are some.
const MAX_IDS: usize = 200;

/// Sends notifications; several that come together are sent as one.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct Notifier {
    shared: Arc<Shared>,
    pending: Pump<Pending>,
}

#[derive(Debug, Default)]
struct Pending {
    queues: BTreeSet<QueueId>,
    room: BTreeSet<QueueId>,
    cancel: bool,
    edges: bool,
    limited: bool,
    ended: Vec<Uuid>,
}

impl Notifier {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, pending: Pump::default() }
    }

    /// Notifies workers that there is work in these queues.
    pub fn wake(&self, queues: &[QueueId]) {
        if !queues.is_empty() {
            self.add(|pending| pending.queues.extend(queues));
        }
    }

    /// Notifies those who wait for room in these queues.
    pub fn room(&self, queues: &[QueueId]) {
        if !queues.is_empty() {
            self.add(|pending| pending.room.extend(queues));
        }
    }

    /// Notifies those who wait that these jobs have ended.
    pub fn ended(&self, jobs: &[Uuid]) {
        if !jobs.is_empty() {
            self.add(|pending| pending.add_ended(jobs));
        }
    }

    /// The same of jobs that a person or a program has ended, and workers of what may follow from that.
    pub(crate) fn cancelled(&self, jobs: &[Uuid]) {
        if !jobs.is_empty() {
            self.ended(jobs);
            self.edges();
        }
    }

    /// Notifies workers of requests to cancel jobs.
    pub fn cancel(&self) {
        self.add(|pending| pending.cancel = true);
    }

    /// Notifies workers of edges to confirm.
    pub fn edges(&self) {
        self.add(|pending| pending.edges = true);
    }

    /// Notifies workers of jobs that wait for permits.
    pub fn limited(&self) {
        self.add(|pending| pending.limited = true);
    }

    fn add(&self, what: impl FnOnce(&mut Pending)) {
        if self.shared.limits.notifications {
            let shared = Arc::clone(&self.shared);
            self.pending.add(&self.shared.tasks, what, |running| send(shared, running));
        }
    }
}

/// Sends until nothing is pending.
async fn send(shared: Arc<Shared>, mut running: Running<Pending>) {
    while let Some(payloads) = running.next(Pending::take) {
        for payload in payloads {
            if let Err(error) = notify(&shared, payload).await {
                tracing::debug!(%error, "a notification was not sent; polling finds what it was about");
            }
        }
        tokio::select! {
            () = shared.stop.cancelled() => {}
            () = tokio::time::sleep(SEND_INTERVAL) => {}
        }
    }
}

/// Sends one notification; once more, if the kept connection turns out to be broken.
async fn notify(shared: &Shared, payload: String) -> Result<(), DatabaseError> {
    let statement = || sqlx::query(shared.sql.notify.clone()).bind(payload.clone());
    let send = async |connection: &mut PgConnection| {
        let sent = shared.sql.rows(connection, statement(), Sender::ALONE).await;
        sent.map_err(|error| shared.error(error))
    };
    match shared.with_kept_connection(SEND_TIMEOUT, send).await {
        Err(error) if error.leaves_in_doubt() => {
            shared.rows_within(SEND_TIMEOUT, statement()).await.map(drop)
        }
        sent => sent.map(drop),
    }
}

impl Work for Pending {}

impl Pending {
    /// Adds ended jobs, unless there are already more than a notification can name.
    fn add_ended(&mut self, jobs: &[Uuid]) {
        if self.ended.len() <= MAX_IDS {
            self.ended.extend_from_slice(jobs);
        }
    }

    /// Takes all that is pending, as the payloads of notifications.
    fn take(&mut self) -> Option<Vec<String>> {
        let pending = std::mem::take(self);
        let mut payloads = Vec::new();
        if pending.cancel {
            payloads.push("cancel some".to_owned());
        }
        if pending.edges {
            payloads.push("edges some".to_owned());
        }
        if pending.limited {
            payloads.push("limited some".to_owned());
        }
        if !pending.queues.is_empty() {
            payloads.push(format!("wake {}", join(pending.queues.iter())));
        }
        if !pending.room.is_empty() {
            payloads.push(format!("room {}", join(pending.room.iter())));
        }
        match pending.ended.len() {
            0 => {}
            1..=MAX_IDS => {
                payloads.push(format!("ended {}", join(pending.ended.iter().map(|id| id.simple()))))
            }
            _ => payloads.push("ended many".to_owned()),
        }
        (!payloads.is_empty()).then_some(payloads)
    }
}

fn join<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_ended_jobs_are_bounded_while_a_send_hangs() {
        let mut pending = Pending::default();
        (0..100).for_each(|_| pending.add_ended(&[Uuid::nil(); 50]));
        assert!(pending.ended.len() <= MAX_IDS + 50, "{}", pending.ended.len());
        assert_eq!(pending.take().as_deref(), Some(&["ended many".to_owned()][..]));
        pending.add_ended(&[Uuid::nil()]);
        assert_eq!(pending.take().map(|payloads| payloads.len()), Some(1));
    }
}
