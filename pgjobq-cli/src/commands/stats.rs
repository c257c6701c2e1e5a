//! `pgjobq stats`

use clap::Args;
use pgjobq::{Pause, QueueOverview};
use serde::Serialize;

use crate::failure::Failure;
use crate::json::{PauseJson, QueueJson};
use crate::session::Session;
use crate::table::Table;
use crate::text::{count, part, span};

/// Show the state of the queues, and what is paused
#[derive(Args)]
pub(crate) struct Stats {
    /// Only these queues
    #[arg(value_name = "QUEUE")]
    queues: Vec<String>,
}

#[derive(Serialize)]
struct StatsJson {
    queues: Vec<QueueJson>,
    pauses: Vec<PauseJson>,
}

impl Stats {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let mut queues = session.client.queues().await?;
        if let Some(unknown) =
            self.queues.iter().find(|name| queues.iter().all(|queue| queue.queue != **name))
        {
            let known: Vec<_> = queues.iter().map(|queue| format!("`{}`", queue.queue)).collect();
            return Err(Failure::NotFound(format!(
                "queue `{unknown}` does not exist; there are {}",
                known.join(", ")
            )));
        }
        if !self.queues.is_empty() {
            queues.retain(|queue| self.queues.contains(&queue.queue));
        }
        let pauses = session.client.pauses().await?;
        let json = StatsJson {
            queues: queues.iter().map(QueueJson::from).collect(),
            pauses: pauses.iter().map(PauseJson::from).collect(),
        };
        session.out.print(&json, || shown(&queues, &pauses))
    }
}

/// Returns the table of queues, and a line for each pause and each queue with jobs that no worker takes.
fn shown(queues: &[QueueOverview], pauses: &[Pause]) -> String {
    let mut table = Table::new(&[
        "QUEUE",
        ">READY",
        ">RUNNING",
        ">SCHEDULED",
        ">BLOCKED",
        ">LIMITED",
        ">DEAD",
        ">OLDEST",
        ">DONE/MIN",
        ">FAILED/MIN",
        ">WORKERS",
    ]);
    for queue in queues {
        let exact = queue.exact;
        table.row([
            queue.queue.clone(),
            count(queue.ready, exact),
            count(queue.running, exact),
            part(queue.scheduled, exact),
            count(queue.blocked, exact),
            count(queue.limited, exact),
            part(queue.dead, queue.exact),
            queue.oldest_waits_for.map_or("-".to_owned(), span),
            format!("{:.1}", queue.completed_per_minute),
            format!("{:.1}", queue.failed_per_minute),
            queue.workers.to_string(),
        ]);
    }
    let mut text = table.to_string();
    for queue in queues {
        let QueueOverview { queue: name, unaccepted, workers, .. } = queue;
        if *workers == 0 && queue.ready > 0 {
            text += &format!("\nno live worker serves the queue `{name}`");
        } else if *unaccepted > 0 {
            text += &format!("\nno live worker takes {unaccepted} of the first jobs of the queue `{name}`");
        }
        if let (Some(bound), Some(0)) = (queue.bound, queue.room) {
            text += &format!("\nthe queue `{name}` is full: its bound is {bound}");
        }
    }
    for pause in pauses {
        text += &format!("\n{pause}");
    }
    text
}
