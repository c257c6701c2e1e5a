//! pgmq, as a queue of plain messages, by its own crate and its embedded SQL.
//!
//! It has no worker, so the loops here are the whole of one: read a batch, handle it, delete it. They are best at batches of
//! a thousand, whatever the number of slots. (Tried: 1, 2 and 4 loops; batches of 100, 500 and 1,000.) Where latency is
//! measured, inserts notify, without a throttle; a pause of 10 ms between looks gave a median of 6 ms.

use std::sync::Arc;
use std::time::Duration;

use ::pgmq::{Message, PGMQueueExt};
use anyhow::Result;
use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::Notify;

use super::limit::Tasks;
use super::{Entry, Goal, Need, Peer, Running, Setup};
use crate::handled;
use crate::job::{Args, Job};

pub(super) const ENTRY: Entry = Entry {
    name: "pgmq",
    version: "0.34.0-alpha.7",
    settings: "2 loops of read_batch(1000) and delete_batch (20 queues: 1 loop each; kept: archive_batch), 10 ms pause if empty; latency: 1 loop, inserts notify, no throttle",
    can: &[Need::Kept, Need::Queues],
    most_jobs: u64::MAX,
    unfinished: "select exists (select from pgmq.q_bench0)",
    open: |setup| {
        Box::pin(async {
            let queue = PGMQueueExt::new_with_pool(super::pool(&setup.url).await?).await;
            Ok(Box::new(Pgmq { setup, queue }) as Box<dyn Peer>)
        })
    },
};

const BATCH: i32 = 1000;
/// Seconds after which a message that was not deleted is read again.
const VISIBILITY: i32 = 30;
const POLL: Duration = Duration::from_millis(10);
/// The longest time that a lost notification costs.
const LOST: Duration = Duration::from_secs(1);

struct Pgmq {
    setup: Setup,
    queue: PGMQueueExt,
}

fn name(number: usize) -> String {
    format!("bench{number}")
}

#[async_trait]
impl Peer for Pgmq {
    async fn set_up(&self) -> Result<()> {
        self.queue.install_sql_from_embedded().await?;
        for number in 0..self.setup.queues {
            self.queue.create(&name(number)).await?;
        }
        if self.setup.goal == Goal::Latency {
            self.queue.enable_notify_insert(&name(0), Duration::ZERO).await?;
        }
        Ok(())
    }

    async fn enqueue(&self, job: Job) -> Result<()> {
        self.queue.send(&name(job.queue), &job.args).await?;
        Ok(())
    }

    async fn enqueue_many(&self, jobs: Vec<Job>) -> Result<()> {
        let mut queues: Vec<Vec<Args>> = vec![Vec::new(); self.setup.queues];
        for job in jobs {
            queues[job.queue].push(job.args);
        }
        for (number, args) in queues.iter().enumerate().filter(|(_, args)| !args.is_empty()) {
            self.queue.send_batch(&name(number), args).await?;
        }
        Ok(())
    }

    async fn start(&self) -> Result<Box<dyn Running>> {
        let (woken, mut tasks) = (Arc::new(Notify::new()), Vec::new());
        if self.setup.goal == Goal::Latency {
            let mut listener = self.queue.queue_insert_listener(&name(0)).await?;
            let woken = Arc::clone(&woken);
            tasks.push(tokio::spawn(async move {
                loop {
                    listener.recv().await?;
                    woken.notify_one();
                }
            }));
        }
        let (loops, poll) = match self.setup.goal {
            Goal::Latency => (1, LOST),
            Goal::Throughput if self.setup.queues > 1 => (1, POLL),
            Goal::Throughput => (2, POLL),
        };
        for number in 0..self.setup.queues {
            for _ in 0..loops {
                let work =
                    Work { queue: self.queue.clone(), name: name(number), kept: self.setup.kept, poll };
                tasks.push(tokio::spawn(work.run(Arc::clone(&woken))));
            }
        }
        Ok(Box::new(Tasks(tasks)))
    }

    async fn close(&self) {
        self.queue.connection.close().await;
    }
}

struct Work {
    queue: PGMQueueExt,
    name: String,
    kept: bool,
    poll: Duration,
}

impl Work {
    async fn run(self, woken: Arc<Notify>) -> Result<()> {
        loop {
            let read: Vec<Message<Args, Value>> =
                self.queue.read_batch(&self.name, VISIBILITY, BATCH).await?;
            if read.is_empty() {
                let _ = tokio::time::timeout(self.poll, woken.notified()).await;
                continue;
            }
            read.iter().for_each(|message| handled::handle(message.message.sent));
            let ids: Vec<i64> = read.iter().map(|message| message.msg_id).collect();
            if self.kept {
                self.queue.archive_batch(&self.name, &ids).await?;
            } else {
                self.queue.delete_batch(&self.name, &ids).await?;
            }
        }
    }
}
