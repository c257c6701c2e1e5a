//! The signal that the database answers: whoever pauses after an outage goes on when anybody in the process got through.

use tokio::sync::Notify;

/// The signal that the database has answered somebody in this process.
#[derive(Debug, Default)]
#[doc(hidden)]
pub struct Answers(Notify);

impl Answers {
    /// Signals that the database has answered.
    pub(crate) fn note(&self) {
        self.0.notify_waiters();
    }

    /// Returns at the next answer.
    pub async fn next(&self) {
        self.0.notified().await;
    }
}
