//! The job functions of this program.

use std::collections::BTreeMap;
use std::fmt;

use crate::job::descriptor::{JobDescriptor, Place};

/// The job functions of this program, by kind.
#[doc(hidden)]
#[derive(Clone, Debug, Default)]
pub struct Registry {
    by_kind: BTreeMap<&'static str, &'static JobDescriptor>,
}

/// Two job functions that have the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct DuplicateKind {
    pub kind: &'static str,
    pub first: Place,
    pub second: Place,
}

impl Registry {
    /// Returns the longest retention of any kind.
    pub fn longest_kept(&self) -> std::time::Duration {
        self.jobs().filter_map(|job| job.policy.retain).max().unwrap_or_default()
    }

    /// Returns every job function linked into this program, and every kind that two of them have. (A crate that the
    /// program never mentions is not linked: `use my_jobs as _;`.)
    #[must_use]
    pub fn linked() -> (Self, Vec<DuplicateKind>) {
        Self::of(inventory::iter::<JobDescriptor>())
    }

    /// Returns the registry of these job functions.
    pub fn of(jobs: impl IntoIterator<Item = &'static JobDescriptor>) -> (Self, Vec<DuplicateKind>) {
        let mut jobs: Vec<_> = jobs.into_iter().collect();
        jobs.sort_by_key(|job| (job.file, job.line, job.module)); // The order of linking is not specified; ours is.
        let (mut registry, mut duplicates) = (Self::default(), Vec::new());
        for second in jobs {
            for kind in second.names() {
                if let Some(first) = registry.by_kind.insert(kind, second) {
                    duplicates.push(DuplicateKind { kind, first: first.place(), second: second.place() });
                }
            }
        }
        (registry, duplicates)
    }

    /// Returns the job function of a kind.
    #[must_use]
    pub fn get(&self, kind: &str) -> Option<&'static JobDescriptor> {
        self.by_kind.get(kind).copied()
    }

    /// Returns all kinds, including aliases, in alphabetical order.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.by_kind.keys().copied()
    }

    /// Returns all job functions, each once.
    pub fn jobs(&self) -> impl Iterator<Item = &'static JobDescriptor> {
        self.by_kind.iter().filter(|(kind, job)| **kind == job.kind).map(|(_, job)| *job)
    }

    /// Returns whether there is no job function at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_kind.is_empty()
    }
}

impl fmt::Display for DuplicateKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, first, second } = self;
        let Place { module, file, line } = first;
        if (file, line) == (&second.file, &second.line) {
            return write!(
                out,
                "the job `{kind}` ({file}:{line}) is compiled twice, as `{module}` and as `{}`: let the binary use the \
                 library's module, and remove its own `mod`",
                second.module
            );
        }
        write!(
            out,
            "two jobs are of kind `{kind}`: at {file}:{line} and at {}:{}; give one of them another name, or `kind = \"…\"`",
            second.file, second.line
        )
    }
}
