//! The signal that the database answers: a task that pauses after an outage goes on when any other task got an
//! answer.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

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

/// For this long after an outage began, a connection from before it may still give an answer that it had already received.
const LATE_ANSWERS: Duration = Duration::from_secs(1);

/// What failed, or gave an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// A connection that is known to have worked at this time.
    Connection { worked: Instant },
    /// The attempt to open a connection that began at this time.
    Attempt { began: Instant },
}

/// The last outage.
#[derive(Debug, Default)]
struct Outage {
    /// The time of its first error.
    began: Option<Instant>,
    /// The time of the first answer after it.
    ended: Option<Instant>,
}

impl Answers {
    pub(crate) fn new(observers: Observers) -> Self {
        Self { observers, ..Self::default() }
    }

    /// Signals that the database has answered on a connection that is known to have worked at `worked`.
    pub(crate) fn note(&self, worked: Instant) {
        self.answered.notify_waiters();
        if self.is_lost.load(Ordering::Relaxed) {
            let mut outage = lock(&self.outage);
            if let Some(began) = outage.began.filter(|_| outage.ended.is_none())
                && (worked > began || began.elapsed() > LATE_ANSWERS)
            {
                outage.ended = Some(Instant::now());
                self.is_lost.store(false, Ordering::Relaxed);
                self.observers.emit_one(|| Event::connection_regained(began.elapsed()));
            }
        }
    }

    /// Takes note of an error, which may be that of a connection. A connection from before the last outage fails at its next use,
    /// and an attempt from before its end whenever it gives up, however much later: neither is another outage.
    pub(crate) fn note_error(&self, error: &DatabaseError, failed: Source) {
        if !self.observers.listen() || !error.is_about_connection() {
            return;
        }
        let mut outage = lock(&self.outage);
        let is_another = match (outage.began, outage.ended, failed) {
            (None, ..) => true,
            (Some(_), None, _) => false,
            (Some(began), Some(_), Source::Connection { worked }) => worked > began,
            (Some(_), Some(ended), Source::Attempt { began }) => began > ended,
        };
        if is_another {
            *outage = Outage { began: Some(Instant::now()), ended: None };
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

    /// The losses (true) and returns (false) that observers hear of.
    fn heard(of: impl FnOnce(&Answers)) -> Vec<bool> {
        let (sender, seen) = std::sync::mpsc::channel();
        let observer = move |event: &Event| _ = sender.send(matches!(event, Event::ConnectionLost(_)));
        let observers: Vec<Box<dyn crate::observe::Observer>> = vec![Box::new(observer)];
        let answers = Answers::new(Observers::start("outages", observers));
        of(&answers);
        drop(answers);
        seen.iter().collect()
    }

    const ERROR: DatabaseError = DatabaseError::Unanswered { after: Duration::ZERO };

    fn attempt() -> Source {
        Source::Attempt { began: Instant::now() }
    }

    #[test]
    fn connection_from_before_an_outage_makes_no_other_one() {
        let heard = heard(|answers| {
            let before = Source::Connection { worked: Instant::now() };
            answers.note_error(&ERROR, before);
            answers.note_error(&ERROR, attempt());
            answers.note(Instant::now());
            answers.note_error(&ERROR, before); // Idle until now.
            answers.note(Instant::now());
            answers.note_error(&ERROR, attempt());
            answers.note(Instant::now());
        });
        assert_eq!(heard, [true, false, true, false]);
    }

    #[test]
    fn attempt_from_before_the_end_of_an_outage_makes_no_other_one() {
        let heard = heard(|answers| {
            answers.note_error(&ERROR, attempt());
            let during = attempt();
            answers.note(Instant::now());
            answers.note_error(&ERROR, during);
        });
        assert_eq!(heard, [true, false]);
    }

    #[test]
    fn answer_that_was_under_way_when_an_outage_began_does_not_end_it() {
        let heard = heard(|answers| {
            let before = Instant::now();
            answers.note_error(&ERROR, attempt());
            answers.note(before);
            answers.note_error(&ERROR, attempt());
            answers.note(Instant::now());
        });
        assert_eq!(heard, [true, false]);
    }
}
