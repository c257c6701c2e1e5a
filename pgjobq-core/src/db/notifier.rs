//! Sends notifications, after the commit and outside of it.
//!
//! A notifying transaction holds a lock of the whole cluster until its commit is durable. So ours notify in transactions of
//! their own that write nothing, and not more often than every few milliseconds.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::db::ids::QueueId;
use crate::db::shared::Shared;

/// The least time between two notifications of one process.
const SPACING: Duration = Duration::from_millis(4);
/// How long one may take.
const SEND_WITHIN: Duration = Duration::from_secs(5);
/// How many ids fit into one notification, which holds 8,000 bytes; for more it only says that there are some.
const MOST_IDS: usize = 200;

/// Sends notifications; several that come together are sent as one.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct Notifier {
    shared: Arc<Shared>,
    pending: Arc<Mutex<Pending>>,
}

#[derive(Debug, Default)]
struct Pending {
    sending: bool,
    queues: BTreeSet<QueueId>,
    cancel: bool,
    ended: Vec<Uuid>,
}

impl Notifier {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, pending: Arc::default() }
    }

    /// Says that there is work in these queues.
    pub fn wake(&self, queues: &[QueueId]) {
        if !queues.is_empty() {
            self.add(|pending| pending.queues.extend(queues));
        }
    }

    /// Says that these jobs have ended.
    pub fn ended(&self, jobs: &[Uuid]) {
        if !jobs.is_empty() {
            self.add(|pending| pending.ended.extend_from_slice(jobs));
        }
    }

    /// Says that somebody has asked to cancel jobs.
    pub fn cancel(&self) {
        self.add(|pending| pending.cancel = true);
    }

    fn add(&self, what: impl FnOnce(&mut Pending)) {
        if !self.shared.limits.notifications {
            return;
        }
        let mut pending = self.lock();
        what(&mut pending);
        if !std::mem::replace(&mut pending.sending, true) {
            let notifier = self.clone();
            self.shared.tasks.spawn(async move { notifier.send().await });
        }
    }

    /// Sends until nothing is pending.
    async fn send(&self) {
        let mut sending = Sending { notifier: self, finished: false };
        while let Some(payloads) = self.take() {
            for payload in payloads {
                let notify = sqlx::query(self.shared.sql.notify.clone()).bind(payload);
                if let Err(error) = self.shared.rows_within(SEND_WITHIN, notify).await {
                    tracing::debug!(%error, "a notification was not sent; polling finds what it was about");
                }
            }
            tokio::select! {
                () = self.shared.stop.cancelled() => {}
                () = tokio::time::sleep(SPACING) => {}
            }
        }
        sending.finished = true;
    }

    fn take(&self) -> Option<Vec<String>> {
        let mut pending = self.lock();
        let (queues, ended) = (std::mem::take(&mut pending.queues), std::mem::take(&mut pending.ended));
        let cancel = std::mem::take(&mut pending.cancel);
        pending.sending = cancel || !queues.is_empty() || !ended.is_empty();
        let mut payloads = Vec::new();
        if cancel {
            payloads.push("cancel some".to_owned());
        }
        if !queues.is_empty() {
            payloads.push(format!("wake {}", join(queues.iter())));
        }
        match ended.len() {
            0 => {}
            1..=MOST_IDS => payloads.push(format!("ended {}", join(ended.iter().map(|id| id.simple())))),
            _ => payloads.push("ended many".to_owned()),
        }
        pending.sending.then_some(payloads)
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task that sends. Should its runtime end, and it with that, the next one who has something to say starts another.
struct Sending<'n> {
    notifier: &'n Notifier,
    finished: bool,
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.notifier.lock().sending = false;
        }
    }
}

fn join<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(",")
}
