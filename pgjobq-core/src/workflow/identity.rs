//! The identity of a workflow, and of each of its steps.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{InvalidJobId, JobId};

/// The identity of a workflow: a UUID that the client makes.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use pgjobq::{Workflow, WorkflowId};
///
/// let flow = Workflow::new("ingest");
/// let text = flow.id().to_string(); // To keep beside the data that the workflow is about.
/// assert_eq!(text.parse::<WorkflowId>()?, flow.id());
/// # Ok::<_, pgjobq::InvalidJobId>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkflowId(JobId);

impl WorkflowId {
    /// Makes a new id.
    #[must_use]
    #[allow(clippy::new_without_default)] // Two defaults that differ would surprise.
    pub fn new() -> Self {
        Self(JobId::new())
    }

    /// Returns the id as a UUID.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        self.0.as_uuid()
    }

    /// The id as those of jobs are: a workflow has its shard, is cancelled and is awaited as a job is.
    pub(crate) fn as_job(self) -> JobId {
        self.0
    }

    /// Returns the id of a step: the workflow's time and shard, and between them a number that is counted up from a hash of the
    /// workflow's id. So the steps are neighbors in the index, on one shard, and any process can name them.
    pub(crate) fn step(self, n: u32) -> JobId {
        const BEHIND_VARIANT: u32 = 52;
        let id = self.as_uuid().as_u128();
        let place = mixed((id >> 64) as u64 ^ id as u64).wrapping_add(n.into());
        let before_variant = u128::from(place >> BEHIND_VARIANT);
        let behind_variant = u128::from(place & ((1 << BEHIND_VARIANT) - 1));
        let time = id >> 80 << 80;
        let shard = id & 0x3ff;
        Uuid::from_u128(time | 7 << 76 | before_variant << 64 | 2 << 62 | behind_variant << 10 | shard).into()
    }
}

/// Spreads the bits of a number evenly: the last steps of SplitMix64.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl From<Uuid> for WorkflowId {
    fn from(id: Uuid) -> Self {
        Self(id.into())
    }
}

impl From<WorkflowId> for Uuid {
    fn from(id: WorkflowId) -> Self {
        id.as_uuid()
    }
}

impl FromStr for WorkflowId {
    type Err = InvalidJobId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for WorkflowId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl fmt::Debug for WorkflowId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "WorkflowId({})", self.0)
    }
}

/// A workflow, as its steps refer to it.
pub(crate) struct Identity {
    pub(crate) id: WorkflowId,
    pub(crate) name: String,
    /// The workflow of which this one became a part, and the number of steps that it had before.
    included: OnceLock<(Arc<Self>, u32)>,
}

impl Identity {
    pub(crate) fn new(id: WorkflowId, name: String) -> Arc<Self> {
        Arc::new(Self { id, name, included: OnceLock::new() })
    }

    /// Makes this workflow a part of another one. Its steps follow the first `before` of that one.
    pub(crate) fn include_in(&self, outer: &Arc<Self>, before: u32) {
        let included = self.included.set((Arc::clone(outer), before)).is_ok();
        debug_assert!(included, "an inclusion takes the workflow by value");
    }
}

/// A step of a workflow.
#[derive(Clone)]
#[doc(hidden)]
pub struct StepRef(Arc<Added>);

/// A step, as it was when it was added.
pub(crate) struct Added {
    workflow: Arc<Identity>,
    /// Its number in that workflow, counted from 1.
    n: u32,
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    /// True if nothing is kept of a job of this kind that completes.
    pub(crate) unkept: bool,
    /// Set if the step stands for a whole workflow.
    pub(crate) whole: Option<Whole>,
}

/// The steps of an included workflow, by their numbers in it.
pub(crate) struct Whole {
    /// The steps that have completed only if all of its steps have.
    pub(crate) last: Vec<u32>,
    /// The number of its steps.
    pub(crate) count: u32,
}

impl StepRef {
    pub(crate) fn new(
        workflow: &Arc<Identity>,
        n: u32,
        name: String,
        kind: &'static str,
        unkept: bool,
    ) -> Self {
        Self(Arc::new(Added { workflow: Arc::clone(workflow), n, name, kind, unkept, whole: None }))
    }

    /// Returns the step that stands for a whole workflow, and whose output is that of `self`; `None` if `self` is none of its steps.
    pub(crate) fn of_whole(&self, workflow: &Arc<Identity>, whole: Whole) -> Option<Self> {
        let (own, n) = self.place();
        let Added { kind, unkept, .. } = *self.0;
        let (name, workflow, whole) = (workflow.name.clone(), Arc::clone(workflow), Some(whole));
        Arc::ptr_eq(own, &workflow).then(|| Self(Arc::new(Added { workflow, n, name, kind, unkept, whole })))
    }

    pub(crate) fn added(&self) -> &Added {
        &self.0
    }

    /// Returns the outermost workflow that the step belongs to, and the number that is to be added to numbers of the workflow to which
    /// it was added.
    pub(crate) fn workflow(&self) -> (&Arc<Identity>, u32) {
        let (mut workflow, mut before) = (&self.0.workflow, 0);
        while let Some((outer, steps)) = workflow.included.get() {
            before += steps;
            workflow = outer;
        }
        (workflow, before)
    }

    /// Returns the outermost workflow that the step belongs to, and its number there.
    pub(crate) fn place(&self) -> (&Arc<Identity>, u32) {
        let (workflow, before) = self.workflow();
        (workflow, before + self.0.n)
    }

    /// Returns the id of its job.
    pub(crate) fn job(&self) -> JobId {
        let (workflow, n) = self.place();
        workflow.id.step(n)
    }
}

impl fmt::Debug for StepRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (workflow, n) = self.place();
        write!(out, "step {n}, `{}`, of the workflow `{}`", self.0.name, workflow.name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn steps_share_the_shard_and_follow_each_other() {
        let workflow = WorkflowId::new();
        let steps: Vec<JobId> = (1..=1000).map(|n| workflow.step(n)).collect();
        assert!(steps.is_sorted(), "{workflow}");
        assert_eq!(steps.iter().collect::<BTreeSet<_>>().len(), 1000);
        for step in steps {
            assert_eq!(step.shard(1024), workflow.as_job().shard(1024));
            assert_eq!(step.as_uuid().get_version_num(), 7);
            assert_eq!(step.as_uuid().get_variant(), uuid::Variant::RFC4122);
        }
    }

    #[test]
    fn neighboring_workflows_have_steps_far_apart() {
        let first = 0x0198_0a5c_93f4_7b2e_8d11_6b5c_0f7a_2e9d_u128;
        let ids = (0..1000).flat_map(|next| {
            let workflow = WorkflowId::from(Uuid::from_u128(first + (next << 10)));
            (1..=100).map(move |n| workflow.step(n))
        });
        assert_eq!(ids.collect::<BTreeSet<_>>().len(), 100_000);
    }
}
