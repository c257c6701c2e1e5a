//! Tries of a statement that meets other transactions.

use std::time::{Duration, Instant};

use crate::DatabaseError;
use crate::jitter::jittered;

/// The number of tries of a statement that meets other transactions.
const MAX_TRIES: u32 = 6;
/// The first pause between two tries; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// The tries of one statement: at most [`MAX_TRIES`], within one time limit for all of them.
pub(crate) struct Tries {
    limit: Duration,
    until: Instant,
    made: u32,
}

impl Tries {
    pub(crate) fn within(limit: Duration) -> Self {
        Self { limit, until: Instant::now() + limit, made: 0 }
    }

    /// Returns the time that is left.
    pub(crate) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Returns the error of the last try with the time limit of all of them.
    pub(crate) fn named(&self, error: DatabaseError) -> DatabaseError {
        match error {
            DatabaseError::Unanswered { .. } => DatabaseError::Unanswered { after: self.limit },
            error => error,
        }
    }

    /// Pauses and returns true if another try may succeed, because two transactions met and nothing was written.
    pub(crate) async fn again(&mut self, error: &DatabaseError) -> bool {
        self.made += 1;
        let pause = jittered(FIRST_PAUSE * (1 << (self.made - 1)));
        if !met_another(error) || self.made >= MAX_TRIES || pause >= self.left() {
            return false;
        }
        tracing::debug!(%error, tries = self.made, "trying again what met another transaction");
        tokio::time::sleep(pause).await;
        true
    }
}

/// Returns whether two transactions met: a serialization failure, a deadlock or a lock timeout. Nothing was written.
fn met_another(error: &DatabaseError) -> bool {
    matches!(error.code().as_deref(), Some("40001" | "40P01" | "55P03"))
}
