//! A workflow that is being built: its steps as they were given, not checked yet.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::WorkflowError;
use crate::enqueue::edge::Demand;
use crate::enqueue::new_row::NewRow;
use crate::workflow::identity::{Identity, StepRef};
use crate::workflow::reference::{Origin, Reference};

/// A workflow that is being built.
#[doc(hidden)]
pub struct Draft {
    pub(crate) identity: Arc<Identity>,
    pub(crate) deadline: Option<Duration>,
    /// In the order of their numbers, which are counted from 1.
    pub(crate) steps: Vec<AddedStep>,
    /// The first mistake that no later call can correct.
    pub(crate) mistake: Option<WorkflowError>,
}

impl fmt::Debug for Draft {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Draft({} `{}`, {} steps)", self.identity.id, self.identity.name, self.steps.len())
    }
}

/// A new step, not checked yet.
pub(crate) struct StepParts {
    /// The job, with the arguments that are known.
    pub(crate) row: NewRow,
    /// The other arguments.
    pub(crate) inputs: Vec<(&'static str, Reference)>,
    /// The parents that it takes nothing from.
    pub(crate) after: Vec<(Origin, Demand)>,
    /// True if it waits for a person when a parent fails.
    pub(crate) holds: bool,
    /// The name, if it has another one than its kind.
    pub(crate) name: Option<String>,
    /// Set if it waits for the end of all steps without a role.
    pub(crate) role: Option<Role>,
}

/// The role of a step at the end of its workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It runs if all other steps have completed.
    OnComplete,
    /// It runs if another step has not.
    OnFailure,
}

impl Role {
    /// Returns the role with this word.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        [Self::OnComplete, Self::OnFailure].into_iter().find(|role| role.word() == word)
    }

    /// The word in the database.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::OnComplete => "complete",
            Self::OnFailure => "failure",
        }
    }
}

/// A step that was added to a workflow.
pub(crate) struct AddedStep {
    pub(crate) at: StepRef,
    pub(crate) parts: StepParts,
}
