//! The jobs of a thousand keys, one at a time of each, in the order of their enqueue, while they fail and their workers die.

use std::time::Instant;

use crate::process::Process;
use crate::{LEASE, Stage, jobs, limit_verdict, planted};

const WORKERS: usize = 2;
const SLOTS: usize = 40;
const KEYS: u32 = 1000;
const JOBS: u32 = 20;
/// The number of kills after which a freeze follows.
const FREEZE_EVERY: usize = 4;

pub(crate) async fn run(troubles: usize, plant: Option<&str>) -> String {
    let stage = Stage::new().await;
    stage.run(include_str!("limits.sql")).await;
    let started = Instant::now();
    let mut workers: Vec<Process> = (0..WORKERS).map(|_| Process::start(&stage.url, SLOTS)).collect();
    stage.until("(select count(*) from pgjobq.limits) = 5").await;
    stage.run("insert into limits_set (kind, most) select name, concurrency from pgjobq.limits").await;
    if let Some(fault) = plant {
        planted::plant(&stage, fault).await;
    }
    stage.client.queue("default").pause().await.unwrap(); // All are there before the first one starts.
    for n in 0..JOBS {
        stage.client.enqueue_all((0..KEYS).map(|key| jobs::keyed_1::job(key, n))).await.unwrap();
    }
    stage.client.queue("default").resume().await.unwrap();
    let most = i64::from(KEYS * JOBS) / troubles.max(1) as i64;
    let (mut struck, mut freezes) = (0, Vec::new());
    while struck < troubles && stage.number("select count(*) from pgjobq.jobs").await > 0 {
        let next = stage.number("select count(*) from ledger").await + fastrand::i64(most / 4..=most);
        stage
            .until(&format!("(select count(*) from ledger) > {next} or not exists (select from pgjobq.jobs)"))
            .await;
        let mut victim = std::mem::replace(&mut workers[struck % WORKERS], Process::start(&stage.url, SLOTS));
        struck += 1;
        let what = if struck.is_multiple_of(FREEZE_EVERY) { "frozen" } else { "killed" };
        stage.run(&format!("insert into troubles (process, what) values ({}, '{what}')", victim.id())).await;
        if what == "killed" {
            victim.kill();
            continue;
        }
        victim.freeze();
        freezes.push(tokio::spawn(async move {
            tokio::time::sleep(LEASE * 2).await; // The length of the freeze, not a wait for something.
            victim.thaw();
            victim.shut_down().await;
        }));
    }
    stage.drained().await;
    for freeze in freezes {
        freeze.await.unwrap();
    }
    for worker in workers {
        worker.shut_down().await;
    }
    let verdict = limit_verdict::check(&stage, i64::from(KEYS * JOBS)).await;
    format!(
        "{KEYS} keys of {JOBS} jobs, {struck} troubles in {:.0?}, each key in its order: {verdict}",
        started.elapsed()
    )
}
