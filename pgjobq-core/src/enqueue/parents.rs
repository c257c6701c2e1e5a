//! The jobs that a new job waits for, as a caller names them.

use uuid::Uuid;

use crate::enqueue::edge::{Demand, NewEdge, Parent};
use crate::tuples::for_tuples;
use crate::workflow::reference::Origin;
use crate::{Job, JobHandle, JobId, NewJob, Step};

/// Jobs that a new one waits for: a [`Step`], a [`JobHandle`], a [`JobId`], a [`Job`], a `Uuid`, or arrays, slices, `Vec`s and tuples of
/// them.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # mod publish { pub fn step() -> pgjobq_core::NewStep<()> { unimplemented!() } }
/// # fn example(upload: pgjobq::JobHandle<u64>, scan: pgjobq::JobHandle<bool>, ids: Vec<pgjobq::JobId>) {
/// use pgjobq::Workflow;
///
/// let mut flow = Workflow::new("publish");
/// let first = flow.add(publish::step().after(&upload).after(scan.id()));
/// flow.add(publish::step().after((&first, &scan, ids)));
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "a job cannot wait for `{Self}`",
    label = "neither a job nor a step",
    note = "write `&step`, `&handle`, `handle.id()`, or an array, slice, `Vec` or tuple of them",
    note = "add or enqueue the other one first: a job can only wait for one that exists"
)]
pub trait Parents {
    /// Calls `add` for each of them.
    #[doc(hidden)]
    fn each(&self, add: &mut dyn FnMut(Origin));
}

impl<T> NewJob<T> {
    /// Lets the job wait until these jobs have completed. If one of them ends otherwise, this job is cancelled, and the
    /// reason names it.
    ///
    /// They may wait, run, or have ended, and may be in any queue. Each has to exist already, in this transaction or committed;
    /// an unknown id is [`EnqueueError::UnknownParent`](crate::EnqueueError::UnknownParent), as is a job of another schema. A handle that
    /// was made from the id of a job of another kind is
    /// [`EnqueueError::ParentOfOtherKind`](crate::EnqueueError::ParentOfOtherKind). So no cycle can be written. Several calls add
    /// up, and a job that is named twice is waited for once.
    pub fn after(self, jobs: impl Parents) -> Self {
        self.with_edges(&jobs, Demand::Completed)
    }

    /// Lets the job wait until these jobs have ended in any way: see [`after`](Self::after).
    pub fn after_any_end(self, jobs: impl Parents) -> Self {
        self.with_edges(&jobs, Demand::AnyEnd)
    }

    fn with_edges(mut self, jobs: &impl Parents, demand: Demand) -> Self {
        jobs.each(&mut |origin| self.row.edges.push(NewEdge { parent: origin.into(), demand }));
        self
    }
}

impl Parents for JobId {
    fn each(&self, add: &mut dyn FnMut(Origin)) {
        add(Origin::Job(Parent { id: *self, unkept: false, kinds: Vec::new() }));
    }
}

impl Parents for Uuid {
    fn each(&self, add: &mut dyn FnMut(Origin)) {
        JobId::from(*self).each(add);
    }
}

impl Parents for Job<'_> {
    fn each(&self, add: &mut dyn FnMut(Origin)) {
        self.id().each(add);
    }
}

impl<T> Parents for JobHandle<T> {
    fn each(&self, add: &mut dyn FnMut(Origin)) {
        add(Origin::Job(self.as_parent()));
    }
}

impl<T> Parents for Step<T> {
    fn each(&self, add: &mut dyn FnMut(Origin)) {
        add(Origin::Step(self.at.clone()));
    }
}

impl<P: Parents + ?Sized> Parents for &P {
    fn each(&self, add: &mut dyn FnMut(Origin)) {
        (**self).each(add);
    }
}

impl<P: Parents> Parents for [P] {
    fn each(&self, add: &mut dyn FnMut(Origin)) {
        self.iter().for_each(|jobs| jobs.each(add));
    }
}

impl<P: Parents, const N: usize> Parents for [P; N] {
    fn each(&self, add: &mut dyn FnMut(Origin)) {
        self.as_slice().each(add);
    }
}

impl<P: Parents> Parents for Vec<P> {
    fn each(&self, add: &mut dyn FnMut(Origin)) {
        self.as_slice().each(add);
    }
}

macro_rules! tuples {
    ($(($($name:ident $place:tt),+))+) => {$(
        impl<$($name: Parents),+> Parents for ($($name,)+) {
            fn each(&self, add: &mut dyn FnMut(Origin)) {
                $(self.$place.each(add);)+
            }
        }
    )+};
}

for_tuples!(tuples);
