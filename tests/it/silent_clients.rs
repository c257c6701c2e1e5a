//! A client that falls silent in the middle of any call leaves no lock behind.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{CancelOutcome, DatabaseError, HandleError, MigrateError};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::harness::{TestDb, in_time};
use crate::lifecycle::double;
use crate::probe::end_of;
use crate::proxy::Proxy;

const HOUR: Duration = Duration::from_secs(3600);
/// The highest number of messages tried per call. A migration sends more, but they are all alike.
const MOST: usize = 16;

/// A client with its own network, and its own queue with a scheduled and a cancelled job.
struct Stage {
    proxy: Proxy,
    client: Client,
    queue: String,
    waiting: JobHandle<i64>,
}

impl Stage {
    async fn new(db: &TestDb, queue: String) -> Self {
        db.client.queue(&queue).save().await.unwrap();
        let waiting = double::job(1).queue(&queue).delay(HOUR).enqueue(&db.client).await.unwrap();
        let ended = double::job(2).queue(&queue).delay(HOUR).enqueue(&db.client).await.unwrap();
        assert_eq!(ended.cancel(&db.client).await.unwrap(), CancelOutcome::Cancelled);
        let proxy = Proxy::to(&db.options).await;
        let client = Client::new(self::pool(&proxy).await);
        // With this call the client reads everything that it reads only once.
        assert!(waiting.status(&client).await.unwrap().is_some());
        Self { proxy, client, queue, waiting }
    }

    /// Makes the call on a network that falls silent after its `messages`-th message has reached the server. Returns false if the
    /// call sends no more messages than that.
    async fn call(&self, call: &str, messages: usize) -> bool {
        self.proxy.silence_after(messages);
        tokio::select! {
            () = self.proxy.silent() => true,
            answer = self.answer(call) => {
                answer.unwrap();
                false
            }
        }
    }

    async fn answer(&self, call: &str) -> std::result::Result<(), DatabaseError> {
        let (client, queue) = (&self.client, &self.queue);
        match call {
            "cancel" => self.waiting.cancel(client).await.map(drop).map_err(of_the_database),
            "purge" => client.queue(queue).purge().await.map(drop),
            "requeue" => client.cancelled_jobs().queue(queue).requeue().await.map(drop),
            "delete" => client.queue(queue).delete().await.map(drop),
            "purge dead" => client.cancelled_jobs().queue(queue).purge().await.map(drop),
            "stats" => client.queue(queue).stats().await.map(drop),
            "status" => self.waiting.status(client).await.map(drop).map_err(of_the_database),
            "list" => client.cancelled_jobs().list(9).await.map(drop),
            "save" => match client.queue(queue).retain(pgjobq::EndedState::Dead, HOUR).save().await {
                Err(pgjobq::QueueError::Database(error)) => Err(error),
                saved => {
                    saved.unwrap();
                    Ok(())
                }
            },
            _ => match client.migrate().await {
                Err(MigrateError::Database(error)) => Err(error),
                migrated => {
                    migrated.unwrap();
                    Ok(())
                }
            },
        }
    }
}

/// Returns a pool of one connection, so that all messages follow each other on it.
async fn pool(proxy: &Proxy) -> PgPool {
    PgPoolOptions::new().max_connections(1).connect_with(proxy.options()).await.unwrap()
}

/// Runs the call once per message, all at once, each silent after another message. Then all other clients must go on.
async fn locks_are_released(call: &'static str) {
    in_time(async {
        let db = TestDb::new(1).await;
        let stages = (1..=MOST).map(|n| Stage::new(&db, format!("silent_{n}")));
        let stages: Vec<_> = futures_util::future::join_all(stages).await;
        let mut silent = 0;
        for (n, stage) in stages.iter().enumerate() {
            silent += usize::from(stage.call(call, n + 1).await);
        }
        assert!(silent > 0, "the call sends messages");

        let mut worker = db.worker();
        for stage in &stages {
            db.client.queue(&stage.queue).save().await.unwrap();
            worker = worker.queue(&stage.queue, 2);
        }
        let worker = worker.build().await.unwrap().start();
        for stage in &stages {
            let job = double::job(21).queue(&stage.queue).enqueue(&db.client).await.unwrap();
            assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(42));
        }
        // A transaction that was aborted holds no lock. It stays until its client speaks again, and the time limit of idle
        // transactions, which is local to it, has ended with it.
        db.until(
            "not exists (select from pg_stat_activity
              where datname = current_database() and state = 'idle in transaction')",
        )
        .await;
        worker.shutdown().await.unwrap();
    })
    .await;
}

/// The time limit of any call on a busy machine; the specified limit is 35 s.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn call_on_a_silent_network_ends_in_time() {
    in_time(async {
        let db = TestDb::new(1).await;
        let calls = [
            "cancel",
            "purge",
            "requeue",
            "delete",
            "save",
            "purge dead",
            "migrate",
            "stats",
            "status",
            "list",
        ];
        let calls = calls.map(|call| {
            let db = &db;
            async move {
                let stage = Stage::new(db, format!("silent_{}", call.replace(' ', "_"))).await;
                stage.proxy.silence();
                let answer = tokio::time::timeout(LIMIT, stage.answer(call)).await;
                let answer = answer.unwrap_or_else(|_| panic!("{call} does not return"));
                assert!(answer.as_ref().is_err_and(DatabaseError::is_transient), "{call}: {answer:?}");
            }
        });
        futures_util::future::join_all(calls).await;
    })
    .await;
}

/// Makes the first two writes to `finished` fail, each with one of the errors of conflicting transactions.
const MEETINGS: &str = "create sequence public.met;
    create function public.meet() returns trigger language plpgsql as $$
    declare
        v_code text := (array['40P01', '55P03', '40001'])[pg_catalog.nextval('public.met')];
    begin
        if v_code is not null then
            raise exception 'another one was met' using errcode = v_code;
        end if;
        return null;
    end $$;
    create trigger meet after insert or delete on pgjobq.finished for each row execute function public.meet()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn call_that_meets_another_transaction_is_tried_again() {
    let db = TestDb::new(1).await;
    let stage = Stage::new(&db, "met".to_owned()).await;
    db.run(MEETINGS).await;
    for call in ["cancel", "requeue", "purge", "purge dead"] {
        db.run("alter sequence public.met restart").await;
        stage.answer(call).await.unwrap_or_else(|error| panic!("{call}: {error:?}"));
        assert_eq!(db.number("select last_value from public.met").await.min(4), 4, "{call} met three others");
    }
}

macro_rules! locks_are_released {
    ($($name:ident: $call:literal,)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            locks_are_released($call).await;
        }
    )+};
}

locks_are_released! {
    silent_cancel_leaves_no_lock: "cancel",
    silent_purge_leaves_no_lock: "purge",
    silent_requeue_leaves_no_lock: "requeue",
    silent_delete_of_a_queue_leaves_no_lock: "delete",
    silent_save_of_a_queue_leaves_no_lock: "save",
    silent_purge_of_ended_jobs_leaves_no_lock: "purge dead",
    silent_migration_leaves_no_lock: "migrate",
}

fn of_the_database(error: HandleError) -> DatabaseError {
    match error {
        HandleError::Database(error) => error,
        other => panic!("{other}"),
    }
}
