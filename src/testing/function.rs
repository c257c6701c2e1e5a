//! The job function that an assertion names: the jobs that are its own, and how a worker reads their arguments.

use std::fmt;

use pgjobq_core::__private::StoredArgs;
use pgjobq_core::testing::LiveJob;
use pgjobq_core::worker_api::{JobDescriptor, Registry};

use crate::JobError;

/// The reason why the arguments of a job cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// The job is a blocked step that takes outputs of others.
    Incomplete,
    /// They do not fit this program.
    Undecodable(String),
}

/// Completes "not …", as the message of an assertion says it.
impl fmt::Display for Unread {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete => {
                out.write_str("arguments that are known: it waits for outputs of other steps")
            }
            Self::Undecodable(problem) => write!(out, "arguments that this program can decode: {problem}"),
        }
    }
}

/// A job function of this program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Function {
    pub(super) kind: &'static str,
    descriptor: Option<&'static JobDescriptor>,
}

impl Function {
    pub(super) fn of(kind: &'static str) -> Self {
        Self { kind, descriptor: Registry::linked().0.get(kind) }
    }

    /// Returns the names under which its jobs are stored: the kind, and its aliases.
    pub(super) fn kinds(&self) -> Vec<&'static str> {
        self.descriptor.map_or_else(|| vec![self.kind], |descriptor| descriptor.names().collect())
    }

    /// The version of its arguments.
    pub(super) fn version(&self) -> u16 {
        self.descriptor.map_or(1, |descriptor| descriptor.policy.version)
    }

    /// Reads the arguments of one of its jobs as a worker does. The error says why it cannot, and quotes no argument that is redacted.
    pub(super) fn read<T>(
        &self,
        job: &LiveJob,
        read: impl FnOnce(&StoredArgs<'_>) -> Result<T, JobError>,
    ) -> Result<T, Unread> {
        let version = job.version;
        if job.is_incomplete {
            return Err(Unread::Incomplete);
        }
        if self.descriptor.is_some_and(|descriptor| !descriptor.versions().contains(&version)) {
            return Err(Unread::Undecodable(format!("it does not read version {version}")));
        }
        let redacts = self.descriptor.is_some_and(|descriptor| !descriptor.policy.redact.is_empty());
        read(&StoredArgs::new(&job.args, version, redacts))
            .map_err(|error| Unread::Undecodable(error.to_string()))
    }
}
