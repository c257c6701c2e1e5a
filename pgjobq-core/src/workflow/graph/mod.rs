//! The graph of a workflow: its steps, their states and their edges, for people and for programs.

mod dot;
mod mermaid;

use serde::Serialize;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::enqueue::edge::Demand;
use crate::workflow::builder::Workflow;
use crate::workflow::draft::Role;
use crate::workflow::links::{Link, links};
use crate::{JobId, JobState};

/// The graph of a workflow at one moment: from [`Workflow::graph`], and with the states of the steps from
/// [`WorkflowHandle::graph`](crate::WorkflowHandle::graph).
///
/// An edge that demands that the parent completes is a solid arrow; one that only demands an end is dotted or dashed. A step for the
/// end of the workflow waits for all others: it has no arrows, and says so.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// # mod probe { pub fn step() -> pgjobq_core::NewStep<u64> {
/// #     pgjobq_core::NewStep::new("probe", &pgjobq_core::__private::Policy::DEFAULT, []) } }
/// # mod publish { pub fn step(length: impl pgjobq_core::Input<u64>) -> pgjobq_core::NewStep<()> {
/// #     pgjobq_core::NewStep::new("publish", &pgjobq_core::__private::Policy::DEFAULT, [length.source("length")]) } }
/// use pgjobq::Workflow;
///
/// let mut flow = Workflow::new("ingest");
/// let length = flow.add(probe::step());
/// flow.add(publish::step(length.output()));
/// assert_eq!(
///     flow.graph().mermaid(),
///     r#"flowchart TD
///     s1["probe"]
///     s2["publish"]
///     s1 --> s2
/// "#
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Graph {
    #[serde(rename = "workflow")]
    pub(crate) name: String,
    #[serde(rename = "steps")]
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<Edge>,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Node {
    pub(crate) n: u32,
    pub(crate) name: String,
    pub(crate) kind: String,
    /// Set if it runs at the end of the workflow.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_word")]
    pub(crate) role: Option<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<JobState>,
    /// Its job, if the workflow was enqueued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) job: Option<JobId>,
}

/// A step and the edges to its children, as the database has them.
pub(crate) struct Part {
    pub(crate) node: Node,
    edges: Vec<Edge>,
}

/// An edge between two steps, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Edge {
    pub(crate) parent: u32,
    pub(crate) child: u32,
    #[serde(serialize_with = "in_words")]
    pub(crate) demand: Demand,
}

impl Part {
    pub(crate) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let invalid = |error: String| sqlx::Error::Decode(error.into());
        let (n, kind): (i32, String) = (row.try_get("n")?, row.try_get("kind")?);
        let (n, name) = (n.unsigned_abs(), row.try_get::<Option<_>, _>("name")?);
        let role = row.try_get::<Option<&str>, _>("role")?.and_then(Role::of_word);
        let state = row.try_get::<&str, _>("state")?.parse().map_err(invalid)?;
        let (children, demands): (Vec<i32>, &str) = (row.try_get("children")?, row.try_get("demands")?);
        let edge = |(child, letter): (&i32, char)| {
            let demand = Demand::of_letter(letter)?;
            Some(Edge { parent: n, child: child.unsigned_abs(), demand })
        };
        Ok(Self {
            node: Node {
                n,
                name: name.unwrap_or_else(|| kind.clone()),
                kind,
                role,
                state: Some(state),
                job: Some(JobId::from(row.try_get::<Uuid, _>("job")?)),
            },
            edges: children.iter().zip(demands.chars()).filter_map(edge).collect(),
        })
    }
}

impl Graph {
    pub(crate) fn new(name: String) -> Self {
        Self { name, nodes: Vec::new(), edges: Vec::new() }
    }

    pub(crate) fn add(&mut self, part: Part) {
        self.nodes.push(part.node);
        self.edges.extend(part.edges);
    }

    /// Returns the graph as [Mermaid](https://mermaid.js.org/syntax/flowchart.html) text, which GitHub and many editors draw.
    #[must_use]
    pub fn mermaid(&self) -> String {
        mermaid::of(self)
    }

    /// Returns the graph in the language of [Graphviz](https://graphviz.org/doc/info/lang.html): `dot -Tsvg`.
    #[must_use]
    pub fn dot(&self) -> String {
        dot::of(self)
    }

    /// Returns the graph as JSON: `{"workflow": …, "steps": [{"n", "name", "kind", "role", "state", "job"}], "edges": [{"parent",
    /// "child", "demand"}]}`. A demand is `completed`, `completed_or_held` or `any_end`. Only steps for the end of the workflow have a role:
    /// `complete` or `failure`.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are JSON")
    }
}

impl Workflow {
    /// Returns the graph of the steps that were added so far.
    #[must_use]
    pub fn graph(&self) -> Graph {
        let mut graph = Graph::new(self.draft.identity.name.clone());
        for (n, step) in (1..).zip(&self.draft.steps) {
            let added = step.at.added();
            let (name, kind, role) = (added.name.clone(), added.kind.to_owned(), step.parts.role);
            let node = Node { n, name, kind, role, state: None, job: None };
            let parents = links(&self.draft.identity, step).unwrap_or_default();
            let edge = |link: &Link| Edge { parent: link.parent, child: n, demand: link.demand };
            graph.add(Part { node, edges: parents.iter().map(edge).collect() });
        }
        graph
    }
}

impl Node {
    /// The lines under its name.
    fn notes(&self) -> impl Iterator<Item = &'static str> {
        let role = self.role.map(|role| match role {
            Role::OnComplete => "at the end, if all completed",
            Role::OnFailure => "at the end, if one did not complete",
        });
        role.into_iter().chain(self.state.map(JobState::as_str))
    }
}

fn as_word<S: serde::Serializer>(role: &Option<Role>, to: S) -> Result<S::Ok, S::Error> {
    role.map(Role::word).serialize(to)
}

fn in_words<S: serde::Serializer>(demand: &Demand, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(match demand {
        Demand::AnyEnd => "any_end",
        Demand::Completed => "completed",
        Demand::CompletedOrHeld => "completed_or_held",
    })
}
