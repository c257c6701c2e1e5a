//! What a run has shown, for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::nemesis::Struck;
use crate::plan::Fault;
use crate::producers::Ends;
use crate::proxy::Counts;
use crate::stage::Stage;

/// The table of one seed.
pub(crate) async fn table(
    stage: &Stage,
    seed: u64,
    lasted: Duration,
    struck: &[Struck],
    samples: usize,
    waits: usize,
) -> String {
    let mut table = format!(
        "seed {seed}: {:.0} s, {} workers, {} faults\n  {:<12}{:>8}  work flowed again after (median, worst)\n",
        lasted.as_secs_f64(),
        stage.workers,
        struck.len(),
        "fault",
        "struck",
    );
    let mut by_fault: BTreeMap<Fault, Vec<Duration>> = BTreeMap::new();
    for one in struck {
        by_fault.entry(one.fault).or_default().push(one.recovered_after);
    }
    for (fault, mut after) in by_fault {
        after.sort_unstable();
        let (median, worst) = (after[(after.len() - 1) / 2], after[after.len() - 1]);
        let (name, times) = (fault.name(), after.len());
        line(
            &mut table,
            &format!("{name:<12}{times:>8}  {:.2} s  {:.2} s", median.as_secs_f64(), worst.as_secs_f64()),
        );
    }
    let count =
        |of: fn(&Counts) -> u64| stage.networks.iter().map(|net| of(&net.faults().counts)).sum::<u64>();
    line(
        &mut table,
        &format!(
            "statements cut off before they were complete {}, after they were committed {}; connections reset {}; \
             notifications dropped {}",
            count(|c| c.cut_before.load(Ordering::SeqCst)),
            count(|c| c.cut_after.load(Ordering::SeqCst)),
            count(|c| c.connections_reset.load(Ordering::SeqCst)),
            count(|c| c.notifications_dropped.load(Ordering::SeqCst)),
        ),
    );
    jobs(&mut table, stage, waits).await;
    line(&mut table, &format!("conserved in each of {samples} snapshots"));
    table
}

async fn jobs(table: &mut String, stage: &Stage, waits: usize) {
    let (acknowledged, unknown, dead) = {
        let books = stage.account.books();
        let dead = books.acknowledged.values().filter(|expected| expected.ends == Ends::Dead).count();
        (books.acknowledged.len(), books.unknown.len(), dead)
    };
    let attempted = stage.account.attempted.load(Ordering::SeqCst);
    let there = stage.number("select count(*) from pgjobq.finished").await as usize - acknowledged;
    let completed = acknowledged - dead;
    line(
        table,
        &format!(
            "enqueues attempted {attempted}, acknowledged {acknowledged}, unanswered {unknown} (of which {there} had been committed)"
        ),
    );
    line(
        table,
        &format!(
            "acknowledged jobs completed {completed}, dead as they must be {dead}, lost 0; {waits} awaited"
        ),
    );
    let runs = stage.number("select count(*) from runs").await;
    let again = stage
        .number("select count(*) from (select from runs where ended_at is not null group by job having count(*) > 1) again")
        .await;
    let effects = stage.number("select count(*) from effects").await;
    line(
        table,
        &format!(
            "runs {runs}; effects outside of the completing transaction: {again} jobs had theirs more than once"
        ),
    );
    line(table, &format!("effects in the completing transaction {effects}, doubled or missing 0"));
    line(table, &format!("stale results reported {}, accepted 0", stage.fleet.overheard.stale()));
}

fn line(table: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(table, "  {text}");
}
