//! One graph on a real database: enqueued, disturbed, awaited, and compared with the model.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{JobState, WorkflowStatus};

use crate::graph::Graph;
use crate::harness::TestDb;
use crate::log::Log;
use crate::model::{Decision, End, end_of_role};
use crate::typed::workflow;
use crate::verdict::Story;

/// The time in which a workflow ends, also on a slow machine. After it, a step counts as stranded.
const WITHIN: Duration = Duration::from_secs(240);

/// An enqueued graph.
pub(crate) struct Run {
    pub(crate) graph: Graph,
    pub(crate) handle: WorkflowHandle,
    pub(crate) steps: Vec<Step<u64>>,
    pub(crate) decisions: Mutex<BTreeMap<usize, Decision>>,
}

impl Run {
    pub(crate) async fn enqueue(graph: Graph, client: &Client) -> Self {
        let (flow, steps) = workflow(&graph);
        let handle = flow.enqueue(client).await.unwrap();
        Self { graph, handle, steps, decisions: Mutex::default() }
    }

    /// Awaits the end of the workflow, compares it with the model, and retries it if it did not complete.
    pub(crate) async fn check(&self, db: &TestDb, log: &Arc<Log>) -> Result<(), String> {
        let client = &db.client;
        self.cancel(client).await;
        let before = self.judge(db, log, None).await?;
        if before.iter().all(Result::is_ok) {
            return Ok(());
        }
        log.repair(self.graph.seed);
        self.handle.retry_failed(client).await.map_err(|error| error.to_string())?;
        let after = self.judge(db, log, Some(&before)).await?;
        let last = self.steps.last().expect("a graph has a step");
        let output = self.handle.output(client, last).await.map_err(|error| error.to_string())?;
        match (output, after.get(self.steps.len() - 1)) {
            (Outcome::Completed(output), Some(Ok(wanted))) if output == *wanted => Ok(()),
            (output, wanted) => Err(format!("the last step: {output:?}, and the model says {wanted:?}")),
        }
    }

    /// Cancels what a person cancels in this graph.
    async fn cancel(&self, client: &Client) {
        for (node, step) in self.graph.nodes.iter().zip(&self.steps) {
            if node.is_cancelled {
                client.job(step.id()).cancel().await.unwrap();
            }
        }
        if self.graph.is_cancelled {
            self.handle.cancel(client).await.unwrap();
        }
    }

    async fn judge(&self, db: &TestDb, log: &Log, before: Option<&[End]>) -> Result<Vec<End>, String> {
        let outcome = self.handle.wait_timeout(&db.client, WITHIN).await;
        let (states, roles) = self.states(db).await;
        let outcome = outcome.map_err(|error| format!("{error}; its steps: {states:?}"))?;
        let events = log.take(self.graph.seed);
        let decisions = self.decisions.lock().unwrap().clone();
        let story =
            Story { graph: &self.graph, states: &states, decisions: &decisions, events: &events, before };
        let ends = story.ends()?;
        let completed = ends.iter().all(Result::is_ok);
        let may_be_cancelled = self.graph.is_cancelled && before.is_none();
        for (role, state) in self.graph.roles.iter().zip(&roles) {
            let wanted = end_of_role(*role, &ends);
            // A step that ran for the failure before the retry has completed.
            if *state != wanted && !(may_be_cancelled && *state == JobState::Cancelled) && before.is_none() {
                return Err(format!("{role:?} is {state}, and the model says {wanted}"));
            }
        }
        let fits = match outcome {
            WorkflowOutcome::Completed => completed,
            WorkflowOutcome::Failed => !completed,
            WorkflowOutcome::Cancelled => !completed && may_be_cancelled,
        };
        let status = self.handle.status(&db.client).await.map_err(|error| error.to_string())?;
        let all: Vec<JobState> = states.into_iter().flatten().chain(roles).collect();
        match fits && status.as_ref().is_some_and(|status| counts(status, &all)) {
            true => Ok(ends),
            false => Err(format!("the workflow {outcome}: {status:?}, and its steps are {all:?}")),
        }
    }

    /// The states of the steps, and of those that have a role.
    async fn states(&self, db: &TestDb) -> (Vec<Option<JobState>>, Vec<JobState>) {
        let graph = self.handle.graph(&db.client).await.unwrap().expect("the workflow is there");
        let graph: serde_json::Value = serde_json::from_str(&graph.json()).unwrap();
        let (mut states, mut roles) = (vec![None; self.graph.nodes.len()], Vec::new());
        for step in graph["steps"].as_array().unwrap() {
            let state: JobState = step["state"].as_str().unwrap().parse().unwrap();
            match step["name"].as_str().unwrap().parse::<usize>() {
                Ok(n) => assert!(states[n].replace(state).is_none(), "step {n} was added twice"),
                Err(_) => roles.push(state),
            }
        }
        (states, roles)
    }
}

/// Returns whether the status counts the steps as they are.
fn counts(status: &WorkflowStatus, states: &[JobState]) -> bool {
    let count = |state| states.iter().filter(|other| **other == state).count() as u64;
    status.total() == states.len() as u64
        && status.ended() == status.total()
        && states.iter().all(|state| status.count(*state) == count(*state))
}
