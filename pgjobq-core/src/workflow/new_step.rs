//! A step that has not been added to a workflow, as a value.

use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, SystemTime};

use crate::enqueue::edge::Demand;
use crate::enqueue::new_row::{Due, NewRow};
use crate::enqueue::parents::Parents;
use crate::job::policy::Policy;
use crate::workflow::draft::StepParts;
use crate::workflow::input::{Source, joined};
use crate::{AttributeValue, Priority};

/// A step that has not been added to a workflow, as a value: from `my_job::step(…)`. Change its options, then
/// [add](crate::Workflow::add) it.
///
/// Options that are set here hold for this step; all others follow its kind's policy. `T` is what the job function returns.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # mod probe { pub fn step(_: &str) -> pgjobq_core::NewStep<u64> { unimplemented!() } }
/// # mod publish { pub fn step(_: impl pgjobq_core::Input<u64>) -> pgjobq_core::NewStep<()> { unimplemented!() } }
/// # mod clean_up { pub fn step() -> pgjobq_core::NewStep<()> { unimplemented!() } }
/// use pgjobq::{Priority, Workflow};
///
/// let mut flow = Workflow::new("ingest");
/// let length = flow.add(probe::step("a.mp4").priority(Priority::High));
/// let page = flow.add(publish::step(length.output()).named("publish the page").hold_on_failure());
/// flow.add(clean_up::step().after_any_end(&page));
/// ```
#[must_use = "a step does nothing until it is added to a workflow"]
pub struct NewStep<T> {
    pub(crate) parts: StepParts,
    result: PhantomData<fn() -> T>,
}

impl<T> NewStep<T> {
    #[doc(hidden)]
    pub fn new<const N: usize>(kind: &'static str, policy: &Policy, arguments: [Source; N]) -> Self {
        let (mut values, mut inputs) = (Vec::new(), Vec::new());
        for argument in arguments {
            match argument {
                Source::Value(value) => values.push(value),
                Source::Steps(argument, reference) => inputs.push((argument, reference)),
            }
        }
        let mut row = NewRow::new(kind, policy, joined(values));
        row.unique.set(None); // The others wait for this very step, so it is no duplicate.
        let parts = StepParts { row, inputs, after: Vec::new(), holds: false, name: None, role: None };
        Self { parts, result: PhantomData }
    }

    /// Sets an attribute that the job computes from its arguments; `None` if they are not known yet.
    #[doc(hidden)]
    pub fn computed(mut self, name: &str, value: Option<AttributeValue>) -> Self {
        self.parts.row.attributes.set(name.to_owned(), value);
        self
    }

    /// Sets the key that the job computes from its arguments; `None` if they are not known yet.
    #[doc(hidden)]
    pub fn computed_key(mut self, key: Option<Option<String>>) -> Self {
        match key {
            Some(key) => self.parts.row.key = key,
            None => self.parts.row.unknown.push("key"),
        }
        self
    }

    /// Sets the weight that the job computes from its arguments; `None` if they are not known yet.
    #[doc(hidden)]
    pub fn computed_weight(mut self, weight: Option<u32>) -> Self {
        match weight {
            Some(weight) => self.parts.row.weight = Some(weight),
            None => self.parts.row.unknown.push("weight"),
        }
        self
    }

    /// Sets the name that graphs and the status show, instead of the kind. No other step of the workflow may be given the same one.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.parts.name = Some(name.into());
        self
    }

    /// Starts the step after these have completed. If one of them ends in another way, the step is cancelled; with
    /// [`hold_on_failure`](Self::hold_on_failure) it waits for a person.
    ///
    /// It takes `&step`, the `&handle` or the id of a job that was enqueued earlier, and arrays, slices and tuples of them. A step
    /// whose output is an argument is such a parent already.
    pub fn after(self, parents: impl Parents) -> Self {
        self.after_with(parents, Demand::Completed)
    }

    /// Starts the step after these have ended, however they ended: for cleaning up.
    pub fn after_any_end(self, parents: impl Parents) -> Self {
        self.after_with(parents, Demand::AnyEnd)
    }

    fn after_with(mut self, parents: impl Parents, demand: Demand) -> Self {
        parents.each(&mut |parent| self.parts.after.push((parent, demand)));
        self
    }

    /// Holds the step if a parent fails that must complete, instead of cancelling it. A held step waits for a person, who
    /// [resumes](crate::WorkflowHandle::resume) or cancels it.
    pub fn hold_on_failure(mut self) -> Self {
        self.parts.holds = true;
        self
    }

    /// Sets the queue. It must exist: see [`Queue::save`](crate::Queue::save).
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.parts.row.queue = queue.into();
        self
    }

    /// Sets the priority among the jobs that wait in its queue.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.parts.row.priority = priority;
        self
    }

    /// Sets the number of tries that follow the first failure, 0 to 32767.
    pub fn retries(mut self, retries: u16) -> Self {
        self.parts.row.retries = retries;
        self
    }

    /// Sets the number of crashes (attempts whose worker died) that the step survives, 0 to 32767. With 0, a
    /// crash is its end, and so is a shutdown that cuts it off, because it may have run.
    pub fn max_crashes(mut self, max: u16) -> Self {
        self.parts.row.max_crashes = max;
        self
    }

    /// Sets an attribute: see [`NewJob::attribute`](crate::NewJob::attribute).
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<AttributeValue>) -> Self {
        self.parts.row.attributes.set(name.into(), Some(value.into()));
        self
    }

    /// Sets the key: see [`NewJob::key`](crate::NewJob::key).
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.parts.row.set_key(key.into());
        self
    }

    /// Sets the weight: see [`NewJob::weight`](crate::NewJob::weight).
    pub fn weight(mut self, weight: u32) -> Self {
        self.parts.row.set_weight(weight);
        self
    }

    /// Delays the start of the step. The delay begins when its last parent has ended, and for a step without parents with the enqueue,
    /// by the database's clock. Of `delay` and `run_at`, the last call counts.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.parts.row.due = Due::In(delay);
        self
    }

    /// Sets the time at which the step may start, by the database's clock; a time in the past means as soon as its parents have ended.
    pub fn run_at(mut self, at: SystemTime) -> Self {
        self.parts.row.due = Due::At(at);
        self
    }

    /// Expires the step if it has not started within this time, counted from the enqueue of the workflow by the database's clock.
    pub fn expires_in(mut self, time: Duration) -> Self {
        self.parts.row.expires_in = Some(time);
        self
    }
}

/// Shows no arguments: they may be secret, and debug output goes to logs.
impl<T> fmt::Debug for NewStep<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StepParts { row, inputs, after, .. } = &self.parts;
        write!(out, "NewStep({} in {}, inputs {inputs:?}, after {after:?})", row.kind, row.queue)
    }
}
