//! The printed summary of a run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::nemesis::Struck;
use crate::observer::Snapshots;
use crate::plan::Fault;
use crate::proxy::Counts;
use crate::stage::Stage;
use crate::{chosen_verdict, limit_verdict};

/// The table of one seed.
pub(crate) async fn table(
    stage: &Stage,
    seed: u64,
    lasted: Duration,
    struck: &[Struck],
    snapshots: &Snapshots,
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
    limit_verdict::figures(stage, snapshots.bounded)
        .await
        .iter()
        .for_each(|figures| line(&mut table, figures));
    line(&mut table, &chosen_verdict::figures(stage).await);
    line(&mut table, &format!("conserved in each of {} snapshots", snapshots.conserved));
    table
}

async fn jobs(table: &mut String, stage: &Stage, waits: usize) {
    let (acknowledged, unanswered) = {
        let books = stage.account.books();
        (books.acknowledged.len(), books.unknown.len())
    };
    let count = async |of: &str| stage.number(&format!("select count(*) from {of}")).await;
    let theirs = count("pgjobq.finished where kind <> 'receipt' and meta ->> 'workflow' is null").await;
    let committed = theirs - acknowledged as i64;
    line(
        table,
        &format!(
            "enqueues acknowledged {acknowledged}, unanswered {unanswered} (of which {committed} had been committed)"
        ),
    );
    let ended = async |outcome: &str| count(&format!("pgjobq.finished where outcome = '{outcome}'")).await;
    let flows = async |outcome: &str| count(&format!("pgjobq.workflows where outcome = '{outcome}'")).await;
    line(
        table,
        &format!(
            "jobs completed {}, cancelled {}, expired {}, dead as they must be {}, lost 0; {waits} were awaited",
            ended("completed").await,
            ended("cancelled").await,
            ended("expired").await,
            ended("dead").await,
        ),
    );
    line(
        table,
        &format!(
            "workflows completed {} (of which {} after a retry), failed {}, cancelled {}, stuck 0; their steps {}, \
             of which added while they ran {}",
            flows("completed").await,
            count("pgjobq.workflows w join repaired r on r.workflow = w.id where w.outcome = 'completed'")
                .await,
            flows("failed").await,
            flows("cancelled").await,
            count("pgjobq.steps").await,
            count("pgjobq.steps where kind in ('leaf', 'total') and n > 7").await,
        ),
    );
    let again = "(select from runs where ended is not null group by job having count(*) > 1) again";
    line(
        table,
        &format!(
            "runs {}; jobs with their effect outside more than once {}",
            count("runs").await,
            count(again).await
        ),
    );
    let taken_back = "runs r join pgjobq.finished f on f.id = r.job
                       where f.kind = 'pay' and r.ended is not null and r.run::text is distinct from left(f.output #>> '{}', 36)";
    line(
        table,
        &format!(
            "effects in the completing transaction {}, taken back {}, doubled or missing 0",
            count("effects").await,
            count(taken_back).await,
        ),
    );
    line(table, &format!("stale results reported {}, accepted 0", stage.fleet.overheard.stale()));
}

fn line(table: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(table, "  {text}");
}
