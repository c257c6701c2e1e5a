//! What an ended attempt means for its job. Pure.

use std::time::Duration;

use pgjobq_core::__private::{Decision, ErrorKind, holds_nul, result_too_large, storable};
use pgjobq_core::{JobError, Policy};
use serde_json::value::RawValue;

/// How often arguments that do not decode are tried: a rolling deploy heals them, or nothing does.
const DECODE_TRIES: u32 = 3;
/// The longest delay that a job may choose. More than that is a mistaken unit.
const FARTHEST: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);
/// How much of an error's text is kept, in bytes.
pub(crate) const MESSAGE_BYTES: usize = 8 << 10;

/// The error of an attempt that was stopped after the loss of its lease.
const CUT_OFF: &str = "its worker stopped it, because no heartbeat was answered for as long as the lease";
/// What is said of a result that cannot be recorded.
const NUL_IN_RESULT: &str = "its result holds a NUL character (\\u0000), which PostgreSQL cannot store in JSON: remove it, or encode the bytes";

/// How an attempt ended.
#[derive(Debug)]
pub(crate) enum End {
    Returned(Result<Box<RawValue>, JobError>),
    Panicked(String),
    TimedOut,
    /// A shutdown ended it.
    Stopped,
    /// It was stopped because its lease is lost, or may be.
    Lost,
}

/// What the decision depends on besides the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances<'p> {
    pub(crate) policy: &'p Policy,
    /// How many attempts have failed before this one.
    pub(crate) failures: u32,
    pub(crate) retries: u32,
    /// Whether the job must not run twice: it has no crash budget.
    pub(crate) at_most_once: bool,
    /// How long the job is kept when it has completed, if at all.
    pub(crate) keep: Option<Duration>,
    /// Whether somebody has asked to cancel the job.
    pub(crate) cancelled: bool,
    /// Whether the worker has told the attempt to stop.
    pub(crate) stopping: bool,
    /// How many bytes of JSON a result may have that is kept.
    pub(crate) most_bytes: usize,
    /// A random number from 0 to 1.
    pub(crate) chance: f64,
}

/// What an ended attempt means for its job.
pub(crate) fn decide(end: End, about: Circumstances<'_>) -> Decision {
    if about.cancelled && !matches!(end, End::Returned(Ok(_))) {
        return Decision::Release; // The database has the request, and ends the job instead.
    }
    let mut delay = None;
    let (reason, message, tries) = match end {
        End::Returned(Ok(output)) => {
            if about.keep.is_some() && holds_nul(output.get()) {
                return Decision::Bury { reason: "fatal", message: NUL_IN_RESULT.to_owned() };
            }
            if about.keep.is_some() && output.get().len() > about.most_bytes {
                let message =
                    format!("its result is {}", result_too_large(output.get().len(), about.most_bytes));
                return Decision::Bury { reason: "fatal", message };
            }
            return Decision::Complete { keep: about.keep, output };
        }
        End::Stopped => return stopped(about.at_most_once),
        End::Lost => return released(about.at_most_once, CUT_OFF),
        End::Returned(Err(error)) if let ErrorKind::Snooze(delay) = error.kind() => return snooze(delay),
        End::Returned(Err(error)) if error.kind() == ErrorKind::Cancel => {
            return Decision::Cancel { reason: error.reason().as_deref().map(text) };
        }
        // What fails because it was told to stop has not failed; but what must not run twice has.
        End::Returned(Err(_)) if about.stopping && !about.at_most_once => return Decision::Release,
        End::Returned(Err(error)) => match error.kind() {
            ErrorKind::Fatal => {
                return Decision::Bury { reason: "fatal", message: text(&error.to_string()) };
            }
            ErrorKind::RetryIn(chosen) if chosen > FARTHEST => return too_far(chosen),
            ErrorKind::RetryIn(chosen) => {
                delay = Some(chosen);
                ("error", error.to_string(), about.retries)
            }
            ErrorKind::Decode => ("decode", error.to_string(), about.retries.min(DECODE_TRIES - 1)),
            _ => ("error", error.to_string(), about.retries),
        },
        End::Panicked(message) => ("panic", message, about.retries),
        End::TimedOut => {
            let message = format!("it ran for longer than {:?}", about.policy.timeout);
            ("timeout", message, about.retries)
        }
    };
    let message = text(&message);
    if about.failures >= tries {
        return Decision::Bury { reason, message };
    }
    let delay = delay.unwrap_or_else(|| about.policy.backoff.jittered(about.failures + 1, about.chance));
    Decision::Retry { delay, reason, message }
}

/// What it means that a shutdown ended an attempt.
pub(crate) fn stopped(at_most_once: bool) -> Decision {
    released(at_most_once, "a shutdown ended it")
}

/// Releases the job of a stopped attempt, or buries it if it must not run twice.
fn released(at_most_once: bool, why: &str) -> Decision {
    if at_most_once {
        let message = format!("{why}, and it must not run twice");
        return Decision::Bury { reason: "crash", message };
    }
    Decision::Release
}

fn snooze(delay: Duration) -> Decision {
    if delay > FARTHEST { too_far(delay) } else { Decision::Snooze { delay } }
}

fn too_far(delay: Duration) -> Decision {
    let message =
        format!("it asked to be run again in {delay:?}, more than a hundred years: a unit may be wrong");
    Decision::Bury { reason: "fatal", message }
}

/// The text of an error as PostgreSQL takes it, and not longer than anybody reads. A failure must always be recordable.
pub(crate) fn text(message: &str) -> String {
    storable(message, MESSAGE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(failures: u32, retries: u32) -> Circumstances<'static> {
        let policy = &Policy::DEFAULT;
        Circumstances {
            policy,
            failures,
            retries,
            at_most_once: false,
            keep: None,
            cancelled: false,
            stopping: false,
            most_bytes: 1000,
            chance: 0.5,
        }
    }

    fn failed() -> End {
        End::Returned(Err(JobError::from("no")))
    }

    #[test]
    fn retries_are_the_tries_after_the_first_failure() {
        assert!(matches!(decide(failed(), about(0, 1)), Decision::Retry { .. }));
        assert!(matches!(decide(failed(), about(1, 1)), Decision::Bury { reason: "error", .. }));
        assert!(matches!(decide(failed(), about(0, 0)), Decision::Bury { .. }));
    }

    #[test]
    fn a_job_chooses_its_delay_and_a_snooze_uses_up_no_retry() {
        let day = Duration::from_secs(86_400);
        let ends = |error: JobError, failures| decide(End::Returned(Err(error)), about(failures, 1));
        assert!(matches!(ends(JobError::retry_in(day), 0), Decision::Retry { delay, .. } if delay == day));
        assert!(matches!(ends(JobError::retry_in(day), 1), Decision::Bury { reason: "error", .. }));
        assert!(matches!(ends(JobError::snooze(day), 1), Decision::Snooze { delay } if delay == day));
        assert!(matches!(ends(JobError::snooze(Duration::MAX), 0), Decision::Bury { reason: "fatal", .. }));
        let why = JobError::cancel().because("the user has left");
        assert!(matches!(ends(why, 0), Decision::Cancel { reason: Some(why) } if why == "the user has left"));
    }

    #[test]
    fn a_cancelled_job_that_does_not_complete_is_handed_back_for_the_database_to_end() {
        let cancelled = |end| decide(end, Circumstances { cancelled: true, ..about(0, 0) });
        assert!(matches!(cancelled(failed()), Decision::Release));
        assert!(matches!(cancelled(End::TimedOut), Decision::Release));
        let done = RawValue::from_string("1".to_owned()).expect("a number is JSON");
        assert!(matches!(cancelled(End::Returned(Ok(done))), Decision::Complete { .. }));
    }

    #[test]
    fn a_fatal_error_buries_at_once() {
        let fatal = End::Returned(Err(JobError::fatal("never")));
        assert!(matches!(decide(fatal, about(0, 20)), Decision::Bury { reason: "fatal", .. }));
    }

    #[test]
    fn arguments_that_do_not_decode_are_tried_three_times_at_most() {
        let decode = || End::Returned(Err(JobError::decode("no such field")));
        assert!(matches!(decide(decode(), about(1, 20)), Decision::Retry { reason: "decode", .. }));
        assert!(matches!(decide(decode(), about(2, 20)), Decision::Bury { reason: "decode", .. }));
        assert!(matches!(decide(decode(), about(0, 0)), Decision::Bury { .. }));
    }

    #[test]
    fn a_shutdown_is_no_failure_but_for_what_must_not_run_twice() {
        assert!(matches!(decide(End::Stopped, about(0, 0)), Decision::Release));
        assert!(matches!(
            decide(failed(), Circumstances { stopping: true, ..about(0, 0) }),
            Decision::Release
        ));
        let once = Circumstances { at_most_once: true, ..about(0, 0) };
        assert!(matches!(decide(End::Stopped, once), Decision::Bury { .. }));
    }

    #[test]
    fn kept_result_over_the_limit_buries() {
        let large = || RawValue::from_string("1".repeat(1001)).expect("a number is JSON");
        let kept = Circumstances { keep: Some(Duration::from_secs(1)), ..about(0, 9) };
        let Decision::Bury { reason: "fatal", message } = decide(End::Returned(Ok(large())), kept) else {
            panic!("it is not dead")
        };
        assert!(message.starts_with("its result is 1001 bytes, more than the limit of 1000"), "{message}");
        assert!(matches!(decide(End::Returned(Ok(large())), about(0, 9)), Decision::Complete { .. }));
    }

    #[test]
    fn any_text_of_an_error_can_be_recorded() {
        assert_eq!(text("a\0b"), "a\u{FFFD}b");
        assert!(text(&"ß".repeat(10_000)).len() <= MESSAGE_BYTES);
    }
}
