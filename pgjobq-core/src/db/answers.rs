//! The signal that the database answers: a task that pauses after an outage goes on when any other task got an
//! answer.

use tokio::sync::Notify;

/// The signal that the database has answered a task of this process.
#[derive(Debug, Default)]
#[doc(hidden)]
pub struct Answers(Notify);

impl Answers {
    /// Signals that the database has answered.
    pub(crate) fn note(&self) {
        self.0.notify_waiters();
    }

    /// Waits for the next answer.
    pub async fn next(&self) {
        self.0.notified().await;
    }
}
