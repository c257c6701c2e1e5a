//! Limits of the fleet: how many jobs of a kind, a key or a queue are in line or run at a time.

mod changes; // Limits that are set, changed and removed while jobs wait.
mod order; // The order of the jobs of a key.
mod room; // The waiting room: who comes in, and what gives a permit back.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use pgjobq::prelude::*;

use crate::harness::TestDb;
use crate::probe::Probe;

#[job(kind = "permits_hold", queue = "default", retries = 3, backoff = "1h")]
async fn hold(ctx: JobContext, probe: u64) {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    probe.pass().await;
}

/// Fails in its first attempts.
#[job(kind = "permits_fail", queue = "default", retries = 3, backoff = "1h")]
async fn fail(ctx: JobContext, probe: u64, failures: u32) -> Result<()> {
    let _run = Probe::of(probe).begin(&ctx);
    if ctx.failures() < failures { Err("not yet".into()) } else { Ok(()) }
}

/// The number of attempts of each key that run now, and the highest number of them.
static RUNNING: LazyLock<Mutex<HashMap<String, (usize, usize)>>> = LazyLock::new(Mutex::default);

/// Counts itself among the running jobs of its key while it yields a few times.
#[job(kind = "permits_count", queue = "default")]
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

/// Sets the limit of a kind or a queue.
async fn limit(db: &TestDb, scope: &str, name: &str, per_key: bool, concurrency: u32) {
    set(db, &format!("('{scope}', '{name}', {per_key}, {concurrency}, null)")).await;
}

/// Sets a limit by the columns `scope`, `name`, `per_key`, `concurrency` and `holds`.
async fn set(db: &TestDb, row: &str) {
    db.run(&format!(
        "insert into pgjobq.limits (scope, name, per_key, concurrency, holds) values {row}
         on conflict (scope, name) do update
            set per_key = excluded.per_key, concurrency = excluded.concurrency, holds = excluded.holds;
         select pgjobq.note_limits(), pgjobq.announce_limited(null)"
    ))
    .await;
}

/// Returns the number of live jobs in a state.
async fn in_state(db: &TestDb, state: &str) -> i64 {
    db.number(&format!("select count(*) from pgjobq.job_states where state = '{state}'")).await
}
