//! A person who manages a queue: cancels, purges, requeues. Their network falls silent at each step in turn.

use std::sync::Arc;
use std::time::Duration;

use pgjobq::sqlx::postgres::PgPoolOptions;
use pgjobq::{Client, EndedState, JobId};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::account::Ends;
use crate::jobs;
use crate::proxy::Proxy;
use crate::stage::Stage;

/// The queue that operators manage; it holds the jobs of `errand`.
pub(crate) const QUEUE: &str = "side";
/// The number of answers after which the network falls silent: one operator for each.
const ANSWERS: std::ops::Range<u32> = 0..10;
/// A server that does not answer by then is down.
const CONNECTED_WITHIN: Duration = Duration::from_secs(3);
const HOUR: Duration = Duration::from_secs(3600);

/// The action of an operator.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Cancel,
    Purge,
    Requeue,
    SaveQueue,
}

/// Runs one action, drawn by `strength`, for several operators, each behind a network that falls silent after another
/// answer. Returns a job of their queue, which ends only if its workers can still claim it.
pub(crate) async fn fall_silent(stage: &Arc<Stage>, strength: u32) -> JobId {
    let operations = [Operation::Cancel, Operation::Purge, Operation::Requeue, Operation::SaveQueue];
    let operation = operations[strength as usize % operations.len()];
    let mut operators = JoinSet::new();
    for answers in ANSWERS {
        operators.spawn(operate(Arc::clone(stage), operation, answers));
    }
    operators.join_all().await;
    stage.bring(jobs::errand::job, Ends::CompletedOrCancelled).await
}

async fn operate(stage: Arc<Stage>, operation: Operation, answers: u32) {
    let later = || jobs::errand::job().delay(HOUR);
    let job = jobs::errand::handle(stage.bring(later, Ends::CompletedOrCancelled).await);
    let network = Proxy::to(&stage.server.url("postgres")).await;
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(CONNECTED_WITHIN);
    let client = Client::new(pool.connect_lazy(&network.url()).unwrap());
    // Connects. This fails if the server is down; then there is no connection to silence.
    if !matches!(timeout(CONNECTED_WITHIN, client.queue(QUEUE).stats()).await, Ok(Ok(_))) {
        return;
    }
    network.faults().fall_silent_after(answers);
    let operating = tokio::spawn(async move {
        // The result does not matter: its caller waits for an answer that does not come.
        match operation {
            Operation::Cancel => drop(job.cancel(&client).await),
            Operation::Purge => drop(client.queue(QUEUE).purge().await),
            Operation::Requeue => drop(client.cancelled_jobs().queue(QUEUE).requeue().await),
            Operation::SaveQueue => {
                drop(client.queue(QUEUE).retain(EndedState::Dead, HOUR * 24).save().await)
            }
        }
    });
    tokio::select! {
        () = network.faults().silent() => {}
        _ = operating => {} // The action took fewer answers.
    }
    stage.silent.lock().unwrap().push(network); // Dropping it would close the connection.
}

/// Purges their queue, because its scheduled jobs would never end.
pub(crate) async fn tidy_up(stage: &Stage) {
    while stage.client.queue(QUEUE).purge().await.is_err() {
        sleep(Duration::from_millis(20)).await;
    }
}
