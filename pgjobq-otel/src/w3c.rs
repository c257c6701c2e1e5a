//! Span contexts as W3C headers.

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use pgjobq::trace::TraceContext;

/// Writes a span context, if it is valid.
pub(crate) fn to_w3c(context: &SpanContext) -> Option<TraceContext> {
    if !context.is_valid() {
        return None;
    }
    let (trace, span, flags) = (context.trace_id(), context.span_id(), context.trace_flags().to_u8());
    let written = TraceContext::new(format!("00-{trace:032x}-{span:016x}-{flags:02x}"))?;
    Some(written.with_tracestate(context.trace_state().header()))
}

/// Reads a span context. A `tracestate` that OpenTelemetry rejects is left out.
pub(crate) fn from_w3c(context: &TraceContext) -> Option<SpanContext> {
    let mut parts = context.traceparent().split('-').skip(1);
    let trace = TraceId::from_hex(parts.next()?).ok()?;
    let span = SpanId::from_hex(parts.next()?).ok()?;
    let flags = TraceFlags::new(u8::from_str_radix(parts.next()?, 16).ok()?) & TraceFlags::SAMPLED;
    let state = context.tracestate().and_then(|state| state.parse::<TraceState>().ok()).unwrap_or_default();
    let context = SpanContext::new(trace, span, flags, true, state);
    context.is_valid().then_some(context)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn headers_survive_the_way_there_and_back() {
        let headers = TraceContext::new(TRACE).unwrap().with_tracestate("vendor=1");
        let context = from_w3c(&headers).unwrap();
        assert!(context.is_remote() && context.is_sampled());
        assert_eq!(to_w3c(&context).unwrap(), headers);
        assert_eq!(to_w3c(&SpanContext::NONE), None);
    }

    #[test]
    fn later_version_is_read_as_the_first() {
        let later = TraceContext::new(TRACE.replacen("00-", "01-", 1) + "-more").unwrap();
        assert_eq!(to_w3c(&from_w3c(&later).unwrap()).unwrap().traceparent(), TRACE);
    }
}
