//! Sentences about what a person should look at.

use std::time::Duration;

use pgjobq::measure::QueueState;
use serde::Serialize;

use crate::show::count::Count;
use crate::show::link::link;
use crate::show::span::Span;
use crate::statistics::Snapshot;

/// The age of a transaction that is worth a warning.
const LONG_TRANSACTION: Duration = Duration::from_secs(15 * 60);
/// The number of transactions behind which vacuum may stay.
const MANY_TRANSACTIONS: u64 = 10_000_000;
/// The largest number of warnings of one page.
const MOST_WARNINGS: usize = 20;

/// A sentence about what a person should look at, and where.
#[derive(Serialize)]
pub(crate) struct Warning {
    pub(crate) text: String,
    #[serde(skip)]
    pub(crate) link: Option<String>,
}

/// Returns what a person should look at.
pub(crate) fn of(snapshot: &Snapshot) -> Vec<Warning> {
    let fleet = &snapshot.fleet;
    // Nothing of a paused queue runs anyway.
    let queues = fleet.queues.iter().filter(|queue| !snapshot.is_paused(&queue.queue));
    let mut warnings: Vec<_> = queues.flat_map(of_queue).collect();
    let mut say = |text: String| warnings.push(Warning { text, link: None });
    if let Some(age) = fleet.database.oldest_transaction.filter(|age| *age > LONG_TRANSACTION) {
        say(format!(
            "A transaction has been open for {}: until it ends, vacuum removes no rows of later ones.",
            Span(age)
        ));
    }
    if let Some(behind) = fleet.database.xmin_age.filter(|age| *age > MANY_TRANSACTIONS) {
        say(format!(
            "Vacuum is held back by {} transactions: look for old sessions, prepared transactions and replication slots.",
            Count::exact(behind)
        ));
    }
    if !fleet.complete {
        say("Some queues are left out: there are more than two hundred, or to count them took too long."
            .to_owned());
    }
    warnings.truncate(MOST_WARNINGS);
    warnings
}

fn of_queue(queue: &QueueState) -> Vec<Warning> {
    let to_queue = || Some(link("queue", &[("name", &queue.queue)]));
    let mut warnings = Vec::new();
    if queue.workers == 0 && queue.ready > 0 {
        let (ready, name) = (Count::new(queue.ready, queue.exact), &queue.queue);
        let text = format!("No worker serves the queue `{name}`, in which {ready} jobs are ready.");
        warnings.push(Warning { text, link: to_queue() });
    } else {
        for (kind, jobs) in &queue.unserved {
            let (jobs, name) = (Count::exact(*jobs), &queue.queue);
            let text = format!(
                "No worker of the queue `{name}` takes jobs of the kind `{kind}`: at least {jobs} wait."
            );
            let filter = pgjobq::filter::queue(&**name).and(pgjobq::filter::kind(&**kind)).to_string();
            warnings.push(Warning { text, link: Some(link("jobs", &[("filter", &filter)])) });
        }
    }
    warnings
}
