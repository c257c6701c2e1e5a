//! Limits under fire: eight processes run jobs of a thousand keys under limits of 1 to 5. They are killed, frozen, and cut off from
//! the database, and a limit is changed. `limit_verdict.rs` says what must hold.

use std::time::Instant;

use pgjobq::{AnyJob, Client};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::process::Process;
use crate::{LEASE, Stage, jobs, limit_verdict, planted};

const WORKERS: usize = 8;
const SLOTS: usize = 6;
/// The keys of each of the five kinds.
const KEYS: u32 = 200;
/// The jobs of each key.
const JOBS: u32 = 6;
/// What happens to workers, by turns.
const TROUBLES: [Trouble; 4] = [Trouble::Kill, Trouble::Cut, Trouble::Kill, Trouble::Freeze];

#[derive(Clone, Copy)]
enum Trouble {
    Kill,
    /// It is stopped for two leases, and replaced at once.
    Freeze,
    /// It loses its connections, and gets none for two leases. It is not replaced.
    Cut,
}

pub(crate) async fn run(troubles: usize, plant: Option<&str>) -> String {
    let stage = Stage::new().await;
    stage.run(include_str!("limits.sql")).await;
    let started = Instant::now();
    let mut workers = Vec::new();
    for place in 0..WORKERS {
        workers.push(start(&stage, place).await);
    }
    // They record the limits of their program.
    stage.until("(select count(*) from pgjobq.limits) = 5").await;
    stage.run("insert into limits_set (kind, most) select name, concurrency from pgjobq.limits").await;
    if let Some(fault) = plant {
        planted::plant(&stage, fault).await;
    }
    // All are there before the first one starts, so that workers have much to lose until the end.
    stage.client.queue("default").pause().await.unwrap();
    enqueue(&stage.client).await;
    stage.client.queue("default").resume().await.unwrap();
    let (mut struck, mut ends) = (0, Vec::new());
    while struck < troubles && stage.number("select count(*) from pgjobq.jobs").await > 0 {
        let next = stage.number("select count(*) from ledger").await + fastrand::i64(100..300);
        stage
            .until(&format!("(select count(*) from ledger) > {next} or not exists (select from pgjobq.jobs)"))
            .await;
        change_a_limit(&stage, struck).await;
        let place = struck % WORKERS;
        match TROUBLES[struck % TROUBLES.len()] {
            Trouble::Kill => {
                note(&stage, &workers[place], "killed").await;
                workers[place].kill();
                workers[place] = start(&stage, place).await;
            }
            Trouble::Freeze => {
                note(&stage, &workers[place], "frozen").await;
                let frozen = std::mem::replace(&mut workers[place], start(&stage, place).await);
                ends.push(freeze(frozen));
            }
            Trouble::Cut => {
                note(&stage, &workers[place], "cut off").await;
                ends.push(cut_off(&stage, place).await);
            }
        }
        struck += 1;
    }
    stage.drained().await;
    for end in ends {
        end.await.unwrap();
    }
    for worker in workers {
        worker.shut_down().await;
    }
    let verdict = limit_verdict::check(&stage, i64::from(5 * KEYS * JOBS)).await;
    let keys = 5 * KEYS;
    format!("{keys} keys under limits of 1 to 5, {struck} troubles in {:.0?}: {verdict}", started.elapsed())
}

/// Starts a worker with a role of its place, so that it can be cut off alone.
async fn start(stage: &Stage, place: usize) -> Process {
    let role = format!("worker_{place}");
    let create =
        "do $$ begin create role ROLE login; execute 'grant ' || quote_ident(current_user) || ' to ROLE';
                  exception when duplicate_object then null; end $$";
    stage.run(&create.replace("ROLE", &role)).await;
    Process::with_role(&role, &stage.url, SLOTS)
}

async fn note(stage: &Stage, worker: &Process, what: &str) {
    stage.run(&format!("insert into troubles (process, what) values ({}, '{what}')", worker.id())).await;
}

fn freeze(mut worker: Process) -> JoinHandle<()> {
    if worker.has_ended() {
        panic!("a worker ended unexpectedly");
    }
    worker.freeze();
    tokio::spawn(async move {
        sleep(LEASE * 2).await; // The length of the freeze, not a wait for something.
        worker.thaw();
        worker.shut_down().await;
    })
}

/// Ends the connections of a worker, and lets it open no others for two leases.
async fn cut_off(stage: &Stage, place: usize) -> JoinHandle<()> {
    stage
        .run(&format!(
            "alter role worker_{place} connection limit 0;
             select pg_terminate_backend(pid) from pg_stat_activity where usename = 'worker_{place}'"
        ))
        .await;
    let pool = stage.pool.clone();
    let restore = format!("alter role worker_{place} connection limit -1");
    tokio::spawn(async move {
        sleep(LEASE * 2).await; // The length of the cut, not a wait for something.
        pgjobq::sqlx::raw_sql(pgjobq::sqlx::AssertSqlSafe(restore)).execute(&pool).await.unwrap();
    })
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

/// Lowers the limit of a kind, or resets it to the one in the code. Each admission that has read the old one holds one of the
/// locks that are waited for here.
async fn change_a_limit(stage: &Stage, turn: usize) {
    let (most, value) = if turn.is_multiple_of(2) { (2, "'2'") } else { (5, "null") };
    stage.run(&format!("insert into limits_set (kind, most) values ('keyed_5', {most})")).await;
    stage.run(&format!("select pgjobq.change_kind_setting('keyed_5', 'concurrency', {value})")).await;
    let locks = format!(
        "select pgjobq.lock_limits(0::smallint, 0, array(select 'keyed_5 ' || key from generate_series(0, {KEYS}) key))"
    );
    stage.run(&locks).await;
    stage.run("update limits_set set settled = nextval('moments') where settled is null").await;
}
