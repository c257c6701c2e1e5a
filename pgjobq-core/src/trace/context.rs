//! A W3C trace context, as a job stores it.

/// The largest number of characters in a `tracestate`, of which the standard demands at least 512.
const MAX_STATE: usize = 512;

/// A W3C trace context, as a job stores it: the headers `traceparent` and `tracestate`. Baggage is not stored, because it may hold
/// secrets.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use pgjobq::trace::TraceContext;
///
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// assert_eq!(TraceContext::new(header).unwrap().traceparent(), header);
/// assert!(TraceContext::new("00-nonsense").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    traceparent: String,
    tracestate: Option<String>,
}

impl TraceContext {
    /// Returns the context of a `traceparent`, or `None` if that is malformed.
    #[must_use]
    pub fn new(traceparent: impl Into<String>) -> Option<Self> {
        let traceparent = traceparent.into();
        is_traceparent(&traceparent).then_some(Self { traceparent, tracestate: None })
    }

    /// Sets the `tracestate`. An empty one, one of more than 512 characters, and one that is not ASCII are left out.
    #[must_use]
    pub fn with_tracestate(mut self, tracestate: impl Into<String>) -> Self {
        let tracestate = tracestate.into();
        let is_header = |text: &String| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        self.tracestate = Some(tracestate)
            .filter(|state| !state.trim().is_empty() && state.len() <= MAX_STATE)
            .filter(is_header);
        self
    }

    /// The header `traceparent`: `00-4bf92f35…-00f067aa…-01`.
    #[must_use]
    pub fn traceparent(&self) -> &str {
        &self.traceparent
    }

    /// The header `tracestate`, if there is one.
    #[must_use]
    pub fn tracestate(&self) -> Option<&str> {
        self.tracestate.as_deref()
    }
}

/// Returns whether this is a `traceparent`, of the standard's first version or of a later one.
fn is_traceparent(text: &str) -> bool {
    let is_hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |part: &str, length| is_hex(part, length) && part.bytes().any(|byte| byte != b'0');
    let mut parts = text.splitn(4, '-');
    let [version, trace, span, rest] =
        [parts.next(), parts.next(), parts.next(), parts.next()].map(Option::unwrap_or_default);
    let (flags, later) = rest.split_once('-').map_or((rest, None), |(flags, later)| (flags, Some(later)));
    is_hex(version, 2)
        && version != "ff"
        && is_id(trace, 32)
        && is_id(span, 16)
        && is_hex(flags, 2)
        && (later.is_none() || version != "00")
        && text.is_ascii()
        && !text.bytes().any(|byte| byte.is_ascii_control())
        && text.len() <= 200
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_trace_context_has_four_parts() {
        assert!(is_traceparent(TRACE));
        assert!(is_traceparent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes-later"));
        for wrong in [
            "",
            "00-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-\u{0}",
            "00-\u{0}-x-01",
        ] {
            assert!(!is_traceparent(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_tracestate_that_is_no_header_is_left_out() {
        let state = |text: &str| TraceContext::new(TRACE).unwrap().with_tracestate(text).tracestate;
        assert_eq!(state("vendor=1,other=2").unwrap(), "vendor=1,other=2");
        for wrong in ["", " ", "v=\n", "v=ä", &"v".repeat(513)] {
            assert_eq!(state(wrong), None, "{wrong}");
        }
    }
}
