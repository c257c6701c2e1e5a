//! A worker receives more than one signal to end: the second one ends its grace.

use std::time::{Duration, Instant};

use crate::process::Process;
use crate::{Stage, jobs};

/// The grace of a worker process, which is the default.
const GRACE: Duration = Duration::from_secs(25);

pub(crate) async fn run() -> String {
    let stage = Stage::new().await;
    let mut worker = Process::start(&stage.url, 1);
    jobs::sleep_through::enqueue(&stage.client, 600_000).await.unwrap();
    stage.until("(select count(*) from ledger) = 1").await;
    let begun = Instant::now();
    while !worker.has_ended() {
        worker.terminate(); // Signals that come together may be merged into one.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let took = begun.elapsed();
    assert!(took < GRACE, "the worker waited for its whole grace: {took:?}");
    let returned = "select count(*) from pgjobq.job_states where state = 'ready' and attempt = 1";
    assert_eq!(stage.number(returned).await, 1);
    format!("a worker ended {took:.1?} after the first of some signals, and returned its job")
}
