//! The signal that the database answers: a task that pauses after an outage goes on when any other task got an
//! answer.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::sync::Notify;

use crate::DatabaseError;
use crate::lock::lock;
use crate::observe::Event;
use crate::observe::observer::Observers;

/// The signal that the database has answered a task of this process.
#[derive(Debug, Default)]
#[doc(hidden)]
pub struct Answers {
    answered: Notify,
    observers: Observers,
    /// True from an error of the connection to the next answer, if somebody observes that.
    is_lost: AtomicBool,
    lost_at: Mutex<Option<Instant>>,
}

impl Answers {
    pub(crate) fn new(observers: Observers) -> Self {
        Self { observers, ..Self::default() }
    }

    /// Signals that the database has answered.
    pub(crate) fn note(&self) {
        self.answered.notify_waiters();
        if self.is_lost.load(Ordering::Relaxed) {
            let mut lost_at = lock(&self.lost_at);
            if let Some(at) = lost_at.take() {
                self.is_lost.store(false, Ordering::Relaxed);
                self.observers.emit_one(|| Event::connection_regained(at.elapsed()));
            }
        }
    }

    /// Takes note of an error, which may be that of the connection.
    pub(crate) fn note_error(&self, error: &DatabaseError) {
        if !self.observers.listen() || !error.is_about_connection() {
            return;
        }
        let mut lost_at = lock(&self.lost_at);
        if lost_at.is_none() {
            *lost_at = Some(Instant::now());
            self.is_lost.store(true, Ordering::Relaxed);
            self.observers.emit_one(|| Event::connection_lost(error));
        }
    }

    /// Waits for the next answer.
    pub async fn next(&self) {
        self.answered.notified().await;
    }
}
