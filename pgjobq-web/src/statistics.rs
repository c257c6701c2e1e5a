//! The state of the whole fleet, measured once for all viewers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use pgjobq::measure::FleetState;
use pgjobq::{Client, DatabaseError, Pause, PauseScope, Throughput};

use crate::problem::Problem;

/// The default age at which the statistics are measured anew, and the longest time for which a failure is kept.
pub(crate) const INTERVAL: Duration = Duration::from_secs(5);

/// The state of the whole fleet at one moment.
pub(crate) struct Snapshot {
    pub(crate) fleet: FleetState,
    pub(crate) throughput: Vec<Throughput>,
    pub(crate) pauses: Vec<Pause>,
    /// The kinds that programs have recorded.
    pub(crate) kinds: Vec<String>,
    pub(crate) at: SystemTime,
}

impl Snapshot {
    /// Returns whether a queue is paused.
    pub(crate) fn is_paused(&self, queue: &str) -> bool {
        self.pauses.iter().any(|pause| pause.scope == PauseScope::Queue && pause.name == queue)
    }
}

/// Measures the state of the fleet, and keeps it for an interval.
pub(crate) struct Statistics {
    client: Client,
    interval: Duration,
    read_only: bool,
    kept: Mutex<Kept>,
    /// Held by the one caller that measures.
    measuring: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Kept {
    snapshot: Option<Arc<Snapshot>>,
    /// The error of the last try, if that failed.
    error: Option<Arc<DatabaseError>>,
    /// The time of the last try: its begin and its end.
    tried: Option<(Instant, Instant)>,
    /// The time of the last action that changes what a snapshot shows.
    changed: Option<Instant>,
}

impl Statistics {
    pub(crate) fn new(client: Client, interval: Duration, read_only: bool) -> Self {
        Self { client, interval, read_only, kept: Mutex::default(), measuring: tokio::sync::Mutex::default() }
    }

    /// Returns the state if it is at most an interval old. Asks no database.
    pub(crate) fn at_hand(&self) -> Option<Arc<Snapshot>> {
        self.kept().answer(self.interval)?.ok()
    }

    /// Returns the state, at most an interval old. One caller measures while the others wait for it. If that fails they see the
    /// last state, with its age, or the error if there is none; and the next try is some seconds later.
    pub(crate) async fn current(&self) -> Result<Arc<Snapshot>, Problem> {
        let _one = self.measuring.lock().await;
        if let Some(answer) = self.kept().answer(self.interval) {
            return answer;
        }
        let began = Instant::now();
        let measured = self.measure().await;
        let mut kept = self.kept();
        kept.tried = Some((began, Instant::now()));
        kept.error = match measured {
            Ok(snapshot) => {
                kept.snapshot = Some(Arc::new(snapshot));
                None
            }
            Err(error) => {
                tracing::warn!(%error, "the dashboard could not measure the state of the fleet");
                Some(Arc::new(error))
            }
        };
        kept.last()
    }

    /// Lets the next caller look anew, because an action has changed what is shown.
    pub(crate) fn note_change(&self) {
        self.kept().changed = Some(Instant::now());
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn measure(&self) -> Result<Snapshot, DatabaseError> {
        let fleet = match self.shared_state().await? {
            Some(fleet) => fleet,
            None => self.client.fleet_state_unstored(self.interval).await?,
        };
        let at = SystemTime::now().checked_sub(fleet.age).unwrap_or_else(SystemTime::now);
        let (throughput, pauses) = (self.client.throughput().await?, self.client.pauses().await?);
        let kinds = self.client.recorded_kinds().await?.into_iter().map(|kind| kind.kind).collect();
        Ok(Snapshot { fleet, throughput, pauses, kinds, at })
    }

    /// Returns the state that the processes of a fleet share, unless this one may not write or another one measures.
    async fn shared_state(&self) -> Result<Option<FleetState>, DatabaseError> {
        if self.read_only {
            return Ok(None);
        }
        match self.client.fleet_state(self.interval).await {
            Err(DatabaseError::ReadOnly(_)) => Ok(None), // A standby.
            asked => asked,
        }
    }
}

impl Kept {
    /// Returns the outcome of the last try, unless it is time for another one.
    fn answer(&self, interval: Duration) -> Option<Result<Arc<Snapshot>, Problem>> {
        let (began, ended) = self.tried?;
        let lasts = if self.error.is_some() { interval.min(INTERVAL) } else { interval };
        let is_new = ended.elapsed() < lasts && self.changed.is_none_or(|changed| changed < began);
        is_new.then(|| self.last())
    }

    /// Returns the last state, or why there is none.
    fn last(&self) -> Result<Arc<Snapshot>, Problem> {
        match (&self.snapshot, &self.error) {
            (Some(snapshot), _) => Ok(Arc::clone(snapshot)),
            (None, Some(error)) => Err(Arc::clone(error).into()),
            (None, None) => Err(Problem::Busy), // Nobody has tried.
        }
    }
}
