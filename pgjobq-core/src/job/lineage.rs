//! The lineage of a job: its parent, its workflow and its trace.

use serde::{Deserialize, Serialize};

use crate::JobId;

/// The lineage of a job, as the column `meta` stores it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[doc(hidden)]
pub struct Meta {
    /// The job in which it was enqueued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<JobId>,
    /// The workflow of which it is a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<JobId>,
    /// Its number in that workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// The W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Meta {
    /// Returns the stored form: mostly `None`.
    pub(crate) fn to_json(&self) -> Option<String> {
        if *self == Self::default() {
            return None;
        }
        serde_json::to_string(self).ok()
    }

    /// Reads the stored form. Returns nothing if a person has edited it into nonsense.
    pub(crate) fn from_json(json: Option<&str>) -> Self {
        json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
    }

    /// Takes what is not set from the job that enqueues this one.
    pub(crate) fn inherit(&mut self, parent: JobId, traceparent: Option<&str>) {
        self.parent.get_or_insert(parent);
        if self.traceparent.is_none() {
            self.traceparent = traceparent.map(str::to_owned);
        }
    }
}

/// Returns whether this is a W3C trace context, of this version or of a later one.
pub(crate) fn is_traceparent(text: &str) -> bool {
    let hex =
        |part: &str, length: usize| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut parts = text.splitn(4, '-');
    let [version, trace, span, rest] =
        [parts.next(), parts.next(), parts.next(), parts.next()].map(Option::unwrap_or_default);
    hex(version, 2)
        && hex(trace, 32)
        && hex(span, 16)
        && rest.is_ascii()
        && text.len() <= 200
        && hex(rest.get(..2).unwrap_or_default(), 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_context_has_four_parts() {
        assert!(is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        assert!(is_traceparent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes-later"));
        for wrong in ["", "00-", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", "00-\u{0}-x-01"] {
            assert!(!is_traceparent(wrong), "{wrong}");
        }
    }
}
