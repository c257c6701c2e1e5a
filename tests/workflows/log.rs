//! The steps, and the log of their attempts.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use pgjobq::prelude::*;

use crate::graph::Way;
use crate::model::Inputs;

/// The log of all attempts in this process, by the seed of the graph.
#[derive(Default)]
pub(crate) struct Log {
    events: Mutex<HashMap<u64, Vec<Event>>>,
    /// The graphs whose causes of failure are gone.
    repaired: Mutex<BTreeSet<u64>>,
}

/// The beginning or the end of an attempt.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Began { n: usize, attempt: u32, inputs: Inputs },
    Ended { n: usize },
}

impl Log {
    /// Returns the events of a graph, and forgets them.
    pub(crate) fn take(&self, seed: u64) -> Vec<Event> {
        lock(&self.events).remove(&seed).unwrap_or_default()
    }

    /// From now on each step of this graph completes.
    pub(crate) fn repair(&self, seed: u64) {
        lock(&self.repaired).insert(seed);
    }

    fn add(&self, seed: u64, event: Event) {
        lock(&self.events).entry(seed).or_default().push(event);
    }
}

/// Logs the end of an attempt, also that of a panic.
struct Running<'l>(&'l Log, u64, usize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.add(self.1, Event::Ended { n: self.2 });
    }
}

/// A step. It ends in the given way, and returns a number that depends on all that it gets.
#[allow(clippy::too_many_arguments)] // What it does is all in its arguments.
#[job(queue = "model", retries = 2, backoff = "5ms")]
pub(crate) async fn node(
    ctx: JobContext,
    log: State<Arc<Log>>,
    seed: u64,
    n: usize,
    way: Way,
    outputs: Vec<u64>,
    results: Vec<std::result::Result<u64, Failure>>,
    grown: Vec<(usize, Way)>,
) -> Result<u64> {
    let results = results.into_iter().map(|result| result.map_err(|failure| failure.state)).collect();
    let inputs = Inputs { outputs, results };
    log.add(seed, Event::Began { n, attempt: ctx.attempt(), inputs: inputs.clone() });
    let _running = Running(&log, seed, n);
    add(&ctx, seed, &grown)?;
    tokio::time::sleep(Duration::from_millis(n as u64 % 4)).await;
    let way = if lock(&log.repaired).contains(&seed) { Way::Complete } else { way };
    match way {
        Way::Later(failures) if ctx.failures() < failures => Err("not yet".into()),
        Way::Complete | Way::Later(_) => Ok(inputs.digest(n)),
        Way::Exhaust => Err("as always".into()),
        // As a panic, without a message on the terminal.
        Way::Panic => std::panic::resume_unwind(Box::new("as the graph says")),
        Way::Fatal => Err(JobError::fatal("for good")),
        Way::Cancel => Err(JobError::cancel()),
    }
}

/// Adds steps to the workflow. Those of an attempt that fails vanish. The last one takes the results of the others.
fn add(ctx: &JobContext, seed: u64, grown: &[(usize, Way)]) -> Result<()> {
    let Some(((last, way), leaves)) = grown.split_last() else { return Ok(()) };
    let growth = ctx.workflow()?;
    let leaf =
        |&(n, way): &(usize, Way)| node::step(seed, n, way, vec![], vec![], vec![]).named(n.to_string());
    let results: Vec<_> = leaves.iter().map(|grown| growth.add(leaf(grown)).result()).collect();
    growth.add(node::step(seed, *last, *way, vec![], gather(results), vec![]).named(last.to_string()));
    Ok(())
}

/// A step for the end of a workflow.
#[job(queue = "model")]
pub(crate) async fn last() {}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
