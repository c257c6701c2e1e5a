//! What the observers in all worker processes have seen.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pgjobq::observe::Outcome;
use uuid::Uuid;

use crate::witness::EVENT;

/// An attempt: the job, and the number.
pub(crate) type Number = (Uuid, u32);

/// What the observers in all worker processes have seen.
#[derive(Default)]
pub(crate) struct Witnessed {
    /// By process.
    seen: Mutex<HashMap<u32, Seen>>,
    /// The number of processes whose standard output is being read.
    open: AtomicI64,
}

/// What the observer in one process has seen.
#[derive(Default)]
pub(crate) struct Seen {
    /// Its worker has ended in order, and everything that it has seen was sent.
    pub(crate) is_whole: bool,
    pub(crate) attempts: HashMap<Number, Attempt>,
    /// The ends of jobs without an attempt.
    pub(crate) without: Vec<(Number, Outcome)>,
    /// The number of jobs that it took back from workers that died.
    pub(crate) crashed: u64,
    pub(crate) dropped: u64,
    /// The statements that failed, by name. They may have been executed all the same.
    pub(crate) failed: BTreeMap<String, u64>,
}

#[derive(Default, Debug)]
pub(crate) struct Attempt {
    pub(crate) started: u32,
    pub(crate) lost: u32,
    pub(crate) stale: u32,
    pub(crate) ended: Vec<Outcome>,
}

impl Witnessed {
    pub(crate) fn note_open(&self) {
        self.open.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn note_closed(&self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }

    /// Takes note of a line of this process. Returns false if it is no event.
    pub(crate) fn note(&self, process: u32, line: &str) -> bool {
        let Some(event) = line.strip_prefix(EVENT) else { return false };
        let mut parts = event.split('|');
        // A process may be killed in the middle of a line.
        if let (Some(what), Some(Ok(job)), Some(Ok(number))) =
            (parts.next(), parts.next().map(str::parse), parts.next().map(str::parse))
        {
            let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(process).or_default().note(what, job, number);
        }
        true
    }

    /// Returns what was seen, by process, when the last line has come. All processes must have ended.
    pub(crate) async fn take(&self) -> HashMap<u32, Seen> {
        while self.open.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Seen {
    fn note(&mut self, what: &str, job: Uuid, number: u32) {
        match what {
            "end" => self.is_whole = true,
            "started" => self.attempt(job, number).started += 1,
            "lost" => self.attempt(job, number).lost += 1,
            "stale" => self.attempt(job, number).stale += 1,
            "crashed" => self.crashed += u64::from(number),
            "dropped" => self.dropped += u64::from(number),
            what => match what.split_once(' ') {
                Some(("failed", statement)) => *self.failed.entry(statement.to_owned()).or_default() += 1,
                Some((_, ended)) => self.without.push(((job, number), outcome(ended))),
                None => self.attempt(job, number).ended.push(outcome(what)),
            },
        }
    }

    fn attempt(&mut self, job: Uuid, number: u32) -> &mut Attempt {
        self.attempts.entry((job, number)).or_default()
    }

    /// Returns whether a statement with this beginning of its name failed.
    pub(crate) fn has_failed(&self, beginning: &str) -> bool {
        self.failed.keys().any(|name| name.starts_with(beginning))
    }
}

fn outcome(word: &str) -> Outcome {
    let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == word);
    outcome.unwrap_or_else(|| panic!("{word} is no outcome"))
}
