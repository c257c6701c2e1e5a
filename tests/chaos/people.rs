//! People who look after workflows, through a network that fails: they decide about held steps, and repair and retry
//! workflows that failed.

use std::sync::Arc;
use std::time::Duration;

use pgjobq::sqlx;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::producers::{ANSWER_WITHIN, connect};
use crate::stage::Stage;

/// The workflows that have ended, and that a person is still to retry: three of four of those that failed.
pub(crate) const TO_RETRY: &str = "select id from pgjobq.workflows
     where ended_at is not null and outcome <> 'completed' and get_byte(uuid_send(id), 15) % 4 > 0";

/// The workflows with a held step.
const HELD: &str =
    "select s.workflow from pgjobq.steps s join pgjobq.jobs j on j.shard = s.shard and j.id = s.job
     where s.outcome is null and s.held > 0 and j.waits_for = s.held";

/// Looks after workflows, until it is aborted.
pub(crate) async fn look_after(stage: Arc<Stage>) {
    let mut client = connect(&stage);
    loop {
        sleep(Duration::from_millis(100)).await;
        let (held, failed) = (ids(&stage, HELD).await, ids(&stage, TO_RETRY).await);
        let looked = timeout(ANSWER_WITHIN, async {
            for workflow in held {
                let Some(flow) = stage.account.flow(workflow) else { continue };
                // Any error is of the network, and the next look repeats it.
                match workflow.as_bytes()[14].is_multiple_of(2) {
                    true => drop(flow.handle.resume(&client, &flow.held).await),
                    false => drop(client.job(flow.held.id()).cancel().await),
                }
            }
            for workflow in failed {
                let Some(flow) = stage.account.flow(workflow) else { continue };
                let repair = "insert into repaired (workflow) values ($1) on conflict do nothing";
                if sqlx::query(repair).bind(workflow).execute(&stage.pool).await.is_ok() {
                    drop(flow.handle.retry_failed(&client).await);
                }
            }
        });
        if looked.await.is_err() {
            client = connect(&stage);
        }
    }
}

async fn ids(stage: &Stage, sql: &'static str) -> Vec<Uuid> {
    sqlx::query_scalar(sql).fetch_all(&stage.pool).await.unwrap_or_default() // The server may be down.
}
