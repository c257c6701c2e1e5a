//! `pgjobq workflows`

use clap::{Args, ValueEnum};
use pgjobq::{ListedWorkflow, WorkflowHandle, WorkflowId, WorkflowStatus};
use serde::Serialize;

use crate::confirm::Asked;
use crate::failure::Failure;
use crate::json::{time, times};
use crate::session::Session;
use crate::table::Table;
use crate::text::moment;

/// List workflows, show one or its graph, retry what failed of it, let a held step run, or cancel it
#[derive(Args)]
pub(crate) struct Workflows {
    /// Only this workflow
    #[arg(value_name = "ID")]
    id: Option<WorkflowId>,
    /// Print its graph with the states of its steps
    #[arg(
        long,
        requires = "id",
        conflicts_with = "change",
        value_name = "FORM",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "mermaid"
    )]
    graph: Option<GraphForm>,
    /// Run the steps again that did not complete
    #[arg(long, requires = "id", group = "change")]
    retry_failed: bool,
    /// Let this held step run: `pgjobq job` has the number of a step
    #[arg(long, requires = "id", value_name = "NUMBER", group = "change")]
    resume: Option<u32>,
    /// Cancel it
    #[arg(long, requires = "id", group = "change")]
    cancel: bool,
    /// Who asks; the database role by default
    #[arg(long, requires = "change", value_name = "NAME")]
    by: Option<String>,
    /// The reason, which is stored
    #[arg(long, requires = "change", value_name = "REASON")]
    because: Option<String>,
    /// Go on after this workflow, the last one of the page before
    #[arg(long, value_name = "ID", conflicts_with = "id")]
    after: Option<WorkflowId>,
    /// The most workflows to show, the latest first
    #[arg(long, short, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "WORKFLOWS")]
    limit: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum GraphForm {
    Mermaid,
    Dot,
    Json,
}

#[derive(Serialize)]
struct WorkflowJson {
    id: WorkflowId,
    name: String,
    outcome: Option<&'static str>,
    live: u64,
    failed: u64,
    created_at: String,
    ended_at: Option<String>,
    deadline: Option<String>,
}

impl Workflows {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let Some(id) = self.id else { return self.list(session).await };
        let (client, run) = (&session.client, WorkflowHandle::from_id(id));
        let missing = || Failure::NotFound(format!("there is no workflow {id}, or it is no longer kept"));
        let Some(status) = run.status(client).await? else { return Err(missing()) };
        if let Some(form) = self.graph {
            return print_graph(session, &run, form).await;
        }
        if self.retry_failed {
            self.retry(session, &run).await?;
        } else if let Some(step) = self.resume {
            self.resume(session, &run, step).await?;
        } else if self.cancel {
            self.request_cancel(session, &run).await?;
        }
        let status = run.status(client).await?.unwrap_or(status);
        session.out.print(&StatusJson::from(&status), || shown(&status))
    }

    async fn retry(self, session: &Session, run: &WorkflowHandle) -> Result<(), Failure> {
        let id = run.id();
        let retry = async {
            let outcome = match run.retry_failed(&session.client).await? {
                0 => return Err(Failure::Refused(format!("workflow {id} has no step that could run again"))),
                1 => "1 step runs again".to_owned(),
                steps => format!("{steps} steps run again"),
            };
            Ok((outcome.clone(), outcome))
        };
        let outcome =
            session.recorded("retry_failed", format!("workflow {id}"), &self.asked(), retry).await?;
        session.out.note(&outcome);
        Ok(())
    }

    async fn resume(self, session: &Session, run: &WorkflowHandle, step: u32) -> Result<(), Failure> {
        let id = run.id();
        let resume = async {
            match run.resume_step(&session.client, step).await? {
                true => Ok(((), "the step is not held any more".to_owned())),
                false => Err(Failure::Refused(format!("step {step} of workflow {id} is not held"))),
            }
        };
        let subject = format!("step {step} of workflow {id}");
        session.recorded("resume", subject, &self.asked(), resume).await?;
        session.out.note(&format!("step {step} runs as soon as it waits for nothing else"));
        Ok(())
    }

    fn asked(self) -> Asked {
        Asked { by: self.by, because: self.because }
    }

    /// Requests the cancellation, which the workflow itself keeps.
    async fn request_cancel(self, session: &Session, run: &WorkflowHandle) -> Result<(), Failure> {
        let mut cancel = run.cancel(&session.client);
        if let Some(by) = self.by {
            cancel = cancel.by(by);
        }
        if let Some(because) = self.because {
            cancel = cancel.because(because);
        }
        if !cancel.await? {
            return Err(Failure::Refused(format!("workflow {} does not run", run.id())));
        }
        session.out.note("the request is stored: workers carry it out");
        Ok(())
    }

    async fn list(self, session: &Session) -> Result<(), Failure> {
        let flows = session.client.workflows(self.after, self.limit).await?;
        let json: Vec<_> = flows.iter().map(WorkflowJson::from).collect();
        session.out.print(&json, || {
            let mut table = Table::new(&["ID", "NAME", "OUTCOME", ">LIVE", ">FAILED", "ENQUEUED"]);
            for flow in &flows {
                table.row([
                    flow.id.to_string(),
                    flow.name.clone(),
                    flow.outcome.map_or("runs", |outcome| outcome.as_str()).to_owned(),
                    flow.live.to_string(),
                    flow.failed.to_string(),
                    moment(flow.created_at),
                ]);
            }
            table
        })
    }
}

async fn print_graph(session: &Session, run: &WorkflowHandle, form: GraphForm) -> Result<(), Failure> {
    let id = run.id();
    let graph = run.graph(&session.client).await?;
    let graph = graph.ok_or_else(|| Failure::NotFound(format!("there is no workflow {id}")))?;
    let (text, json) = match form {
        GraphForm::Mermaid => (graph.mermaid(), session.out.is_json()),
        GraphForm::Dot => (graph.dot(), session.out.is_json()),
        GraphForm::Json => (String::new(), true),
    };
    if !json {
        return session.out.print(&text, || &text);
    }
    session.out.json(&graph.json())
}

impl From<&ListedWorkflow> for WorkflowJson {
    fn from(flow: &ListedWorkflow) -> Self {
        Self {
            id: flow.id,
            name: flow.name.clone(),
            outcome: flow.outcome.map(|outcome| outcome.as_str()),
            live: flow.live,
            failed: flow.failed,
            created_at: time(flow.created_at),
            ended_at: times(flow.ended_at),
            deadline: times(flow.deadline),
        }
    }
}

#[derive(Serialize)]
struct StatusJson<'w> {
    id: WorkflowId,
    name: &'w str,
    outcome: Option<&'static str>,
    steps: std::collections::BTreeMap<&'static str, u64>,
    created_at: String,
    ended_at: Option<String>,
    deadline: Option<String>,
    cancelled_by: Option<&'w str>,
    cancelled_for: Option<&'w str>,
}

impl<'w> From<&'w WorkflowStatus> for StatusJson<'w> {
    fn from(status: &'w WorkflowStatus) -> Self {
        Self {
            id: status.id,
            name: &status.name,
            outcome: status.outcome.map(|outcome| outcome.as_str()),
            steps: status.steps.iter().map(|(state, steps)| (state.as_str(), *steps)).collect(),
            created_at: time(status.created_at),
            ended_at: times(status.ended_at),
            deadline: times(status.deadline),
            cancelled_by: status.cancelled_by.as_deref(),
            cancelled_for: status.cancelled_for.as_deref(),
        }
    }
}

fn shown(status: &WorkflowStatus) -> String {
    let steps: Vec<_> = status.steps.iter().map(|(state, steps)| format!("{steps} {state}")).collect();
    let outcome = status.outcome.map_or("runs", |outcome| outcome.as_str());
    let mut text = format!("{} `{}` {outcome}: {}\n", status.id, status.name, steps.join(", "));
    text += &format!("enqueued {}\n", moment(status.created_at));
    for (name, at) in [("ended", status.ended_at), ("deadline", status.deadline)] {
        text += &at.map(|at| format!("{name} {}\n", moment(at))).unwrap_or_default();
    }
    if let Some(by) = &status.cancelled_by {
        let reason = status.cancelled_for.as_ref().map(|reason| format!(": {reason}"));
        text += &format!("cancelled by {by}{}\n", reason.unwrap_or_default());
    }
    text
}
