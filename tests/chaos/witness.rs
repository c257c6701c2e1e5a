//! The events that observers in the worker processes have seen. Each process sends them to the test, as lines on standard output.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pgjobq::observe::{Event, ObservedJob, Outcome};
use pgjobq::sqlx;
use uuid::Uuid;

use crate::LEASE;
use crate::stage::Stage;

/// The beginning of such a line.
const EVENT: &str = "EVENT|";
/// Jobs that ignore everything block their threads for at most two leases.
const ENDS_WITHIN: Duration = Duration::from_secs(LEASE.as_secs() * 3);

/// In a worker process: the attempts that have started, and have neither ended nor lost their lease.
static OPEN: AtomicI64 = AtomicI64::new(0);

/// Sends an event to the test.
pub(crate) fn tell(event: &Event) {
    let say = |what: &str, job: &ObservedJob| {
        let _ = writeln!(std::io::stdout(), "{EVENT}{what}|{}|{}", job.id, job.attempt);
    };
    match event {
        Event::Started(started) => {
            OPEN.fetch_add(1, Ordering::SeqCst);
            say("started", &started.job);
        }
        Event::Ended(ended) => {
            OPEN.fetch_sub(i64::from(ended.run.is_some()), Ordering::SeqCst);
            let without = if ended.run.is_none() { "without " } else { "" };
            say(&format!("{without}{}", ended.outcome), &ended.job);
        }
        Event::LeaseLost(lost) => {
            OPEN.fetch_sub(1, Ordering::SeqCst);
            say("lost", &lost.job);
        }
        _ => {}
    }
}

/// In a worker process whose worker has ended: tells the test that all events were sent, once no attempt is left.
pub(crate) async fn tell_end() {
    let begun = Instant::now();
    while OPEN.load(Ordering::SeqCst) != 0 && begun.elapsed() < ENDS_WITHIN {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let _ = writeln!(std::io::stdout(), "{EVENT}end|{}|0", Uuid::nil());
}

/// The events of all worker processes.
#[derive(Default)]
pub(crate) struct Witnessed {
    /// By process.
    seen: Mutex<HashMap<u32, Seen>>,
    /// The number of processes whose standard output is being read.
    open: AtomicI64,
}

/// The events of one process.
#[derive(Default)]
struct Seen {
    /// Its worker has ended, and all of its events were sent.
    is_whole: bool,
    attempts: HashMap<(Uuid, u32), Attempt>,
    /// The final outcomes of jobs that ended without an attempt.
    without: Vec<(Uuid, u32, Outcome)>,
}

#[derive(Default, Debug)]
struct Attempt {
    started: u32,
    lost: u32,
    ended: Vec<Outcome>,
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
        let (Some(what), Some(Ok(job)), Some(Ok(attempt))) =
            (parts.next(), parts.next().map(str::parse), parts.next().map(str::parse))
        else {
            return true; // The process was killed in the middle of a line.
        };
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = all.entry(process).or_default();
        match what {
            "end" => seen.is_whole = true,
            "started" => seen.attempts.entry((job, attempt)).or_default().started += 1,
            "lost" => seen.attempts.entry((job, attempt)).or_default().lost += 1,
            ended => match ended.strip_prefix("without ") {
                Some(ended) => seen.without.extend(outcome(ended).map(|outcome| (job, attempt, outcome))),
                None => seen.attempts.entry((job, attempt)).or_default().ended.extend(outcome(ended)),
            },
        }
        true
    }

    /// Checks that each attempt of each process started once, and ended or lost its lease once; and that each end of a job was
    /// observed at most once, with the outcome that the database has. Returns a line about it.
    pub(crate) async fn check(&self, stage: &Stage) -> String {
        while self.open.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await; // All processes have ended, but their last lines may come.
        }
        let all = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        let (mut attempts, mut lost, mut whole) = (0, 0, 0);
        let mut ends: HashMap<(Uuid, u32), Vec<Outcome>> = HashMap::new();
        for seen in all.values() {
            whole += usize::from(seen.is_whole);
            for ((job, number), attempt) in &seen.attempts {
                let closed = attempt.lost as usize + attempt.ended.len();
                assert_eq!(
                    attempt.started, 1,
                    "starts of attempt {number} of {job} in one process: {attempt:?}"
                );
                assert!(closed <= 1, "attempt {number} of {job} ended twice: {attempt:?}");
                assert!(closed == 1 || !seen.is_whole, "attempt {number} of {job} has no end: {attempt:?}");
                attempts += 1;
                lost += attempt.lost;
                let finals = attempt.ended.iter().filter(|outcome| outcome.is_final());
                ends.entry((*job, *number)).or_default().extend(finals);
            }
            for (job, number, outcome) in &seen.without {
                ends.entry((*job, *number)).or_default().push(*outcome);
            }
        }
        ends.retain(|_, outcomes| !outcomes.is_empty());
        let twice = ends.iter().find(|(_, outcomes)| outcomes.len() > 1);
        assert!(twice.is_none(), "the end of a job was observed twice: {twice:?}");
        let agreed = agreed(stage, &ends).await;
        assert!(whole > 0 && agreed > 0, "nothing was observed");
        let processes = all.len();
        format!(
            "{attempts} attempts observed, {lost} of them lost; {agreed} ends agree; {whole} of {processes} processes ended in order"
        )
    }
}

/// Returns the number of ended jobs whose observed end is the one in the database, which must be all of the observed ones.
async fn agreed(stage: &Stage, ends: &HashMap<(Uuid, u32), Vec<Outcome>>) -> usize {
    let stored = "select id, attempt, outcome from pgjobq.finished";
    let stored: Vec<(Uuid, i32, String)> = sqlx::query_as(stored).fetch_all(&stage.pool).await.unwrap();
    let mut agreed = 0;
    for (job, attempt, outcome) in stored {
        if let Some(observed) = ends.get(&(job, attempt.unsigned_abs())) {
            assert_eq!(observed[0].as_str(), outcome, "the end of {job} in attempt {attempt}");
            agreed += 1;
        }
    }
    agreed
}

fn outcome(word: &str) -> Option<Outcome> {
    Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == word)
}
