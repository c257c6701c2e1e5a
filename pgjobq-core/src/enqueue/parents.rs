//! The jobs that a new job waits for, as a caller names them.

use uuid::Uuid;

use crate::enqueue::edge::{Demand, NewEdge, Parent};
use crate::{Job, JobHandle, JobId, NewJob};

/// Jobs that a new one waits for: a [`JobHandle`], a [`JobId`], a [`Job`], a `Uuid`, or arrays, slices, `Vec`s and tuples of
/// them.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # mod publish { pub fn job() -> pgjobq_core::NewJob<()> { unimplemented!() } }
/// # async fn example(
/// #     client: pgjobq::Client, upload: pgjobq::JobHandle<u64>, scan: pgjobq::JobHandle<bool>, ids: Vec<pgjobq::JobId>,
/// # ) -> Result<(), pgjobq::EnqueueError> {
/// publish::job().after(&upload).after(scan.id()).enqueue(&client).await?;
/// publish::job().after((&upload, &scan, ids)).enqueue(&client).await?;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "a job cannot wait for `{Self}`",
    label = "not a job that was enqueued",
    note = "write `&handle`, `handle.id()`, or an array, slice, `Vec` or tuple of handles and ids",
    note = "enqueue the other job first: a job can only wait for one that exists"
)]
pub trait Parents {
    /// Calls `add` for each of them.
    #[doc(hidden)]
    fn each(&self, add: &mut dyn FnMut(Parent));
}

impl<T> NewJob<T> {
    /// Lets the job wait until these jobs have completed. If one of them ends otherwise, this job is cancelled, and the
    /// reason names it.
    ///
    /// They may wait, run, or have ended, and may be in any queue. Each has to exist already, in this transaction or committed;
    /// an unknown id is [`EnqueueError::UnknownParent`](crate::EnqueueError::UnknownParent). So no cycle can be written. Several calls add
    /// up, and a job that is named twice is waited for once.
    pub fn after(self, jobs: impl Parents) -> Self {
        self.with_edges(&jobs, Demand::Completed)
    }

    /// Lets the job wait until these jobs have ended in any way: see [`after`](Self::after).
    pub fn after_any_end(self, jobs: impl Parents) -> Self {
        self.with_edges(&jobs, Demand::AnyEnd)
    }

    fn with_edges(mut self, jobs: &impl Parents, demand: Demand) -> Self {
        jobs.each(&mut |parent| self.row.edges.push(NewEdge { parent, demand }));
        self
    }
}

impl Parents for JobId {
    fn each(&self, add: &mut dyn FnMut(Parent)) {
        add(Parent { id: *self, unkept: false });
    }
}

impl Parents for Uuid {
    fn each(&self, add: &mut dyn FnMut(Parent)) {
        JobId::from(*self).each(add);
    }
}

impl Parents for Job<'_> {
    fn each(&self, add: &mut dyn FnMut(Parent)) {
        self.id().each(add);
    }
}

impl<T> Parents for JobHandle<T> {
    fn each(&self, add: &mut dyn FnMut(Parent)) {
        add(self.as_parent());
    }
}

impl<P: Parents + ?Sized> Parents for &P {
    fn each(&self, add: &mut dyn FnMut(Parent)) {
        (**self).each(add);
    }
}

impl<P: Parents> Parents for [P] {
    fn each(&self, add: &mut dyn FnMut(Parent)) {
        self.iter().for_each(|jobs| jobs.each(add));
    }
}

impl<P: Parents, const N: usize> Parents for [P; N] {
    fn each(&self, add: &mut dyn FnMut(Parent)) {
        self.as_slice().each(add);
    }
}

impl<P: Parents> Parents for Vec<P> {
    fn each(&self, add: &mut dyn FnMut(Parent)) {
        self.as_slice().each(add);
    }
}

macro_rules! tuples {
    ($(($($name:ident $place:tt),+))+) => {$(
        impl<$($name: Parents),+> Parents for ($($name,)+) {
            fn each(&self, add: &mut dyn FnMut(Parent)) {
                $(self.$place.each(add);)+
            }
        }
    )+};
}

tuples! {
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}
