//! Compares what observers have seen with what the database has stored: each end of an attempt, and of a job.

use std::collections::HashMap;

use pgjobq::observe::Outcome;
use pgjobq::sqlx::{self, Row};

use crate::stage::Stage;
use crate::witnessed::{Attempt, Number, Seen};

/// An end that a process has stored.
#[derive(Debug)]
struct Stored {
    number: Number,
    outcome: String,
    /// `result`, `crash` or `nothing`: see `witness.sql`.
    after: String,
    kind: String,
    is_step: bool,
}

/// The numbers of ends.
#[derive(Default)]
struct Counts {
    attempts: u64,
    lost: u64,
    /// Ends that were observed and stored.
    agreed: u64,
    /// Ends that were stored and that nobody could observe.
    unseen: u64,
    whole: u64,
    /// The processes among those in which no `finish` failed, so that each end that they stored was observed.
    calm: u64,
}

/// Panics unless the observers of each process have seen every end that it stored, once, and no other. Returns a line about it.
pub(crate) async fn check(stage: &Stage) -> String {
    let all = stage.fleet.overheard.witnessed.take().await;
    let mut stored = stored(stage).await;
    let mut counts = Counts::default();
    for (process, seen) in &all {
        let stored = stored.remove(process).unwrap_or_default();
        assert_eq!(seen.dropped, 0, "events that the observer of process {process} missed");
        seen.attempts.iter().for_each(|(number, attempt)| check_attempt(*number, attempt, seen.is_whole));
        check_observed(*process, seen, &stored, &mut counts);
        check_crashes(*process, seen, &stored);
        if seen.is_whole {
            stored.iter().for_each(|end| check_stored(*process, seen, end, &mut counts));
            counts.whole += 1;
            counts.calm += u64::from(!seen.has_failed("finish"));
        }
        counts.attempts += seen.attempts.len() as u64;
        counts.lost += seen.attempts.values().map(|attempt| u64::from(attempt.lost)).sum::<u64>();
    }
    assert!(counts.whole > 0 && counts.agreed > 0, "nothing was observed");
    let Counts { attempts, lost, agreed, unseen, whole, calm } = counts;
    let processes = all.len();
    format!(
        "{attempts} attempts observed, {lost} of them lost; {agreed} ends observed as they are stored, and {unseen} that \
         nobody could; {whole} of {processes} processes ended in order, {calm} of them without a failed finish"
    )
}

/// Each start is followed by one end or one loss, and only a lost attempt may start again: a crash of the server forgot its claim.
fn check_attempt((job, number): Number, attempt: &Attempt, is_whole: bool) {
    let about = || format!("attempt {number} of {job}: {attempt:?}");
    let ended = attempt.ended.len() as u32;
    assert!(attempt.started > 0 && ended <= 1, "it started never, or ended twice: {}", about());
    assert!(attempt.started <= attempt.lost + 1, "it started twice: {}", about());
    assert!(attempt.lost + ended <= attempt.started, "it ended more often than it started: {}", about());
    assert!(attempt.stale <= attempt.lost, "its result was refused, and it lost no lease: {}", about());
    assert!(!is_whole || attempt.lost + ended == attempt.started, "it has no end: {}", about());
}

/// Each end that a process observed is one that it stored, and it observed none twice.
fn check_observed(process: u32, seen: &Seen, stored: &[Stored], counts: &mut Counts) {
    let mut left: HashMap<(Number, &str), Vec<&Stored>> = HashMap::new();
    for end in stored {
        left.entry((end.number, end.outcome.as_str())).or_default().push(end);
    }
    let mut match_one = |number: Number, outcome: Outcome, what: &str, fits: &dyn Fn(&Stored) -> bool| {
        let ends = left.get_mut(&(number, outcome.as_str()));
        let end = ends.and_then(|ends| ends.iter().position(|end| fits(end)).map(|place| ends.remove(place)));
        assert!(
            end.is_some(),
            "process {process} observed {what} of {} in attempt {} as {outcome}, and has not stored it, or observed it twice",
            number.0,
            number.1
        );
        counts.agreed += 1;
    };
    for (number, attempt) in &seen.attempts {
        for outcome in &attempt.ended {
            match_one(*number, *outcome, "the end of an attempt", &|end| end.after == "result");
        }
    }
    for (number, outcome) in &seen.without {
        // An attempt that could not be stopped is handed back after it has lost its lease.
        let is_lost = seen.attempts.get(number).is_some_and(|attempt| attempt.lost > 0);
        match_one(*number, *outcome, "an end without an attempt", &|end| end.after != "result" || is_lost);
    }
}

/// A process observed each crash that it stored. One whose answer was lost is observed by nobody.
fn check_crashes(process: u32, seen: &Seen, stored: &[Stored]) {
    let crashed = stored.iter().filter(|end| end.after == "crash").count() as u64;
    assert!(seen.crashed <= crashed, "process {process} observed {} crashes of {crashed}", seen.crashed);
    if seen.is_whole && !seen.has_failed("reap") {
        assert_eq!(
            seen.crashed, crashed,
            "crashes that process {process} observed, and those that it stored"
        );
    }
}

/// A process that ended in order observed this end, unless the answer of the statement that stored it was lost.
fn check_stored(process: u32, seen: &Seen, end: &Stored, counts: &mut Counts) {
    let of_attempt = seen.attempts.get(&end.number);
    let is_observed = match end.after.as_str() {
        "result" => {
            of_attempt.is_some_and(|attempt| attempt.ended.iter().any(|it| it.as_str() == end.outcome))
        }
        // Its job runs again, so that nothing but the crash is observed.
        "crash" if end.outcome == "crashed" => true,
        _ => seen.without.iter().any(|(number, it)| *number == end.number && it.as_str() == end.outcome),
    };
    if is_observed {
        return;
    }
    counts.unseen += 1;
    let is_excused = match (end.after.as_str(), of_attempt) {
        // The result was sent again and refused; or its transaction was in doubt; or the attempt could not be stopped, and was handed
        // back. Each of them counts as lost.
        ("result", Some(attempt)) if attempt.lost > 0 => {
            (attempt.stale > 0 && seen.has_failed("finish")) || end.kind == "pay" || end.outcome == "released"
        }
        ("result", _) => false,
        // Steps that the death of their parent cancels are seen by nobody; and an operator may requeue an errand before anybody looks.
        _ => end.is_step || end.kind == "errand" || !seen.failed.is_empty(),
    };
    assert!(is_excused, "process {process} stored {end:?} and did not observe it: {of_attempt:?}");
}

/// The ends that were stored, by process.
async fn stored(stage: &Stage) -> HashMap<u32, Vec<Stored>> {
    let all = "select process, job, attempt, outcome, after, kind, is_step from stored_ends where process is not null";
    let mut stored: HashMap<u32, Vec<Stored>> = HashMap::new();
    for row in sqlx::query(all).fetch_all(&stage.pool).await.unwrap() {
        let attempt: i32 = row.get("attempt");
        let end = Stored {
            number: (row.get("job"), attempt.unsigned_abs()),
            outcome: row.get("outcome"),
            after: row.get("after"),
            kind: row.get("kind"),
            is_step: row.get("is_step"),
        };
        stored.entry(row.get::<i32, _>("process").unsigned_abs()).or_default().push(end);
    }
    stored
}
