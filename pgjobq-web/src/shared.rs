//! Answers of the database that all viewers share.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use pgjobq::DatabaseError;

use crate::problem::Problem;

/// The longest time for which a failure is kept.
const FAILURE_KEPT: Duration = Duration::from_secs(5);

/// An answer of the database that is asked for once for all viewers, and kept for an interval.
pub(crate) struct Shared<T> {
    interval: Duration,
    kept: Mutex<Kept<T>>,
    /// Held by the one caller that asks.
    asking: tokio::sync::Mutex<()>,
}

/// The last answer, and since when no newer one could be had.
pub(crate) struct Seen<T> {
    pub(crate) answer: Arc<T>,
    /// The time at which the database was asked for it.
    pub(crate) at: SystemTime,
    pub(crate) failing: Option<Failing>,
}

/// Tries that have failed since the last answer.
#[derive(Clone)]
pub(crate) struct Failing {
    /// The time of the first of them.
    pub(crate) since: SystemTime,
    /// The error of the last one.
    pub(crate) error: Arc<DatabaseError>,
}

struct Kept<T> {
    last: Option<(Arc<T>, SystemTime)>,
    failing: Option<Failing>,
    /// The time of the last try: its begin and its end.
    tried: Option<(Instant, Instant)>,
    /// The time of the last action that changes what is shown.
    changed: Option<Instant>,
}

impl<T> Shared<T> {
    pub(crate) fn new(interval: Duration) -> Self {
        let kept = Kept { last: None, failing: None, tried: None, changed: None };
        Self { interval, kept: Mutex::new(kept), asking: tokio::sync::Mutex::default() }
    }

    /// Returns the answer if it is at most an interval old. Asks no database.
    pub(crate) fn at_hand(&self) -> Option<Seen<T>> {
        self.kept().answer(self.interval)?.ok()
    }

    /// Returns the answer, at most an interval old. One caller asks while the others wait for it. If that fails they see the last
    /// answer, or the error if there is none; and the next try is some seconds later.
    pub(crate) async fn get(
        &self,
        ask: impl Future<Output = Result<T, DatabaseError>>,
    ) -> Result<Seen<T>, Problem> {
        let _one = self.asking.lock().await;
        if let Some(answer) = self.kept().answer(self.interval) {
            return answer;
        }
        let (began, at) = (Instant::now(), SystemTime::now());
        let asked = ask.await;
        let mut kept = self.kept();
        kept.tried = Some((began, Instant::now()));
        match asked {
            Ok(answer) => (kept.last, kept.failing) = (Some((Arc::new(answer), at)), None),
            Err(error) => {
                tracing::warn!(%error, "the dashboard could not ask the database");
                let since = kept.failing.as_ref().map_or(at, |failing| failing.since);
                kept.failing = Some(Failing { since, error: Arc::new(error) });
            }
        }
        kept.last()
    }

    /// Lets the next caller ask anew, because an action has changed what is shown.
    pub(crate) fn note_change(&self) {
        self.kept().changed = Some(Instant::now());
    }

    fn kept(&self) -> MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Kept<T> {
    /// Returns the outcome of the last try, unless it is time for another one.
    fn answer(&self, interval: Duration) -> Option<Result<Seen<T>, Problem>> {
        let (began, ended) = self.tried?;
        let lasts = if self.failing.is_some() { interval.min(FAILURE_KEPT) } else { interval };
        let is_new = ended.elapsed() < lasts && self.changed.is_none_or(|changed| changed < began);
        is_new.then(|| self.last())
    }

    /// Returns the last answer, or why there is none.
    fn last(&self) -> Result<Seen<T>, Problem> {
        match (&self.last, &self.failing) {
            (Some((answer, at)), failing) => {
                Ok(Seen { answer: Arc::clone(answer), at: *at, failing: failing.clone() })
            }
            (None, Some(failing)) => Err(Arc::clone(&failing.error).into()),
            (None, None) => Err(Problem::Busy), // Nobody has tried.
        }
    }
}
