//! A step of a workflow, and what other steps take from it.

use std::fmt;
use std::marker::PhantomData;

use crate::wait::waits;
use crate::workflow::identity::StepRef;
use crate::workflow::reference::{Origin, Reference};
use crate::{JobHandle, JobId};

/// A step of a workflow: from [`Workflow::add`](crate::Workflow::add). It is a typed name, and holds no data.
///
/// Give its [`output()`](Self::output) or [`result()`](Self::result) to other steps of the same workflow. After the enqueue, the
/// workflow's handle takes it: [`WorkflowHandle::output`](crate::WorkflowHandle::output).
pub struct Step<T> {
    pub(crate) at: StepRef,
    result: PhantomData<fn() -> T>,
}

/// The output of a job, as an argument of a step: from [`Step::output`], or [`JobHandle::output`].
pub struct Output<T> {
    of: Origin,
    value: PhantomData<fn() -> T>,
}

/// The result of a job, however it ends, as an argument of a step: from [`Step::result`], or [`JobHandle::result`].
pub struct StepResult<T> {
    of: Origin,
    value: PhantomData<fn() -> T>,
}

impl<T> Step<T> {
    pub(crate) fn new(at: StepRef) -> Self {
        Self { at, result: PhantomData }
    }

    /// Returns what the step will return, as an argument of another step, which starts when this one has completed.
    ///
    /// If this one ends in another way, the other one is cancelled; with
    /// [`hold_on_failure`](crate::NewStep::hold_on_failure) it waits for a person.
    #[must_use]
    pub fn output(&self) -> Output<T> {
        Output { of: Origin::Step(self.at.clone()), value: PhantomData }
    }

    /// Returns how the step will end, as an argument of another step: a `Result<T, Failure>`. The other step runs however this one
    /// ends.
    #[must_use]
    pub fn result(&self) -> StepResult<T> {
        StepResult { of: Origin::Step(self.at.clone()), value: PhantomData }
    }

    /// The name, or else the kind.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.at.added().name
    }

    /// The id of its job. If its workflow becomes a part of another one, the id is a new one from then on.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.at.job()
    }

    /// Returns the handle of its job, after its workflow was enqueued: to wait for it, or to give its output to another workflow.
    #[must_use]
    pub fn handle(&self) -> JobHandle<T> {
        let added = self.at.added();
        JobHandle::of_step(self.id(), added.kind, added.unkept, waits::Origin::InTransaction)
    }
}

impl<T> JobHandle<T> {
    /// Returns what the job returns, or has returned, as an argument of a step: see [`Step::output`].
    #[must_use]
    pub fn output(&self) -> Output<T> {
        Output { of: Origin::Job(self.as_parent()), value: PhantomData }
    }

    /// Returns how the job ends, or has ended, as an argument of a step: see [`Step::result`].
    #[must_use]
    pub fn result(&self) -> StepResult<T> {
        StepResult { of: Origin::Job(self.as_parent()), value: PhantomData }
    }
}

impl<T> Output<T> {
    pub(crate) fn reference(self) -> Reference {
        Reference::Output(self.of)
    }
}

impl<T> StepResult<T> {
    pub(crate) fn reference(self) -> Reference {
        Reference::Result(self.of)
    }
}

// By hand, because a derive would ask the same of `T`, of which none of them holds anything.
impl<T> Clone for Step<T> {
    fn clone(&self) -> Self {
        Self::new(self.at.clone())
    }
}

impl<T> Clone for Output<T> {
    fn clone(&self) -> Self {
        Self { of: self.of.clone(), value: PhantomData }
    }
}

impl<T> Clone for StepResult<T> {
    fn clone(&self) -> Self {
        Self { of: self.of.clone(), value: PhantomData }
    }
}

impl<T> fmt::Debug for Step<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.at.fmt(out)
    }
}

impl<T> fmt::Debug for Output<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Output of {:?}", self.of)
    }
}

impl<T> fmt::Debug for StepResult<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "StepResult of {:?}", self.of)
    }
}
