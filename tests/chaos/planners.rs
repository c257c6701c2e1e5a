//! Enqueue workflows through a network that fails, and cancel some of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use pgjobq::{Client, WorkflowHandle, WorkflowOutcome};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::flows::{Flow, Shape};
use crate::producers::{ANSWER_WITHIN, Refused, connect};
use crate::stage::Stage;

/// The number of workflows that run at a time.
const AT_ONCE: i64 = 20;
/// One in this many workflows is awaited, and another one cancelled.
const AWAIT_ONE_IN: u32 = 4;
const CANCEL_ONE_IN: u32 = 8;

/// A workflow that was awaited, and how its handle says that it ended.
pub(crate) type AwaitedFlow = (Uuid, Option<WorkflowOutcome>);

/// Enqueues workflows until it is stopped. Returns the tasks that still wait for workflows to end.
pub(crate) async fn plan(stage: Arc<Stage>, seed: u64, goes_on: Arc<AtomicBool>) -> JoinSet<AwaitedFlow> {
    let (mut client, mut dice) = (connect(&stage), Rng::with_seed(seed));
    let (mut waits, mut last) = (JoinSet::new(), None);
    while goes_on.load(Ordering::SeqCst) {
        let running = stage.number("select count(*) from pgjobq.workflows where ended_at is null").await;
        if running >= AT_ONCE {
            sleep(Duration::from_millis(50)).await;
            continue;
        }
        let shape = Shape::random(&mut dice, last);
        let (awaits, cancels) = (dice.u32(..AWAIT_ONE_IN) == 0, dice.u32(..CANCEL_ONE_IN) == 0);
        match timeout(ANSWER_WITHIN, enqueue(&stage, &client, shape, dice.u32(..6))).await {
            Ok(Some(flow)) => {
                last = Some(flow.last);
                if awaits {
                    wait_for(&mut waits, &client, flow.handle.clone());
                }
                if cancels {
                    sleep(Duration::from_millis(dice.u64(..2000))).await;
                    // It may have ended, and the answer may be lost.
                    drop(timeout(ANSWER_WITHIN, flow.handle.cancel(&client).because("by chance")).await);
                }
            }
            Ok(None) => {}
            Err(_) => client = connect(&stage), // Its connections may stay silent.
        }
    }
    waits
}

/// Enqueues a workflow: alone, in a transaction, or in one that rolls back. Returns it if the enqueue was acknowledged.
async fn enqueue(stage: &Stage, client: &Client, shape: Shape, way: u32) -> Option<Flow> {
    let (workflow, flow) = shape.build();
    let id = shape.id.as_uuid();
    let rolls_back = way == 5;
    if rolls_back {
        stage.account.books().flows_rolled_back.push(id);
    } else {
        stage.account.attempt(flow.steps + flow.grown);
        stage.account.books().flows.insert(id, flow.clone()); // Also of one whose answer is lost, a person takes care.
    }
    let enqueued: Result<(), Refused> = async {
        if way < 4 {
            workflow.enqueue(client).await?;
            return Ok(());
        }
        let mut tx = client.pool().begin().await?;
        workflow.enqueue(&mut *tx).await?;
        match rolls_back {
            true => tx.rollback().await?,
            false => tx.commit().await?,
        }
        Ok(())
    }
    .await;
    if rolls_back || enqueued.is_err() {
        return None;
    }
    stage.account.acknowledge_flow(id, flow.steps);
    Some(flow)
}

fn wait_for(waits: &mut JoinSet<AwaitedFlow>, client: &Client, handle: WorkflowHandle) {
    let client = client.clone();
    waits.spawn(async move { (handle.id().as_uuid(), handle.wait(&client).await.ok()) });
}
