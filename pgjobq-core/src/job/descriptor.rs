//! The registration of a job function by `#[job]`.

use std::fmt;

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
    /// The arguments that are redacted wherever jobs are shown.
    pub redact: &'static [&'static str],
    pub handler: &'static dyn Handler,
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
}

/// Returns the names under which jobs of this kind are stored: the kind, and then its aliases in this program.
pub(crate) fn names_of(kind: &'static str) -> Vec<&'static str> {
    let same = inventory::iter::<JobDescriptor>().filter(|job| job.kind == kind);
    std::iter::once(kind).chain(same.flat_map(|job| job.aliases.iter().copied())).collect()
}

impl fmt::Debug for JobDescriptor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({}:{})", self.kind, self.file, self.line)
    }
}
