//! The plans of the statements of an enqueue: a session makes them at first, and then never again.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Executor, Postgres};
use tracing::Level;
use uuid::Uuid;

use crate::server::Db;
use crate::session::{Session, statement};
use crate::tables::{ARGS, KIND};

/// The first line of the message that the server sends for each statement that it plans.
const PLANNED: &str = "PLANNER STATISTICS";

/// The number of such messages.
static PLANS: AtomicUsize = AtomicUsize::new(0);

/// Counts the messages that are written to it, one at a time.
struct Count;

impl io::Write for Count {
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        PLANS.fetch_add(String::from_utf8_lossy(message).matches(PLANNED).count(), Ordering::Relaxed);
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The enqueue of this many jobs, with all parameters but the last three.
fn enqueue(count: usize) -> Query<'static, Postgres, PgArguments> {
    if count == 1 {
        let query = sqlx::query(statement("enqueue_one")).bind(KIND).bind("default").bind(1i16).bind(20i16);
        let query = query.bind(3i16).bind(Uuid::now_v7()).bind(ARGS).bind(None::<&str>).bind(None::<&str>);
        return query.bind(None::<&str>).bind(None::<i64>).bind(None::<i64>).bind(None::<i64>);
    }
    let ids: Vec<Uuid> = (0..count).map(|_| Uuid::now_v7()).collect();
    let query = sqlx::query(statement("enqueue_many")).bind(vec![KIND]).bind(vec!["default"]);
    let query = query.bind(vec![1i16]).bind(vec![20i16]).bind(vec![3i16]).bind(ids);
    let query = query.bind(vec![1i32; count]).bind(vec![ARGS; count]).bind(None::<Vec<Option<&str>>>);
    let query = query.bind(None::<Vec<Option<&str>>>).bind(None::<Vec<Option<&str>>>);
    let none = None::<Vec<Option<i64>>>;
    query.bind(none.clone()).bind(none.clone()).bind(none)
}

#[tokio::test]
async fn enqueues_are_not_planned_again() {
    let db = Db::new("replans").await;
    let mut session = Session::new(&db).await;
    let heard = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_writer(|| Count);
    let _heard = tracing::subscriber::set_default(heard.finish());
    let planned = || PLANS.load(Ordering::Relaxed);
    session.measured.execute("set client_min_messages = log; set log_planner_stats = on").await.unwrap();
    for count in [1, 8, 100] {
        let mut at_first = 0;
        for call in 0..20 {
            let before = planned();
            let query = enqueue(count).bind(false).bind(None::<i32>).bind(i32::MAX);
            let query = if count == 1 {
                query
            } else {
                let none = None::<Vec<Option<&str>>>;
                query.bind(None::<&str>).bind(None::<Vec<Option<i32>>>).bind(none.clone()).bind(none)
            };
            query.bind("all").fetch_one(&mut session.measured).await.unwrap();
            // PostgreSQL makes five plans for the given parameters before it may decide for one for all.
            match call {
                0..10 => at_first += planned() - before,
                _ => assert_eq!(planned() - before, 0, "planned in call {call} of {count} jobs"),
            }
        }
        assert!(at_first > 0, "the server reports nothing");
    }
}
