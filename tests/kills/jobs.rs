//! The jobs that the workers run.

use std::time::Duration;

use pgjobq::prelude::*;

use crate::ledger::Ledger;

/// Runs for some milliseconds. Six crashes bury it. Six kills would have to hit this one job, because after the first crash
/// it runs beside no other quarantined job.
#[job(max_crashes = 5)]
pub(crate) async fn work(ctx: JobContext, millis: u64, ledger: State<Ledger>) -> Result<u32> {
    let run = ledger.begin(&ctx).await?;
    tokio::time::sleep(Duration::from_millis(millis)).await;
    ledger.end(run).await?;
    Ok(std::process::id())
}

/// The same, as a step that reads what others returned.
#[job(max_crashes = 5)]
pub(crate) async fn join(ctx: JobContext, before: Vec<u32>, ledger: State<Ledger>) -> Result<u32> {
    let _ = before;
    let run = ledger.begin(&ctx).await?;
    ledger.end(run).await?;
    Ok(std::process::id())
}

/// A step that adds three others to its workflow.
#[job(max_crashes = 5)]
pub(crate) async fn spread(ctx: JobContext, ledger: State<Ledger>) -> Result<u32> {
    let run = ledger.begin(&ctx).await?;
    let growth = ctx.workflow()?;
    let added = [1, 2].map(|millis| growth.add(work::step(millis)));
    growth.add(join::step(gather(added.each_ref().map(Step::output))));
    ledger.end(run).await?;
    Ok(std::process::id())
}

/// The number of steps that `spread` adds.
pub(crate) const SPREAD: usize = 3;

/// A workflow of which one step spreads, and the ids of its steps.
pub(crate) fn flow() -> (Workflow, Vec<JobId>) {
    let mut flow = Workflow::new("storm");
    let first = flow.add(spread::step());
    let middle = [2, 5, 8].map(|millis| flow.add(work::step(millis).after(&first)));
    let last = flow.add(join::step(gather(middle.each_ref().map(Step::output))));
    let mut ids = vec![first.id(), last.id()];
    ids.extend(middle.iter().map(Step::id));
    (flow, ids)
}

/// In its first attempt, waits for the notice that its lease is lost; the result that it then returns must change nothing.
#[job]
pub(crate) async fn wait_for_loss(ctx: JobContext, ledger: State<Ledger>) -> Result<u32> {
    let run = ledger.begin(&ctx).await?;
    if ctx.attempt() == 1 {
        ctx.stop_requested().await;
        ledger.asked_to_stop(run).await?;
    }
    ledger.end(run).await?;
    Ok(std::process::id())
}

/// Its first attempt ends at the moment at which a frozen process wakes, before the worker notices the loss.
#[job]
pub(crate) async fn sleep_through(ctx: JobContext, millis: u64, ledger: State<Ledger>) -> Result<u32> {
    let run = ledger.begin(&ctx).await?;
    if ctx.attempt() == 1 {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
    ledger.end(run).await?;
    Ok(std::process::id())
}

/// Its first attempt is `sleep_through`; the second runs until the test ends it.
#[job]
pub(crate) async fn run_beside(ctx: JobContext, millis: u64, ledger: State<Ledger>) -> Result<u32> {
    let run = ledger.begin(&ctx).await?;
    match ctx.attempt() {
        1 => tokio::time::sleep(Duration::from_millis(millis)).await,
        _ => ledger.gate_is_open().await?,
    }
    ledger.end(run).await?;
    Ok(std::process::id())
}

/// Kills its process.
#[job]
pub(crate) async fn poison(ctx: JobContext, ledger: State<Ledger>) -> Result<()> {
    ledger.begin(&ctx).await?;
    std::process::abort()
}

/// The end of a job of `together`, which its number chooses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ends {
    Early,
    WithTheCall,
    AfterAFailure,
    Dead,
    Cancelled,
}

impl Ends {
    pub(crate) fn of(number: u32) -> Self {
        [Self::Early, Self::WithTheCall, Self::AfterAFailure, Self::Dead, Self::Cancelled]
            [number as usize % 5]
    }
}

/// Runs for twenty jobs at most. Each has its end in the middle of the call, or ends with it.
#[job(max_crashes = 9, batch = 20, within = "20ms", retries = 5, backoff = "1ms..20ms")]
pub(crate) async fn together(items: Batch<u32>, ledger: State<Ledger>) -> Result<()> {
    let mut runs = Vec::new();
    for item in &items {
        runs.push(ledger.begin(item.context()).await?);
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    for (item, run) in items.into_iter().zip(runs) {
        ledger.end(run).await?;
        match Ends::of(*item) {
            Ends::Early => item.complete(),
            Ends::AfterAFailure if item.context().failures() == 0 => item.fail("the first attempt fails"),
            Ends::Dead => item.fail(JobError::fatal("it dies")),
            Ends::Cancelled => item.cancel(),
            Ends::WithTheCall | Ends::AfterAFailure => {}
        }
    }
    Ok(())
}

/// Makes a job function with a limit for each key. It runs for at most 50 milliseconds, and fails at first if its numbers say so.
macro_rules! keyed {
    ($($name:ident $most:literal),*) => {
        $(#[job(max_crashes = 30, key = key, concurrency = $most, retries = 5, backoff = "1ms..50ms")]
        pub(crate) async fn $name(ctx: JobContext, key: u32, n: u32, ledger: State<Ledger>) -> Result<()> {
            let run = ledger.begin(&ctx).await?;
            tokio::time::sleep(Duration::from_millis(u64::from((key + n) % 50))).await;
            ledger.end(run).await?;
            match (key + n) % 7 {
                0 if ctx.failures() == 0 => Err("the first attempt fails".into()),
                _ => Ok(()),
            }
        })*
    };
}

keyed!(keyed_1 1, keyed_2 2, keyed_3 3, keyed_4 4, keyed_5 5);
