//! A hook that writes each plan to a file.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, io};

use super::statement::{Plan, Statement, TelemetryHook};
use super::throttle::Throttle;
use crate::lock::lock;

/// The largest number of files of plans.
const MOST_FILES: u64 = 1000;

/// Writes each plan to a file in a folder. Only the last [`MOST_FILES`] stay.
pub(super) struct Folder {
    path: PathBuf,
    plans: AtomicU64,
    unwritten: Mutex<Throttle>,
}

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, plans: AtomicU64::default(), unwritten: Mutex::default() }
    }

    /// Writes a plan. Returns the error, and the number of plans that were not written, if it is time to report that.
    fn write(&self, plan: &Plan) -> Option<(io::Error, u64)> {
        let file = format!("{:04}.json", self.plans.fetch_add(1, Ordering::Relaxed) % MOST_FILES);
        let text = serde_json::json!({ "statement": plan.statement, "worker": plan.worker.as_deref(),
            "analyzed": plan.analyzed, "inner": plan.inner, "query": plan.query, "explain": plan.json });
        let written = fs::create_dir_all(&self.path)
            .and_then(|()| fs::write(self.path.join(file), format!("{text:#}\n")));
        let error = written.err()?;
        lock(&self.unwritten).count(1).map(|plans| (error, plans))
    }
}

impl TelemetryHook for Folder {
    fn on_statement(&self, _: &Statement) {}

    fn on_plan(&self, plan: &Plan) {
        if let Some((error, plans)) = self.write(plan) {
            tracing::warn!(%error, plans, folder = %self.path.display(), "plans cannot be written");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn folder_that_fails_later_is_reported_once() {
        let path = std::env::temp_dir().join(format!("pgjobq-folder-{}", uuid::Uuid::new_v4().simple()));
        let folder = Folder::new(path.clone());
        let (statement, worker, query, json) = ("claim", None, "select 1".to_owned(), Value::Null);
        let plan = Plan { statement, worker, analyzed: false, inner: false, query, json };
        assert!(folder.write(&plan).is_none());
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
        fs::remove_dir_all(&path).unwrap();
        fs::write(&path, "no folder").unwrap();
        assert_eq!(folder.write(&plan).unwrap().1, 1);
        assert!(folder.write(&plan).is_none(), "the next report comes a minute later");
        fs::remove_file(&path).unwrap();
    }
}
