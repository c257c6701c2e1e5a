//! The job functions of workflows. Each returns the number of its run, and notes what it got from its parents.

use pgjobq::prelude::*;
use uuid::Uuid;

use crate::ledger::Ledger;

/// The first step.
#[job(retries = 30000, max_crashes = 30000, backoff = "100ms..1s")]
pub(crate) async fn fetch(ctx: JobContext, ledger: State<Ledger>) -> Result<Uuid> {
    record(&ctx, &ledger, &[]).await
}

/// A step that fails for good in a workflow that no person has repaired, if it is to.
#[job(retries = 30000, max_crashes = 30000, backoff = "100ms..1s")]
pub(crate) async fn inspect(
    ctx: JobContext,
    source: Uuid,
    fails: bool,
    ledger: State<Ledger>,
) -> Result<Uuid> {
    let run = record(&ctx, &ledger, &[source]).await?;
    fail_unless_repaired(&ctx, &ledger, fails).await?;
    Ok(run)
}

/// A step that adds others to its workflow: leaves, and one that takes their outputs. It may fail after that.
#[job(retries = 30000, max_crashes = 30000, backoff = "100ms..1s")]
pub(crate) async fn spread(
    ctx: JobContext,
    source: Uuid,
    leaves: usize,
    fails: bool,
    ledger: State<Ledger>,
) -> Result<Uuid> {
    let growth = ctx.workflow()?;
    let added: Vec<Step<Uuid>> = (0..leaves).map(|_| growth.add(leaf::step())).collect();
    growth.add(total::step(gather(added.iter().map(Step::output))));
    let run = record(&ctx, &ledger, &[source]).await?;
    fail_unless_repaired(&ctx, &ledger, fails).await?;
    Ok(run)
}

#[job(retries = 30000, max_crashes = 30000, backoff = "100ms..1s")]
pub(crate) async fn leaf(ctx: JobContext, ledger: State<Ledger>) -> Result<Uuid> {
    record(&ctx, &ledger, &[]).await
}

#[job(retries = 30000, max_crashes = 30000, backoff = "100ms..1s")]
pub(crate) async fn total(ctx: JobContext, parts: Vec<Uuid>, ledger: State<Ledger>) -> Result<Uuid> {
    record(&ctx, &ledger, &parts).await
}

/// A step that runs however its parent ends.
#[job(retries = 30000, max_crashes = 30000, backoff = "100ms..1s")]
pub(crate) async fn report(
    ctx: JobContext,
    joined: std::result::Result<Uuid, Failure>,
    ledger: State<Ledger>,
) -> Result<Uuid> {
    record(&ctx, &ledger, &joined.into_iter().collect::<Vec<_>>()).await
}

/// A step without data: held, for the cleaning up, or for the end of the workflow.
#[job(retries = 30000, max_crashes = 30000, backoff = "100ms..1s")]
pub(crate) async fn note(ctx: JobContext, ledger: State<Ledger>) -> Result<Uuid> {
    record(&ctx, &ledger, &[]).await
}

async fn record(ctx: &JobContext, ledger: &Ledger, inputs: &[Uuid]) -> Result<Uuid> {
    let run = ledger.begin(ctx).await?;
    ledger.note_inputs(run, inputs).await?;
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    ledger.end(run).await?;
    Ok(run)
}

async fn fail_unless_repaired(ctx: &JobContext, ledger: &Ledger, fails: bool) -> Result<()> {
    let workflow = ctx.workflow()?.id().as_uuid();
    if fails && !ledger.is_repaired(workflow).await? {
        return Err(JobError::fatal("until a person repairs it"));
    }
    Ok(())
}
