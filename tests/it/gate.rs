//! A gate that holds jobs until the test opens it, and counts them.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use pgjobq::prelude::*;
use tokio::sync::watch;

use crate::harness::{PATIENCE, TestDb};

/// A gate with a unique name.
pub(crate) struct Gate {
    pub(crate) name: String,
    state: watch::Sender<Count>,
}

/// The attempts that reached a gate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count {
    pub(crate) open: bool,
    /// The number of attempts that wait now.
    pub(crate) inside: usize,
    /// The highest number of attempts that waited at one time.
    pub(crate) most: usize,
    /// Each attempt that reached the gate, with its number.
    pub(crate) attempts: Vec<(JobId, u32)>,
}

static GATES: LazyLock<Mutex<HashMap<String, Arc<Gate>>>> = LazyLock::new(Mutex::default);

/// Waits at a gate. Returns the number of the attempt.
#[job(retries = 100, backoff = "1ms")]
pub(crate) async fn stand(ctx: JobContext, gate: String) -> Result<u32> {
    let gate = Gate::named(gate);
    gate.enter(&ctx).await;
    Ok(ctx.attempt())
}

/// Returns the result of a job at a gate, once it has completed.
pub(crate) async fn result(db: &TestDb, job: &JobHandle<u32>) -> u32 {
    match job.wait_timeout(&db.client, PATIENCE).await.unwrap() {
        Outcome::Completed(attempt) => attempt,
        other => panic!("{other:?}"),
    }
}

/// Counts a job out of the gate, also when its attempt is dropped.
struct Inside(Arc<Gate>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.state.send_modify(|count| count.inside -= 1);
    }
}

impl Gate {
    /// A closed gate.
    pub(crate) fn new() -> Arc<Self> {
        Self::named(uuid::Uuid::new_v4().to_string())
    }

    /// Returns the gate of that name in this process.
    pub(crate) fn named(name: String) -> Arc<Self> {
        let mut gates = GATES.lock().unwrap();
        let closed = || Arc::new(Self { name: name.clone(), state: watch::Sender::new(Count::default()) });
        Arc::clone(gates.entry(name.clone()).or_insert_with(closed))
    }

    /// Waits at this gate, until it is open.
    pub(crate) async fn enter(self: &Arc<Self>, ctx: &JobContext) {
        self.state.send_modify(|count| {
            count.attempts.push((ctx.id(), ctx.attempt()));
            count.inside += 1;
            count.most = count.most.max(count.inside);
        });
        let _inside = Inside(Arc::clone(self));
        self.state.subscribe().wait_for(|count| count.open).await.unwrap();
    }

    /// Returns a job that waits at this gate.
    pub(crate) fn job(&self) -> NewJob<u32> {
        stand::job(self.name.clone())
    }

    pub(crate) fn open(&self) {
        self.state.send_modify(|count| count.open = true);
    }

    pub(crate) fn count(&self) -> Count {
        self.state.borrow().clone()
    }

    /// Returns when `so` is true of the count; panics at the timeout.
    pub(crate) async fn until(&self, so: impl FnMut(&Count) -> bool) -> Count {
        let mut counts = self.state.subscribe();
        let counted = tokio::time::timeout(PATIENCE, counts.wait_for(so)).await;
        counted
            .unwrap_or_else(|_| panic!("the condition never became true: {:?}", self.count()))
            .unwrap()
            .clone()
    }
}
