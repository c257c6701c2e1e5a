//! The job function that an assertion names: the jobs that are its own, and how a worker reads their arguments.

use pgjobq_core::__private::StoredArgs;
use pgjobq_core::testing::LiveJob;
use pgjobq_core::worker_api::{JobDescriptor, Registry};

use crate::JobError;

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
    ) -> Result<T, String> {
        let version = job.version;
        if self.descriptor.is_some_and(|descriptor| !descriptor.versions().contains(&version)) {
            return Err(format!("it does not read version {version}"));
        }
        let redacts = self.descriptor.is_some_and(|descriptor| !descriptor.policy.redact.is_empty());
        read(&StoredArgs::new(&job.args, version, redacts)).map_err(|error| error.to_string())
    }
}
