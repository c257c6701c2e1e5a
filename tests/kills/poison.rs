//! A job kills whoever runs it. It is buried at its fourth crash; its neighbors lose one crash to it, and none dies.

use crate::process::Process;
use crate::{Stage, jobs};

const NEIGHBORS: i64 = 200;

pub(crate) async fn run() -> String {
    let stage = Stage::new().await;
    let handle = jobs::poison::enqueue(&stage.client).await.unwrap();
    stage.client.enqueue_all((0..NEIGHBORS).map(|_| jobs::work::job(30))).await.unwrap();
    let mut deaths = 0;
    let mut worker = Process::start(&stage.url, 20);
    while stage.number("select count(*) from pgjobq.jobs").await > 0 {
        if worker.has_ended() {
            deaths += 1;
            assert!(deaths <= 4, "the guilty job kills its process once in each attempt, and has four");
            worker = Process::start(&stage.url, 20);
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    worker.shut_down().await;
    assert_eq!(deaths, 4);
    let status = handle.status(&stage.client).await.unwrap().unwrap();
    assert_eq!((status.state.as_str(), status.attempts, status.crashes), ("dead", 4, 4));
    assert_eq!(
        stage.number("select count(*) from pgjobq.finished where outcome = 'completed'").await,
        NEIGHBORS
    );
    let worst = stage.number("select max(crashes) from pgjobq.finished where outcome = 'completed'").await;
    format!("buried after {deaths} crashes; {NEIGHBORS} neighbors completed, with {worst} crashes at worst")
}
