//! What a job carries beside its arguments: its lineage, its trace, and the version of the arguments.

use serde::{Deserialize, Serialize};

use crate::JobId;
use crate::trace::context::TraceContext;

/// The lineage of a job, its trace, and the version of its arguments, as the column `meta` stores them.
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
    /// The version of its arguments, unless that is the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u16>,
    /// The name of the schedule that enqueued it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Box<str>>,
    /// The tick for which it did, in microseconds since 1970; `None` if a person had it run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tick: Option<i64>,
    /// The W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Box<str>>,
    /// The additions of vendors to the trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracestate: Option<Box<str>>,
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

    /// Returns the version of the arguments.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.version.unwrap_or(1)
    }

    /// Takes what is not set from the job that enqueues this one.
    pub(crate) fn inherit(&mut self, parent: JobId, trace: Option<&TraceContext>) {
        self.parent.get_or_insert(parent);
        if let Some(trace) = trace.filter(|_| self.traceparent.is_none()) {
            self.set_trace(trace.clone());
        }
    }

    /// Returns the trace context, unless it is malformed.
    #[must_use]
    pub fn trace(&self) -> Option<TraceContext> {
        let context = TraceContext::new(self.traceparent.as_deref()?)?;
        Some(match &self.tracestate {
            Some(state) => context.with_tracestate(&**state),
            None => context,
        })
    }

    pub(crate) fn set_trace(&mut self, context: TraceContext) {
        self.traceparent = Some(context.traceparent().into());
        self.tracestate = context.tracestate().map(Into::into);
    }
}
