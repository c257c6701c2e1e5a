//! The problems with the worker's database and queues that the last look has found.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::{Partitions, QueueStanding};

/// The problems that the last look at the database has found and could not mend.
#[derive(Debug, Default)]
pub(crate) struct KnownProblems(Mutex<Found>);

#[derive(Debug, Default)]
struct Found {
    problems: Vec<String>,
    /// The reason why partitions for ended jobs cannot be made until a person acts.
    partitions: Option<String>,
    /// The queues that were deleted on purpose. Their rows vanish later, and are not recreated then.
    deleted: HashSet<String>,
    /// The number of tickets that had been drawn at the last look.
    drawn: i64,
}

impl KnownProblems {
    pub(crate) fn list(&self) -> Vec<String> {
        let found = self.lock();
        found.problems.iter().chain(&found.partitions).cloned().collect()
    }

    /// Notes the outcome of making partitions, and logs a new reason why it is impossible until a person acts.
    pub(crate) fn note_partitions(&self, made: &Result<Partitions, DatabaseError>) {
        let problem = match made {
            Ok(Partitions::Made) => None,
            Ok(Partitions::Blocked(problem)) => Some(problem.clone()),
            Ok(Partitions::Locked) | Err(_) => return,
        };
        let known = std::mem::replace(&mut self.lock().partitions, problem.clone());
        if let (Ok(blocked), true) = (made, known != problem) {
            blocked.warn();
        }
    }

    /// Replaces the problems, and logs those that are new.
    pub(crate) fn replace(&self, problems: Vec<String>) {
        let known = &mut self.lock().problems;
        problems
            .iter()
            .filter(|problem| !known.contains(problem))
            .for_each(|problem| tracing::warn!("{problem}"));
        *known = problems;
    }

    /// Notes whether a queue is deleted, and returns it.
    pub(crate) fn is_deleted(&self, queue: &QueueStanding) -> bool {
        let deleted = &mut self.lock().deleted;
        match queue.id {
            Some(_) if queue.deleted => deleted.insert(queue.name.clone()),
            Some(_) => deleted.remove(&queue.name),
            None => false,
        };
        deleted.contains(&queue.name)
    }

    /// Returns whether fewer tickets have been drawn than at the last look.
    pub(crate) fn is_set_back(&self, drawn: i64) -> bool {
        std::mem::replace(&mut self.lock().drawn, drawn) > drawn
    }

    fn lock(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
