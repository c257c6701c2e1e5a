//! Random workflows end as a small model predicts, with failures, cancels, held steps and workers that die.
//!
//! A failed test prints the seed of its graph. `PGJOBQ_TEST_SEED` is the seed of the first graph, and `PGJOBQ_TEST_ROUNDS` the
//! number of graphs.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use futures_util::StreamExt;

#[macro_use]
#[path = "../it/harness.rs"]
#[allow(dead_code, unused_macros)]
mod harness;

// The graphs.
mod graph;
mod model; // How each step must end.
mod typed; // A graph as a workflow.

// Their runs.
mod log; // The steps, and what they saw.
mod run;
mod verdict; // The comparison with the model.
mod world; // People, crashes, and an observer.

use crate::graph::Graph;
use crate::harness::TestDb;
use crate::log::Log;
use crate::run::Run;

/// The number of graphs that run at once.
const AT_ONCE: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_workflows_end_as_the_model_says() {
    let (seed, rounds) = (parameter("PGJOBQ_TEST_SEED", 1), parameter("PGJOBQ_TEST_ROUNDS", 140) / 2);
    let db = TestDb::new(1).await;
    run(&db, 1, (seed..seed + rounds).map(|seed| Graph::random(seed, 8)), 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workflows_end_as_the_model_says_whoever_dies() {
    let (seed, rounds) = (parameter("PGJOBQ_TEST_SEED", 1000), parameter("PGJOBQ_TEST_ROUNDS", 140));
    let db = TestDb::new(8).await;
    run(&db, 2, (seed..seed + rounds).map(|seed| Graph::random(seed, 199)), 40).await;
}

/// Runs graphs, several at once, on this many workers.
async fn run(db: &TestDb, workers: usize, graphs: impl Iterator<Item = Graph>, crashes: usize) {
    let log = Arc::new(Log::default());
    let mut running = Vec::new();
    for _ in 0..workers {
        let worker = db.worker().queue("model", 20).state(Arc::clone(&log));
        running.push(worker.build().await.unwrap().start());
    }
    let runs = world::Runs::default();
    let check = |graph: Graph| {
        let (log, runs) = (&log, &runs);
        async move {
            let (seed, steps) = (graph.seed, graph.nodes.len());
            let run = Arc::new(Run::enqueue(graph, &db.client).await);
            let workflow = run.handle.id().as_uuid();
            runs.lock().unwrap().insert(workflow, Arc::clone(&run));
            let checked = run.check(db, log).await;
            runs.lock().unwrap().remove(&workflow);
            checked.unwrap_or_else(|wrong| panic!("PGJOBQ_TEST_SEED={seed}: {wrong}"));
            steps
        }
    };
    let all = futures_util::stream::iter(graphs).map(check).buffer_unordered(AT_ONCE);
    let all = async { tokio::join!(all.collect::<Vec<usize>>(), world::crash(&db.client, crashes)).0 };
    let steps: Vec<usize> = tokio::select! {
        steps = all => steps,
        wrong = world::observe(db, &runs) => panic!("{wrong}"),
    };
    println!("{} graphs, {} steps", steps.len(), steps.iter().sum::<usize>());
    world::assert_nothing_left(db).await;
    for worker in running {
        worker.shutdown().await.unwrap();
    }
}

fn parameter(name: &str, default: u64) -> u64 {
    let Ok(text) = std::env::var(name) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text}"))
}
