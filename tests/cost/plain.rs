//! The cost of an enqueue of jobs that have no limit, no rate, no unique key, and whose queue has no bound.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use pgjobq::prelude::*;
use pgjobq::sqlx::postgres::PgPoolOptions;
use tracing::Level;
use uuid::Uuid;

use crate::limits::at_most;
use crate::server::Db;
use crate::session::{Cost, Session, explain};
use crate::tables::{ARGS, KIND, QUIET};

#[job(queue = "plain")]
async fn plain(number: u64) {
    let _ = number;
}

/// Enqueues one job.
async fn enqueue_one(session: &mut Session) -> Cost {
    let query = explain("enqueue_one").bind(KIND).bind("default").bind(1i16).bind(20i16);
    let query = query.bind(3i16).bind(Uuid::now_v7()).bind(ARGS).bind(None::<&str>).bind(None::<&str>);
    let query = query.bind(None::<&str>).bind(None::<i64>).bind(None::<i64>).bind(None::<i64>);
    session.cost(query.bind(false).bind(None::<i32>).bind(i32::MAX).bind("all")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enqueue_of_plain_jobs_costs_no_more_than_its_rows() {
    let db = Db::new("plain").await;
    let mut session = Session::new(&db).await;
    // With few rows, an index grows by a level meanwhile, and each insert pays for that.
    session.fill(3_000, KIND).await;
    let _quiet = QUIET.read().await;
    for (count, buffers, wal) in [(1, 14.0, 453.0), (100, 610.0, 41_000.0)] {
        let mut least = Cost::ENDLESS;
        for _ in 0..16 {
            let cost = match count {
                1 => enqueue_one(&mut session).await,
                count => session.enqueue(count, None).await.0,
            };
            least.buffers = least.buffers.min(cost.buffers);
            least.wal = least.wal.min(cost.wal);
        }
        at_most(&format!("buffers of an enqueue of {count} plain jobs"), least.buffers, buffers);
        at_most(&format!("WAL of an enqueue of {count} plain jobs, bytes"), least.wal, wal);
    }
}

/// The statements that the client has sent.
#[derive(Clone, Default)]
struct Sent(Arc<Mutex<Vec<String>>>);

impl Sent {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl io::Write for Sent {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        if text.contains("sqlx::query") {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text.into_owned());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn enqueue_of_plain_jobs_is_one_statement() {
    let db = Db::new("plain_statements").await;
    let sent = Sent::default();
    let writer = sent.clone();
    let heard =
        tracing_subscriber::fmt().with_max_level(Level::DEBUG).with_writer(move || writer.clone()).finish();
    let _heard = tracing::subscriber::set_default(heard);
    // If one subscriber exists, `tracing` asks that of the thread which meets an event first, in another test perhaps.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let pool = PgPoolOptions::new().max_connections(1).connect_with(db.options.clone()).await.unwrap();
    let client = Client::new(pool.clone());
    client.queue("plain").save().await.unwrap();
    plain::enqueue(&client, 0).await.unwrap(); // The first one of a client reads the version of the schema.
    client.enqueue_all((0..100).map(plain::job)).await.unwrap();
    sent.take();
    for number in 0..20 {
        plain::enqueue(&client, number).await.unwrap();
    }
    let alone = sent.take();
    assert_eq!(alone.len(), 20, "{}", alone.concat());
    client.enqueue_all((0..100).map(plain::job)).await.unwrap();
    let together = sent.take();
    assert_eq!(together.len(), 1, "{}", together.concat());
    client.close().await;
    pool.close().await;
}
