//! Hooks see each statement of ours.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgjobq::observe::{Plan, Statement, TelemetryHook};
use pgjobq::prelude::*;

use super::worker;
use crate::harness::TestDb;
use crate::probe::end_of;

/// The statements and plans that a hook has seen.
#[derive(Clone, Default)]
pub(super) struct Hook {
    pub(super) statements: Arc<Mutex<Vec<Statement>>>,
    pub(super) plans: Arc<Mutex<Vec<Plan>>>,
}

impl TelemetryHook for Hook {
    fn on_statement(&self, statement: &Statement) {
        self.statements.lock().unwrap().push(statement.clone());
    }

    fn on_plan(&self, plan: &Plan) {
        self.plans.lock().unwrap().push(plan.clone());
    }
}

#[job(retain = "1h")]
pub(super) async fn hooked(number: u32) -> Result<u32> {
    Ok(number)
}

on_one_shard!(hook_sees_each_statement_with_its_sender);
async fn hook_sees_each_statement_with_its_sender(db: TestDb) {
    let hook = Hook::default();
    let client = Client::builder(db.pool.clone()).telemetry_hook(hook.clone()).build().unwrap();
    let worker = worker(&client).name("hooked-worker").build().await.unwrap().start();
    let job = hooked::enqueue(&client, 1).await.unwrap();
    let _ = end_of(&client, &job).await;
    client.enqueue_all((0..3).map(hooked::job)).await.unwrap();
    client.dead_jobs().list(1).await.unwrap();
    assert!(client.queue("no such queue!").save().await.is_err());
    for name in ["list_workers", "find_due", "find_expiring"] {
        while !hook.statements.lock().unwrap().iter().any(|statement| statement.name == name) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    worker.shutdown().await.unwrap();
    client.close().await;

    let seen = hook.statements.lock().unwrap().clone();
    let of = |worker: Option<&str>| {
        let sent = |statement: &&Statement| statement.worker.as_deref() == worker;
        seen.iter().filter(sent).map(|statement| statement.name).collect::<BTreeSet<_>>()
    };
    for name in ["claim", "finish", "heartbeat", "list_workers", "find_due", "find_expiring", "leave"] {
        assert!(
            of(Some("hooked-worker")).contains(name),
            "{name} is missing: {:?}",
            of(Some("hooked-worker"))
        );
    }
    for name in ["enqueue_one", "enqueue_many", "lookup", "ended_badly"] {
        assert!(of(None).contains(name), "{name} is missing: {:?}", of(None));
    }
    assert!(!seen.iter().any(|statement| statement.name == "other"), "{seen:?}");
    let enqueue = seen.iter().find(|statement| statement.name == "enqueue_one").unwrap();
    assert_eq!((enqueue.rows, &enqueue.error), (1, &None));
}

on_one_shard!(hook_sees_the_sqlstate_of_an_error);
async fn hook_sees_the_sqlstate_of_an_error(db: TestDb) {
    let hook = Hook::default();
    let client = Client::builder(db.pool.clone()).telemetry_hook(hook.clone()).build().unwrap();
    db.run("create function refuse() returns trigger language plpgsql as $$ begin raise 'no' using errcode = 'P0007'; end $$;
            create trigger refuse before insert on pgjobq.jobs execute function refuse()").await;
    assert!(hooked::enqueue(&client, 1).await.is_err());
    client.close().await;
    let seen = hook.statements.lock().unwrap().clone();
    assert!(seen.iter().any(|s| s.name == "enqueue_one" && s.error.as_deref() == Some("P0007")), "{seen:?}");
}
