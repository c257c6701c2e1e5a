//! What a job carries beside its arguments: its lineage, its trace, and the version of the arguments.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::JobId;
use crate::job::policy::Policy;
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
    /// Those of its arguments that are redacted wherever the job is shown. Only the database reads them.
    #[serde(skip_deserializing, skip_serializing_if = "<[_]>::is_empty")]
    pub redact: &'static [&'static str],
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
    /// Returns what each new job of a kind has.
    pub(crate) fn of(policy: &Policy) -> Self {
        let version = (policy.version > 1).then_some(policy.version);
        Self { version, redact: policy.redact, ..Self::default() }
    }

    /// Returns the stored form: mostly `None`.
    pub(crate) fn to_json(&self) -> Option<String> {
        if *self == Self::default() {
            return None;
        }
        serde_json::to_string(self).ok()
    }

    /// Reads the stored form, without what a person has edited into nonsense.
    pub(crate) fn from_json(json: Option<&str>) -> Self {
        let Some(json) = json else { return Self::default() };
        serde_json::from_str(json).unwrap_or_else(|_| Self::from_edited(json).unwrap_or_default())
    }

    /// Reads each member by itself: a wrong one must not hide the version, or arguments would be read as those of the first. A claim
    /// compares the version as text, so a text is as good as a number.
    fn from_edited(json: &str) -> Option<Self> {
        let mut members: Map<String, Value> = serde_json::from_str(json).ok()?;
        if let Some(version) = members.get_mut("version")
            && let Some(number) = version.as_str().and_then(|text| text.parse::<u16>().ok())
        {
            *version = number.into();
        }
        let fits = |name: &str, value: &Value| {
            let alone = Map::from_iter([(name.to_owned(), value.clone())]);
            serde_json::from_value::<Self>(Value::Object(alone)).is_ok()
        };
        members.retain(|name, value| fits(name, value));
        serde_json::from_value(Value::Object(members)).ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_member_hides_no_other() {
        let read = |json| Meta::from_json(Some(json));
        assert_eq!(read(r#"{"version": 2}"#).version(), 2);
        assert_eq!(read(r#"{"version": "2"}"#).version(), 2);
        assert_eq!(read(r#"{"version": 2, "traceparent": 7, "step": "one", "parent": []}"#).version(), 2);
        let other = read(r#"{"version": [2], "schedule": "nightly", "redact": 7}"#);
        assert_eq!((other.version(), other.schedule.as_deref()), (1, Some("nightly")));
        assert_eq!(read("[2]"), Meta::default());
    }

    #[test]
    fn redacted_arguments_are_stored_and_not_read() {
        let meta = Meta::of(&Policy::DEFAULT.redact(&["pin"]));
        assert_eq!(meta.to_json().as_deref(), Some(r#"{"redact":["pin"]}"#));
        assert_eq!(Meta::from_json(meta.to_json().as_deref()), Meta::default());
        assert_eq!(Meta::of(&Policy::DEFAULT).to_json(), None);
    }
}
