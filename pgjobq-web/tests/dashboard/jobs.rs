//! Jobs to look at.

use pgjobq::prelude::*;
use pgjobq::{JobId, WorkflowId};

use crate::stage::Stage;

/// Dies at once, with this message.
#[job]
async fn fails(message: String) -> Result<()> {
    Err(JobError::fatal(message))
}

/// Keeps its argument, and returns it.
#[job]
async fn keeps(value: serde_json::Value) -> Result<serde_json::Value> {
    Ok(value)
}

/// The secret is not shown.
#[job(redact = [secret])]
async fn hides(secret: String, shown: u8) -> Result<()> {
    let _ = (secret, shown);
    Ok(())
}

#[job]
async fn first() -> Result<u8> {
    Ok(1)
}

#[job]
async fn second(number: u8) -> Result<()> {
    Err(JobError::fatal(format!("{number} is enough")))
}

/// Dies instead of returning a number.
#[job]
async fn breaks() -> Result<u8> {
    Err(JobError::fatal("broken"))
}

/// A workflow with a held step, number 2, whose parent is dead, and its queue.
pub(crate) async fn hold(stage: &Stage) -> WorkflowId {
    let mut flow = Workflow::new("holds");
    let failing = flow.add(fails::step("broken"));
    flow.add(keeps::step(serde_json::json!(1)).after(&failing).hold_on_failure().named("held"));
    run_until_held(stage, flow).await
}

/// The same, but the held step takes the output of its parent.
pub(crate) async fn hold_without_output(stage: &Stage) -> WorkflowId {
    let mut flow = Workflow::new("holds");
    let failing = flow.add(breaks::step());
    flow.add(second::step(failing.output()).hold_on_failure().named("held"));
    run_until_held(stage, flow).await
}

async fn run_until_held(stage: &Stage, flow: Workflow) -> WorkflowId {
    let worker = stage.worker().build().await.unwrap().start();
    let flow = flow.enqueue(&stage.client).await.unwrap();
    stage.until("exists (select from pgjobq.job_states where state = 'held')").await;
    worker.shutdown().await.unwrap();
    flow.id()
}

/// Fires at no time at which these tests run, except at the end of a year.
#[job(schedule = "0 0 1 1 *", timezone = "Europe/Berlin", missed = "run_once")]
async fn new_year() {}

/// The name of a schedule that was set, and not by the code.
pub(crate) const SCHEDULE: &str = "reports/yearly";

/// Jobs in several states.
pub(crate) struct Seeds {
    pub(crate) waiting: JobId,
    pub(crate) scheduled: JobId,
    pub(crate) dead: JobId,
    pub(crate) completed: JobId,
    pub(crate) workflow: WorkflowId,
}

/// Enqueues jobs whose texts all have this one in them, and lets a worker end some of them.
pub(crate) async fn seed(stage: &Stage, text: &str) -> Seeds {
    let client = &stage.client;
    let worker = stage.worker().build().await.unwrap().start();
    let dead = fails::enqueue(client, text.to_owned()).await.unwrap();
    let completed = keeps::enqueue(client, serde_json::json!({ "text": text })).await.unwrap();
    let mut flow = Workflow::new(text);
    let number = flow.add(first::step());
    flow.add(second::step(number.output()).named(text));
    let flow = flow.enqueue(client).await.unwrap();
    let _ = dead.wait(client).await.unwrap();
    let _ = completed.wait(client).await.unwrap();
    let _ = flow.wait(client).await.unwrap();
    stage.until("exists (select from pgjobq.schedules)").await;
    worker.shutdown().await.unwrap();
    let hour = std::time::Duration::from_secs(3600);
    let report = keeps::schedule("30 3 1 1 *", serde_json::json!([text])).timezone("America/New_York");
    client.schedules().upsert(SCHEDULE, report).await.unwrap();
    let missed =
        "update pgjobq.schedules set set_by = $1, last_missed = '2026-01-01T08:30:00Z', last_missed_why = $1
                   where name = $2";
    pgjobq::sqlx::query(missed).bind(text).bind(SCHEDULE).execute(client.pool()).await.unwrap();
    let waiting = keeps::job(serde_json::json!([text])).attribute("note", text).key(text);
    let waiting = waiting.enqueue(client).await.unwrap();
    let scheduled = hides::job("hunter2".to_owned(), 7).delay(hour).enqueue(client).await.unwrap();
    Seeds {
        waiting: waiting.id(),
        scheduled: scheduled.id(),
        dead: dead.id(),
        completed: completed.id(),
        workflow: flow.id(),
    }
}

impl Seeds {
    /// Returns the paths of all screens, with these jobs.
    pub(crate) fn screens(&self) -> Vec<String> {
        let (dead, waiting) = (self.dead.to_string(), self.waiting.to_string());
        let mut paths: Vec<String> = [
            "overview",
            "jobs",
            "jobs?filter=state+%3D+%27dead%27",
            "queues",
            "queue?name=default",
            "kinds",
            "schedules",
            "schedule?name=reports%2Fyearly",
            "schedule?name=new_year",
            "jobs?order=oldest",
            "limits",
            "workflows",
            "dead",
            "workers",
            "actions",
            "audit",
            "preview?action=cancel&filter=all",
        ]
        .map(str::to_owned)
        .into();
        paths.extend(
            [&dead, &waiting, &self.completed.to_string(), &self.scheduled.to_string()]
                .map(|id| format!("job?id={id}")),
        );
        paths.push(format!("workflow?id={}", self.workflow));
        paths.push(format!("preview?action=requeue&id={dead}&id={waiting}"));
        paths
    }
}
