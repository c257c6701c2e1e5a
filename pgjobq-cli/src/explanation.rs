//! An explanation as text for people, and as JSON for programs.

use std::time::{Duration, SystemTime};

use pgjobq::{Explanation, JobDetails, JobId, Reason, WorkflowId};
use serde::Serialize;
use serde_json::Value;

use crate::json::time;

/// The members of an explanation's details that are times. The database writes them as microseconds since 1970.
const TIMES: [&str; 6] = ["asked_at", "at", "next", "seen_at", "since", "until"];

/// The place of a job in its workflow.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct StepJson {
    workflow: WorkflowId,
    step: u32,
}

#[derive(Serialize)]
pub(crate) struct ExplanationJson<'e> {
    job: JobId,
    /// Null if the job is no step of a workflow.
    step_of: Option<StepJson>,
    reasons: Vec<ReasonJson<'e>>,
}

#[derive(Serialize)]
struct ReasonJson<'e> {
    code: &'e str,
    sentence: &'e str,
    details: Value,
}

impl StepJson {
    /// Returns the place of a job in its workflow, if it is a step of one.
    pub(crate) fn of(job: &JobDetails) -> Option<Self> {
        job.step_of.map(|(workflow, step)| Self { workflow, step })
    }

    /// Returns the place as text: `3 of the workflow 0193…`.
    pub(crate) fn shown(self) -> String {
        format!("{} of the workflow {}", self.step, self.workflow)
    }
}

impl<'e> ExplanationJson<'e> {
    pub(crate) fn new(explanation: &'e Explanation, step_of: Option<StepJson>) -> Self {
        let reasons = explanation.reasons.iter().map(ReasonJson::new).collect();
        Self { job: explanation.job, step_of, reasons }
    }
}

impl<'e> ReasonJson<'e> {
    fn new(reason: &'e Reason) -> Self {
        let details = with_times(reason.details.clone());
        Self { code: &reason.code, sentence: &reason.sentence, details }
    }
}

/// Returns details whose times are RFC 3339.
fn with_times(mut details: Value) -> Value {
    for (name, value) in details.as_object_mut().into_iter().flatten() {
        if let (true, Some(micros)) = (TIMES.contains(&name.as_str()), value.as_u64()) {
            *value = time(SystemTime::UNIX_EPOCH + Duration::from_micros(micros)).into();
        }
    }
    details
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_of_details_are_rfc_3339() {
        let details =
            json!({"since": 1_800_000_000_123_456_u64, "until": null, "next": "soon", "attempts": 3});
        let since = "2027-01-15T08:00:00.123456Z";
        assert_eq!(
            with_times(details),
            json!({"since": since, "until": null, "next": "soon", "attempts": 3})
        );
        assert_eq!(with_times(Value::Null), Value::Null);
    }
}
