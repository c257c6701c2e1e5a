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
    outage: Mutex<Outage>,
}

/// The last outage.
#[derive(Debug, Default)]
struct Outage {
    /// The time of its first error.
    since: Option<Instant>,
    is_over: bool,
}

impl Answers {
    pub(crate) fn new(observers: Observers) -> Self {
        Self { observers, ..Self::default() }
    }

    /// Signals that the database has answered.
    pub(crate) fn note(&self) {
        self.answered.notify_waiters();
        if self.is_lost.load(Ordering::Relaxed) {
            let mut outage = lock(&self.outage);
            if let Some(since) = outage.since.filter(|_| !outage.is_over) {
                outage.is_over = true;
                self.is_lost.store(false, Ordering::Relaxed);
                self.observers.emit_one(|| Event::connection_regained(since.elapsed()));
            }
        }
    }

    /// Takes note of an error, which may be that of a connection; `opened` is the time from which that is known to have worked. A
    /// connection from before the last outage fails at its next use, however much later, and that is no other outage.
    pub(crate) fn note_error(&self, error: &DatabaseError, opened: Option<Instant>) {
        if !self.observers.listen() || !error.is_about_connection() {
            return;
        }
        let mut outage = lock(&self.outage);
        let is_another = match outage.since {
            None => true,
            Some(since) => outage.is_over && opened.is_none_or(|opened| opened > since),
        };
        if is_another {
            *outage = Outage { since: Some(Instant::now()), is_over: false };
            self.is_lost.store(true, Ordering::Relaxed);
            self.observers.emit_one(|| Event::connection_lost(error));
        }
    }

    /// Waits for the next answer.
    pub async fn next(&self) {
        self.answered.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn connection_from_before_an_outage_makes_no_other_one() {
        let (sender, seen) = std::sync::mpsc::channel();
        let observer = move |event: &Event| _ = sender.send(matches!(event, Event::ConnectionLost(_)));
        let observers: Vec<Box<dyn crate::observe::Observer>> = vec![Box::new(observer)];
        let answers = Answers::new(Observers::start("outages", observers));
        let (error, before) = (DatabaseError::Unanswered { after: Duration::ZERO }, Instant::now());
        answers.note_error(&error, Some(before));
        answers.note_error(&error, None);
        answers.note();
        answers.note_error(&error, Some(before)); // Idle until now.
        answers.note();
        answers.note_error(&error, None); // A new connection failed.
        answers.note();
        drop(answers);
        assert_eq!(seen.iter().collect::<Vec<_>>(), [true, false, true, false]);
    }
}
