//! The builder of a workflow.

use std::fmt;
use std::time::Duration;

use crate::workflow::draft::{AddedStep, Draft, Role};
use crate::workflow::identity::{Identity, StepRef, Whole};
use crate::workflow::links::last_steps;
use crate::workflow::new_step::NewStep;
use crate::workflow::step::Step;
use crate::{WorkflowError, WorkflowId};

/// A workflow that has not been enqueued: steps, and what each of them takes from others.
///
/// A step is a job. It starts when the steps whose outputs it takes have completed, and gets their outputs as its arguments; the
/// compiler checks their types. The whole workflow is enqueued at once, or nothing of it.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # mod probe { pub fn step(_: &str) -> pgjobq_core::NewStep<u64> { unimplemented!() } }
/// # mod transcode { pub fn step(_: impl pgjobq_core::Input<u64>, _: u32) -> pgjobq_core::NewStep<String> { unimplemented!() } }
/// # mod publish { pub fn step(_: impl pgjobq_core::Input<Vec<String>>) -> pgjobq_core::NewStep<()> { unimplemented!() } }
/// # mod clean_up { pub fn step() -> pgjobq_core::NewStep<()> { unimplemented!() } }
/// # async fn example(client: pgjobq::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use pgjobq::{Workflow, gather};
///
/// let mut flow = Workflow::new("ingest");
/// let length = flow.add(probe::step("a.mp4"));                   // Step<u64>
/// let large = flow.add(transcode::step(length.output(), 1080));  // runs when `length` has completed
/// let small = flow.add(transcode::step(length.output(), 480));   // beside the other one
/// let page = flow.add(publish::step(gather([large.output(), small.output()])));
/// flow.add(clean_up::step().after_any_end(&page));
/// let run = flow.enqueue(&client).await?;                        // Or &mut *tx, with which it commits.
/// # Ok(())
/// # }
/// ```
#[must_use = "a workflow does nothing until it is enqueued"]
pub struct Workflow {
    pub(crate) draft: Draft,
}

/// A workflow that becomes a part of another one, with the step whose output is its own: from [`Workflow::returning`].
#[must_use = "a part does nothing until another workflow includes it"]
pub struct WorkflowPart<T> {
    flow: Workflow,
    output: Step<T>,
}

impl Workflow {
    /// Makes a workflow without steps. The name is for people: lists and graphs show it.
    pub fn new(name: impl Into<String>) -> Self {
        Self::with_id(WorkflowId::new(), name)
    }

    /// Makes a workflow with an id of your own, such as that of a request: if the request comes twice, there is one workflow.
    ///
    /// A workflow that is built again in the same way and with the same id has the same steps. So another process can name them
    /// for the handle of a workflow that it has not enqueued.
    pub fn with_id(id: impl Into<WorkflowId>, name: impl Into<String>) -> Self {
        let identity = Identity::new(id.into(), name.into());
        Self { draft: Draft { identity, deadline: None, steps: Vec::new(), mistake: None } }
    }

    /// Sets the time in which the workflow has to end, counted from its enqueue by the database's clock. Then what is left of it is
    /// cancelled.
    pub fn deadline(&mut self, deadline: Duration) {
        self.draft.deadline = Some(deadline);
    }

    /// The id that the workflow will have.
    #[must_use]
    pub fn id(&self) -> WorkflowId {
        self.draft.identity.id
    }

    /// Adds a step.
    pub fn add<T>(&mut self, step: NewStep<T>) -> Step<T> {
        let parts = step.parts;
        let name = parts.name.as_deref().unwrap_or(parts.row.kind).to_owned();
        let (kind, unkept) = (parts.row.kind, parts.row.unkept);
        let at = StepRef::new(&self.draft.identity, self.next(), name, kind, unkept);
        self.draft.steps.push(AddedStep { at: at.clone(), parts });
        Step::new(at)
    }

    /// Adds a step that runs when all others have ended, if all of them completed; otherwise it is cancelled. It takes values as its
    /// arguments, and no outputs.
    pub fn on_complete<T>(&mut self, mut step: NewStep<T>) -> Step<T> {
        step.parts.role = Some(Role::OnComplete);
        self.add(step)
    }

    /// Adds a step that runs when all others have ended, if one of them did not complete; otherwise it is cancelled. It takes values
    /// as its arguments, and no outputs.
    pub fn on_failure<T>(&mut self, mut step: NewStep<T>) -> Step<T> {
        step.parts.role = Some(Role::OnFailure);
        self.add(step)
    }

    /// Makes this workflow a part of another one, which sees it as one step with the output of `step`: see
    /// [`include`](Self::include).
    pub fn returning<T>(self, step: &Step<T>) -> WorkflowPart<T> {
        WorkflowPart { flow: self, output: step.clone() }
    }

    /// Adds all steps of another workflow, and returns one step that stands for all of them. Its output is that of the step
    /// that was given to [`returning`](Self::returning). What follows it waits for all of its steps.
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # mod fetch { pub fn step(_: &str) -> pgjobq_core::NewStep<String> { unimplemented!() } }
    /// # mod parse { pub fn step(_: impl pgjobq_core::Input<String>) -> pgjobq_core::NewStep<u64> { unimplemented!() } }
    /// # mod sum { pub fn step(_: impl pgjobq_core::Input<Vec<u64>>) -> pgjobq_core::NewStep<u64> { unimplemented!() } }
    /// use pgjobq::{Step, Workflow, WorkflowPart, gather};
    ///
    /// fn count(page: &str) -> WorkflowPart<u64> {
    ///     let mut flow = Workflow::new(format!("count {page}"));
    ///     let text = flow.add(fetch::step(page));
    ///     let words = flow.add(parse::step(text.output()));
    ///     flow.returning(&words)
    /// }
    ///
    /// let mut flow = Workflow::new("count all");
    /// let counts = ["a", "b"].map(|page| flow.include(count(page)));
    /// flow.add(sum::step(gather(counts.each_ref().map(Step::output))));
    /// ```
    pub fn include<T>(&mut self, part: WorkflowPart<T>) -> Step<T> {
        let WorkflowPart { mut flow, output } = part;
        let whole = Whole {
            last: last_steps(&flow.draft.identity, &flow.draft.steps),
            count: flow.draft.steps.len() as u32,
        };
        let at = output.at.of_whole(&flow.draft.identity, whole);
        let mistake = at.is_none().then(|| flow.foreign_output(&output.at));
        let mistake = flow.draft.mistake.take().or(mistake).or_else(|| {
            let (workflow, part) = (self.draft.identity.name.clone(), flow.draft.identity.name.clone());
            flow.has_end().then_some(WorkflowError::EndOfPart { workflow, part })
        });
        self.draft.mistake = self.draft.mistake.take().or(mistake);
        flow.draft.identity.include_in(&self.draft.identity, self.draft.steps.len() as u32);
        self.draft.steps.extend(flow.draft.steps);
        Step::new(at.unwrap_or(output.at))
    }

    /// Returns whether something happens at its end.
    fn has_end(&self) -> bool {
        self.draft.deadline.is_some() || self.draft.steps.iter().any(|step| step.parts.role.is_some())
    }

    /// The mistake of a part whose output is that of a step of another workflow.
    fn foreign_output(&self, output: &StepRef) -> WorkflowError {
        WorkflowError::ForeignOutput {
            part: self.draft.identity.name.clone(),
            step: output.added().name.clone(),
            other: output.place().0.name.clone(),
        }
    }

    /// The number of the next step.
    fn next(&self) -> u32 {
        self.draft.steps.len() as u32 + 1
    }
}

impl fmt::Debug for Workflow {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "Workflow({} `{}`, {} steps)",
            self.id(),
            self.draft.identity.name,
            self.draft.steps.len()
        )
    }
}

impl<T> fmt::Debug for WorkflowPart<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "WorkflowPart({:?}, {:?})", self.flow, self.output)
    }
}
