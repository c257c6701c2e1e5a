//! The page of a large workflow loads and shows no more than that of a small one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pgjobq::observe::{Statement, TelemetryHook};
use pgjobq::prelude::*;
use pgjobq_web::router;

use crate::browser::Browser;
use crate::stage::Stage;

#[job]
async fn one_of_many(number: u32) -> Result<()> {
    let _ = number;
    Ok(())
}

/// Counts the statements that load steps.
#[derive(Clone, Default)]
struct Loads(Arc<AtomicUsize>);

impl TelemetryHook for Loads {
    fn on_statement(&self, statement: &Statement) {
        self.0.fetch_add(usize::from(statement.name == "workflow_steps"), Ordering::SeqCst);
    }
}

async fn page(stage: &Stage, steps: u32) -> (String, serde_json::Value, usize) {
    let loads = Loads::default();
    let client = Client::builder(stage.client.pool().clone()).telemetry_hook(loads.clone()).build().unwrap();
    let mut flow = Workflow::new(format!("{steps} steps"));
    for number in 0..steps {
        flow.add(one_of_many::step(number));
    }
    let id = flow.enqueue(&client).await.unwrap().id();
    let browser = Browser::new(router(&client).open_to_everyone());
    let page = browser.get(&format!("workflow?id={id}")).await.body;
    let link = format!("workflow?id={id}");
    let json = browser.json(&link).await;
    client.close().await; // The hook has then seen all statements.
    (page, json, loads.0.load(Ordering::SeqCst))
}

#[tokio::test]
async fn page_of_a_large_workflow_loads_no_steps() {
    Stage::run(async |stage| {
        stage.client.queue("default").save().await.unwrap();
        let (small, json, loads) = page(stage, 400).await;
        assert_eq!(small.matches("data-label=\"kind\"").count(), 400);
        assert!(small.contains("id=\"live-workflow\" data-live"), "{small}");
        assert_eq!((json["graph"]["steps"].as_array().unwrap().len(), loads), (400, 2));
        let (large, json, loads) = page(stage, 401).await;
        assert!(!large.contains("data-label=\"kind\"") && !large.contains("data-live"), "{large}");
        assert!(large.contains("This workflow has 401 steps.") && large.contains("href=\"api/workflow?id="));
        assert_eq!((json["graph"]["steps"].as_array().unwrap().len(), loads), (401, 1));
    })
    .await;
}
