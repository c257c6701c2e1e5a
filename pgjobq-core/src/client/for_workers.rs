//! The parts of a client that the workers of its process use. Not public API.

use std::sync::Arc;

use tokio::sync::broadcast;

use super::Client;
use crate::db::answers::Answers;
use crate::db::listen::Signal;
use crate::db::local_workers::LocalWorker;
use crate::db::notifier::Notifier;
use crate::observe::observer::Observers;

impl Client {
    /// Subscribes to the signals of the listener.
    #[doc(hidden)]
    #[must_use]
    pub fn signals(&self) -> broadcast::Receiver<Signal> {
        self.inner.listener.subscribe()
    }

    /// Wakes this worker from now on without the database for jobs that this client enqueues.
    #[doc(hidden)]
    pub fn add_local_worker(&self, worker: &Arc<dyn LocalWorker>) {
        self.inner.shared.local_workers.add(worker);
    }

    /// Returns the sender of notifications.
    #[doc(hidden)]
    #[must_use]
    pub fn notifications(&self) -> Notifier {
        self.inner.notifier.clone()
    }

    /// Returns the signal that the database has answered a task of this process.
    #[doc(hidden)]
    #[must_use]
    pub fn answers(&self) -> Arc<Answers> {
        Arc::clone(&self.inner.shared.answers)
    }

    /// Returns those who observe what this process does.
    #[doc(hidden)]
    #[must_use]
    pub fn observers(&self) -> &Observers {
        self.inner.shared.observers()
    }

    /// Waits until observers and hooks have seen everything that happened before, but not without end for one that blocks.
    #[doc(hidden)]
    pub async fn delivered(&self) {
        self.inner.shared.delivered().await;
    }

    /// Notifies observers that these jobs have ended without an attempt.
    #[doc(hidden)]
    pub fn observe_ended(&self, jobs: &[uuid::Uuid]) {
        self.inner.shared.observe_ended(jobs);
    }

    #[doc(hidden)]
    #[must_use]
    pub fn uses_notifications(&self) -> bool {
        self.limits().notifications
    }

    /// Awaits what this function returns after each enqueue through this client, unless a job function enqueues.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn after_each_enqueue(
        &self,
        run: impl Fn() -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync + 'static,
    ) {
        self.inner.inline.set(Arc::new(run));
    }
}
