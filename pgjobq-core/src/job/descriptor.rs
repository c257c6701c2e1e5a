//! The registration of a job function by `#[job]`.

use std::fmt;
use std::ops::RangeInclusive;

use crate::batch::call::BatchHandler;
use crate::enqueue::new_row::NewRow;
use crate::job::app_state::StateType;
use crate::job::handler::Handler;
use crate::job::policy::Policy;

/// The registration of a job function by `#[job]`: a constant, collected when the program is linked.
#[doc(hidden)]
pub struct JobDescriptor {
    pub kind: &'static str,
    /// Kinds under which rows of earlier versions of the program may be stored.
    pub aliases: &'static [&'static str],
    pub policy: Policy,
    /// Makes the job of its schedules, if the code has some.
    pub scheduled: Option<fn() -> NewRow>,
    pub handler: &'static dyn Handler,
    /// Runs a call for several of its jobs, if the kind has batches.
    pub batch: Option<&'static dyn BatchHandler>,
    /// The types that the job function takes as `State<T>`.
    pub states: &'static [StateType],
    pub module: &'static str,
    pub file: &'static str,
    pub line: u32,
}

/// The place of a job function in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct Place {
    pub module: &'static str,
    pub file: &'static str,
    pub line: u32,
}

inventory::collect!(JobDescriptor);

impl JobDescriptor {
    /// The place of the job function.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { module: self.module, file: self.file, line: self.line }
    }

    /// Returns the name of the kind, and then its aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.kind).chain(self.aliases.iter().copied())
    }

    /// Returns the versions of arguments that it can read.
    #[must_use]
    pub fn versions(&self) -> RangeInclusive<u16> {
        self.policy.reads_from..=self.policy.version
    }

    /// Returns its names in each version that it can read, as a claim compares them: `thumbnail`, `thumbnail@2`.
    pub fn claimable(&self) -> impl Iterator<Item = String> {
        self.names().flat_map(|name| self.versions().map(move |version| versioned(name, version)))
    }
}

/// Returns the names under which jobs of this kind are stored: the kind, and then its aliases in this program.
pub(crate) fn names_of(kind: &'static str) -> Vec<&'static str> {
    let same = inventory::iter::<JobDescriptor>().filter(|job| job.kind == kind);
    std::iter::once(kind).chain(same.flat_map(|job| job.aliases.iter().copied())).collect()
}

/// Returns the name of a kind whose arguments are of a version, as `versioned_kind` of the schema does.
fn versioned(kind: &str, version: u16) -> String {
    if version > 1 { format!("{kind}@{version}") } else { kind.to_owned() }
}

/// Returns the policy of a kind in this program.
pub(crate) fn policy_of(kind: &'static str) -> &'static Policy {
    let same = inventory::iter::<JobDescriptor>().find(|job| job.kind == kind);
    same.map_or(&Policy::DEFAULT, |job| &job.policy)
}

impl fmt::Debug for JobDescriptor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({}:{})", self.kind, self.file, self.line)
    }
}
