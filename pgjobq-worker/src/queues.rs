//! Checks the queues that a worker is to serve against those that its job functions name.

use std::collections::BTreeMap;

use pgjobq_core::worker_api::{QueueStanding, Registry};

use crate::setup::SetupProblem;

/// The problems of queues that neither exist nor are named by a job function: most likely they are mistyped.
pub(crate) fn unknown(standing: &[QueueStanding], registry: &Registry) -> Vec<SetupProblem> {
    let named = |name: &str| registry.jobs().any(|job| job.policy.queue == name);
    let missing =
        standing.iter().filter(|queue| (queue.id.is_none() || queue.deleted) && !named(&queue.name));
    missing
        .map(|queue| SetupProblem::UnknownQueue {
            queue: queue.name.clone(),
            similar: registry.jobs().map(|job| job.policy.queue).find(|known| is_similar(known, &queue.name)),
        })
        .collect()
}

/// Names the queues of this program's jobs that the worker does not serve, with their jobs, or nothing if it serves all.
pub(crate) fn left_to_others(served: &[&str], registry: &Registry) -> Option<String> {
    let mut queues: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for job in registry.jobs().filter(|job| !served.contains(&job.policy.queue)) {
        let place = format!("`{}`, {}:{}", job.kind, job.file, job.line);
        queues.entry(job.policy.queue).or_default().push(place);
    }
    if queues.is_empty() {
        return None;
    }
    let queues = queues.iter().map(|(queue, jobs)| format!("`{queue}` ({})", jobs.join("; ")));
    let queues = queues.collect::<Vec<_>>().join(", ");
    Some(format!(
        "this worker does not serve these queues of the program's jobs: {queues}. Their jobs wait until another worker does, or \
         until this one has `.queue(…)` for them"
    ))
}

/// Returns whether one name becomes the other by changing, adding, removing or swapping one or two characters.
fn is_similar(known: &str, name: &str) -> bool {
    let (mut known, mut name): (Vec<char>, Vec<char>) = (known.chars().collect(), name.chars().collect());
    while !known.is_empty() && known.first() == name.first() {
        known.remove(0);
        name.remove(0);
    }
    while !known.is_empty() && known.last() == name.last() {
        known.pop();
        name.pop();
    }
    known.len() <= 2 && name.len() <= 2
}

#[cfg(test)]
mod tests {
    use super::is_similar;

    #[test]
    fn mistyped_queue_is_similar() {
        for (known, name) in
            [("mail", "mial"), ("mail", "mails"), ("reports", "report"), ("images", "imagse")]
        {
            assert!(is_similar(known, name), "{known} {name}");
        }
        for (known, name) in [("mail", "reports"), ("default", "images")] {
            assert!(!is_similar(known, name), "{known} {name}");
        }
    }
}
