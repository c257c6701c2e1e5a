//! Limits of the fleet: how many jobs of a kind, a key or a queue are in line or run at a time.

mod announced; // What an enqueue announces of jobs of others.
mod changes; // Limits that are set, changed and removed while jobs wait.
mod conflicts; // What becomes of jobs that find no permit.
mod order; // The order of the jobs of a key.
mod room; // The waiting room: who comes in, and what gives a permit back.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use pgjobq::prelude::*;

use crate::harness::TestDb;
use crate::probe::Probe;

#[job(kind = "permits_hold", queue = "default", key = key, concurrency = 1)]
async fn hold(ctx: JobContext, probe: u64, key: String) {
    let _ = key;
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    probe.pass().await;
}

/// Its limit holds for the whole kind.
#[job(kind = "permits_hold_any", queue = "default", concurrency = 3)]
async fn hold_any(ctx: JobContext, probe: u64) {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    probe.pass().await;
}

#[job(kind = "permits_free", queue = "default")]
async fn free() {}

/// The number of attempts of each key that run now, and the highest number of them.
static RUNNING: LazyLock<Mutex<HashMap<String, (usize, usize)>>> = LazyLock::new(Mutex::default);

/// Counts itself among the running jobs of its key while it yields a few times.
#[job(kind = "permits_count", queue = "default", key = key, concurrency = 2)]
async fn count(key: String) {
    struct Counted(String);
    impl Drop for Counted {
        fn drop(&mut self) {
            RUNNING.lock().unwrap().get_mut(&self.0).unwrap().0 -= 1;
        }
    }
    let counted = {
        let mut running = RUNNING.lock().unwrap();
        let (now, most) = running.entry(key.clone()).or_default();
        *now += 1;
        *most = (*now).max(*most);
        Counted(key)
    };
    for _ in 0..5 {
        tokio::task::yield_now().await;
    }
    drop(counted);
}

/// Returns the highest number of jobs with these keys that ran at a time, for each.
fn most_running(keys: impl Iterator<Item = String>) -> Vec<usize> {
    let running = RUNNING.lock().unwrap();
    keys.map(|key| running.get(&key).map_or(0, |(_, most)| *most)).collect()
}

/// Sets the limit of a kind, as an operator does.
async fn limit(db: &TestDb, kind: &str, concurrency: u16) {
    db.client.kind(kind).change_limits().concurrency(concurrency).await.unwrap();
}

/// Returns the number of live jobs in a state.
async fn in_state(db: &TestDb, state: &str) -> i64 {
    db.number(&format!("select count(*) from pgjobq.job_states where state = '{state}'")).await
}
