//! Each tick is fired exactly once: by two to eight processes that are killed at any time, and whose clocks are wrong.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pgjobq::Missed;
use pgjobq::prelude::*;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::harness::TestDb;
use crate::jobs::{JOBS, note};

const SERVER: &str = "PGJOBQ_SCHEDULES_SERVER";
const DATABASE: &str = "PGJOBQ_SCHEDULES_DATABASE";
/// The number of schedules, each with a tick in every second.
const SCHEDULES: usize = 12;
/// How wrong the clock of each process is, in seconds: a day ahead, an hour behind, and so on.
const WRONG: [i64; 8] = [86_400, -3600, 0, 7, -86_400, 400_000_000, -2, 3600];

/// The program of a worker process, which the other tests start. Run alone, it does nothing.
#[tokio::test]
async fn works_until_it_is_killed() {
    let (Ok(server), Ok(database)) = (std::env::var(SERVER), std::env::var(DATABASE)) else { return };
    let options = server.parse::<PgConnectOptions>().unwrap().database(&database);
    let pool = PgPoolOptions::new().max_connections(2).connect_with(options).await.unwrap();
    let builder = Worker::builder(&Client::new(pool)).queue("default", 20).connections(2);
    let builder = builder.heartbeat(Duration::from_millis(300)).lease(Duration::from_secs(5));
    builder.build().await.unwrap().run_until(std::future::pending()).await.unwrap();
}

/// A library that shifts the clock of a process, where the machine can compile one.
fn clock_shift() -> Option<PathBuf> {
    let library = std::env::temp_dir().join(format!("pgjobq-shift-{}.so", uuid::Uuid::new_v4()));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clock/shift.c");
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(source).status();
    let compiled = cfg!(target_os = "linux") && compiled.is_ok_and(|status| status.success());
    if !compiled {
        eprintln!("the clocks of the workers are right: there is no `cc` for Linux here");
    }
    compiled.then_some(library)
}

/// A worker process. Dropping it kills the process.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(db: &TestDb, shift: Option<&PathBuf>, wrong: i64) -> Process {
    let (server, database) = db.address();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "exact::works_until_it_is_killed"]).env(SERVER, server).env(DATABASE, database);
    if let Some(library) = shift {
        command.env("LD_PRELOAD", library).env("CLOCK_OFFSET", wrong.to_string());
    }
    Process(command.stdout(Stdio::null()).spawn().unwrap())
}

/// Lets processes fire for this time, and kills one of them each 300 ms. Then checks that no tick is there twice, and that none between
/// the first and the last one is missing.
async fn exactly_once(db: TestDb, processes: usize, time: Duration) {
    let shift = clock_shift();
    for n in 0..SCHEDULES {
        let each_second = note::schedule("* * * * * *", 1).missed(Missed::RunAll(1000));
        db.client.schedules().upsert(&format!("s{n}"), each_second).await.unwrap();
    }
    let mut random = fastrand::Rng::with_seed(processes as u64);
    let mut fleet: Vec<Process> =
        (0..processes).map(|n| start(&db, shift.as_ref(), WRONG[n % WRONG.len()])).collect();
    db.until(&format!("exists (select from {JOBS})")).await;
    let (begun, mut kills) = (Instant::now(), 0);
    while begun.elapsed() < time {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let victim = random.usize(..processes);
        fleet[victim] = start(&db, shift.as_ref(), WRONG[random.usize(..WRONG.len())]);
        kills += 1;
    }
    let until = db.number("select pgjobq.micros(date_trunc('second', clock_timestamp()))").await;
    db.until(&format!(
        "(select min(pgjobq.micros(passed_to)) > {until} from pgjobq.schedules where name like 's%')"
    ))
    .await;
    drop(fleet);

    let twice =
        format!("select count(*) from (select from {JOBS} group by schedule, tick having count(*) > 1) t");
    assert_eq!(db.number(&twice).await, 0, "a tick was fired twice");
    let lost = format!(
        "select coalesce(sum((max - min) / 1000000 + 1 - count), 0)
           from (select schedule, min(tick), max(tick), count(*) from {JOBS} where tick <= {until} group by schedule) s"
    );
    assert_eq!(db.number(&lost).await, 0, "a tick was lost");
    assert_eq!(db.number("select count(*) from pgjobq.schedules where last_missed is not null").await, 0);
    let ticks = db.number(&format!("select count(*) from {JOBS}")).await;
    assert!(ticks >= (SCHEDULES as i64) * i64::try_from(time.as_secs()).unwrap(), "{ticks}");
    eprintln!("{processes} processes, {kills} kills: {ticks} ticks, each fired once");
    if let Some(library) = shift {
        let _ = std::fs::remove_file(library);
    }
}

on_one_shard!(two_killed_workers_fire_each_tick_once);
async fn two_killed_workers_fire_each_tick_once(db: TestDb) {
    exactly_once(db, 2, Duration::from_secs(10)).await;
}

on_one_shard!(eight_killed_workers_fire_each_tick_once);
async fn eight_killed_workers_fire_each_tick_once(db: TestDb) {
    exactly_once(db, 8, Duration::from_secs(15)).await;
}
