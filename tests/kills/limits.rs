//! Limits under fire: eight processes run jobs of a thousand keys, and are killed and frozen meanwhile. The ledger shows no moment at
//! which more jobs of a key ran than its limit allows, and jobs of a key with the limit 1 in the order of their enqueue.
//!
//! A run ends for the ledger when its process is killed or frozen. What a process still runs after others have reaped it, because it
//! was frozen or starved, is beside the limit.

use std::time::Instant;

use pgjobq::{AnyJob, Client};

use crate::process::Process;
use crate::{LEASE, Stage, jobs};

const WORKERS: usize = 8;
const SLOTS: usize = 6;
/// The keys of each of the five kinds.
const KEYS: u32 = 200;
/// The jobs of each key.
const JOBS: u32 = 6;
/// The number of kills after which a freeze follows.
const FREEZE_EVERY: usize = 4;

/// The runs with their keys and limits.
const RUNS: &str = "create view runs as
    select f.kind, f.key, right(f.kind, 1)::int as most, (f.args->>'n')::int as n, l.started_at,
           least(l.ended_at, t.at, case when exists (
               select from ledger a where a.job = l.job and a.attempt > l.attempt) then coalesce(t.at, l.started_at) end) as ended_at
      from ledger l join pgjobq.finished f on f.id = l.job
           left join troubles t on t.process = l.process and t.at >= l.started_at";

pub(crate) async fn run(kills: usize) -> String {
    let stage = Stage::new().await;
    stage.run("create table troubles (process int primary key, at timestamptz not null)").await;
    let started = Instant::now();
    let mut workers: Vec<Process> = (0..WORKERS).map(|_| Process::start(&stage.url, SLOTS)).collect();
    // They record the limits of their program.
    stage.until("(select count(*) from pgjobq.limits) = 5").await;
    enqueue(&stage.client).await;
    let (mut hits, mut frozen) = (0, Vec::new());
    while hits < kills && stage.number("select count(*) from pgjobq.jobs").await > 0 {
        let runs = stage.number("select count(*) from ledger").await;
        let next = runs + fastrand::i64(100..300);
        stage
            .until(&format!("(select count(*) from ledger) > {next} or not exists (select from pgjobq.jobs)"))
            .await;
        change_a_limit(&stage, hits).await;
        let place = hits % WORKERS;
        let mut victim = std::mem::replace(&mut workers[place], Process::start(&stage.url, SLOTS));
        stage.run(&format!("insert into troubles values ({}, clock_timestamp())", victim.id())).await;
        hits += 1;
        if hits.is_multiple_of(FREEZE_EVERY) {
            victim.freeze();
            frozen.push(tokio::spawn(async move {
                tokio::time::sleep(LEASE * 2).await; // The length of the freeze, not a wait for something.
                victim.thaw();
                victim.shut_down().await;
            }));
        } else {
            victim.kill();
        }
    }
    stage.until("not exists (select from pgjobq.jobs)").await;
    let freezes = frozen.len();
    for thawing in frozen {
        thawing.await.unwrap();
    }
    for worker in workers {
        worker.shut_down().await;
    }
    let most = check(&stage).await;
    format!(
        "{} jobs of {} keys under limits of 1 to 5, {} kills and {freezes} freezes in {:.0?}: none above its limit, at most {most} at a time",
        5 * KEYS * JOBS,
        5 * KEYS,
        hits - freezes,
        started.elapsed(),
    )
}

/// Enqueues the jobs of a key one after the other, so that they could run side by side.
async fn enqueue(client: &Client) {
    for first in (0..KEYS).step_by(20) {
        let numbers = (first..first + 20).flat_map(|key| (0..JOBS).map(move |n| (key, n)));
        let jobs = numbers.flat_map(|(key, n)| -> [AnyJob; 5] {
            [
                jobs::keyed_1::job(key, n).any(),
                jobs::keyed_2::job(key, n).any(),
                jobs::keyed_3::job(key, n).any(),
                jobs::keyed_4::job(key, n).any(),
                jobs::keyed_5::job(key, n).any(),
            ]
        });
        client.enqueue_all(jobs).await.unwrap();
    }
}

/// Lowers the limit of a kind, or resets it to the one in the code.
async fn change_a_limit(stage: &Stage, turn: usize) {
    let value = if turn.is_multiple_of(2) { "'2'" } else { "null" };
    stage.run(&format!("select pgjobq.change_kind_setting('keyed_5', 'concurrency', {value})")).await;
}

/// Checks the conditions that must hold at the end. Returns the highest number of jobs of a key that ran at a time.
async fn check(stage: &Stage) -> i64 {
    stage.run(RUNS).await;
    let jobs = i64::from(5 * KEYS * JOBS);
    let completed = "select count(*) from pgjobq.finished where outcome = 'completed'";
    assert_eq!(stage.number(completed).await, jobs, "each job completes once");
    let at_a_time = "select r.most, (select count(*) from runs o where o.kind = r.kind and o.key = r.key
                                       and o.started_at <= r.started_at and o.ended_at > r.started_at) as running
                       from runs r";
    stage.run(&format!("create table moments as {at_a_time}")).await;
    for (what, count) in [
        ("moments above a limit", "select count(*) from moments where running > most"),
        (
            "jobs that ran before an earlier one of their key had ended",
            "select count(*) from runs a join runs b using (kind, key)
              where a.most = 1 and a.n < b.n and b.started_at < a.ended_at",
        ),
        ("left permits", "select count(*) from pgjobq.jobs"),
        ("left leases", "select count(*) from pgjobq.leases"),
    ] {
        assert_eq!(stage.number(count).await, 0, "{what}");
    }
    let most = stage.number("select max(running) from moments").await;
    assert!(most > 1, "jobs of one key never ran beside each other, so this shows nothing");
    most
}
