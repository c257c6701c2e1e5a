//! Every hot statement in every state of the statistics that has broken a plan. The test counts buffers per job in the
//! first calls of a session, which are planned for their parameters, and in later ones, whose plan may be generic.

use std::collections::BTreeMap;

use crate::rounds::{Figures, figures};
use crate::server::Db;
use crate::session::Session;
use crate::tables::KIND;

const MILLION: usize = 1_000_000;

/// A call of at most this many buffers is cheap in every state: a few dead rows make a table slightly longer.
const CHEAP: f64 = 50.0;

/// The states, each with its figures.
type States = Vec<(&'static str, Figures)>;

async fn never_analysed_then_analysed_then_emptied() -> States {
    let db = Db::new("never_analysed").await;
    let mut session = Session::new(&db).await;
    session.fill(MILLION, KIND).await;
    let never = figures(&db, 0).await;
    session.run("analyze").await;
    let full = figures(&db, 0).await;
    session.empty().await;
    let scan_hint = session.drawn().await;
    session.fill(50_000, KIND).await;
    let emptied = figures(&db, scan_hint).await;
    vec![("never analysed", never), ("analysed full", full), ("then emptied", emptied)]
}

async fn analysed_empty() -> States {
    let db = Db::new("analysed_empty").await;
    let mut session = Session::new(&db).await;
    session.run("analyze").await;
    session.fill(MILLION, KIND).await;
    vec![("analysed empty", figures(&db, 0).await)]
}

async fn analysed_with_one_row_and_full_of_dead_rows() -> States {
    let db = Db::new("analysed_oddly").await;
    let mut session = Session::new(&db).await;
    session.one_row_everywhere().await;
    session.run("analyze").await;
    session.fill(MILLION, KIND).await;
    let one = figures(&db, 0).await;
    session.empty().await;
    session.run("analyze").await;
    let scan_hint = session.drawn().await;
    session.fill(MILLION, KIND).await;
    vec![("analysed with one row", one), ("analysed full of dead rows", figures(&db, scan_hint).await)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cost_of_a_job_does_not_depend_on_statistics() {
    let (first, second, third) = tokio::join!(
        tokio::spawn(never_analysed_then_analysed_then_emptied()),
        tokio::spawn(analysed_empty()),
        tokio::spawn(analysed_with_one_row_and_full_of_dead_rows()),
    );
    let states: States = [first, second, third].into_iter().flat_map(Result::unwrap).collect();
    let mut by_statement: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (state, figures) in states {
        for (what, cost) in figures {
            by_statement.entry(what).or_default().push((cost.buffers, state));
        }
    }
    let mut broken = Vec::new();
    for ((name, jobs), mut costs) in by_statement {
        costs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (best, (worst, state)) = (costs[0].0, costs[costs.len() - 1]);
        eprintln!("{name:<22} {jobs:>4} jobs: {best:>9.2} buffers a job, {worst:>9.2} when {state}");
        if worst > 3.0 * best && worst * jobs as f64 > CHEAP {
            broken.push(format!("{name}, {jobs} jobs: {costs:.2?}"));
        }
    }
    assert!(broken.is_empty(), "more than three times the best state:\n{}", broken.join("\n"));
}
