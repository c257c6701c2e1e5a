//! Jobs that kill every process that runs them. Each is buried at its fourth crash. Their neighbors have at most two
//! crashes, and none dies.

use std::time::{Duration, Instant};

use crate::process::Process;
use crate::{Stage, jobs};

const NEIGHBORS: i64 = 100;
const SLOTS: i64 = 500;

pub(crate) async fn run() -> String {
    format!("{}; {}; {}", among_neighbors(1).await, among_neighbors(2).await, suspects().await)
}

/// Buries this many poison jobs that were claimed together with their neighbors.
async fn among_neighbors(poisons: i64) -> String {
    let stage = Stage::new().await;
    let neighbors = |count| (0..count).map(|_| jobs::work::job(30));
    stage.client.enqueue_all(neighbors(NEIGHBORS / 2)).await.unwrap();
    stage.client.enqueue_all((0..poisons).map(|_| jobs::poison::job())).await.unwrap();
    stage.client.enqueue_all(neighbors(NEIGHBORS / 2)).await.unwrap();
    let mut deaths = 0;
    let slots = (NEIGHBORS + poisons) as usize;
    let mut worker = Process::start(&stage.url, slots);
    while stage.number("select count(*) from pgjobq.jobs").await > 0 {
        if worker.has_ended() {
            deaths += 1;
            assert!(
                deaths <= 4 * poisons,
                "a guilty job kills its process once in each attempt, and has four"
            );
            worker = Process::start(&stage.url, slots);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    worker.shut_down().await;
    let buried =
        "select count(*) from pgjobq.finished where kind = 'poison' and outcome = 'dead' and crashes = 4";
    assert_eq!(stage.number(buried).await, poisons);
    let completed = "select count(*) from pgjobq.finished where outcome = 'completed'";
    assert_eq!(stage.number(completed).await, NEIGHBORS);
    let worst = stage.number("select max(crashes) from pgjobq.finished where outcome = 'completed'").await;
    // Once as a neighbor in the line, and once as a neighbor in quarantine; then it runs alone.
    assert!(worst <= 2, "a neighbor was charged {worst} times by {poisons} poison jobs");
    format!(
        "{poisons} buried after {deaths} crashes, {NEIGHBORS} neighbors completed with {worst} crashes at worst"
    )
}

/// A worker dies with all its slots full. Its jobs are quarantined, and run few at a time: as fast as that goes, not some per poll.
async fn suspects() -> String {
    let stage = Stage::new().await;
    stage.client.enqueue_all((0..SLOTS).map(|_| jobs::sleep_through::job(600_000))).await.unwrap();
    let mut worker = Process::start(&stage.url, SLOTS as usize);
    stage.until(&format!("(select count(*) from ledger) = {SLOTS}")).await;
    worker.kill();
    let other = Process::start(&stage.url, SLOTS as usize);
    stage.until("exists (select from pgjobq.jobs where crashes > 0)").await;
    let begun = Instant::now();
    stage.until("not exists (select from pgjobq.jobs)").await;
    let took = begun.elapsed();
    other.shut_down().await;
    assert!(took < Duration::from_secs(60), "{SLOTS} quarantined jobs took {took:?}");
    assert_eq!(stage.number("select max(crashes) from pgjobq.finished where outcome = 'completed'").await, 1);
    format!("{SLOTS} quarantined jobs of one worker ended in {:.1} s", took.as_secs_f64())
}
