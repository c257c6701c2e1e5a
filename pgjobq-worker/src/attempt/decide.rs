//! Decides what the end of an attempt means for its job. Pure.

use std::time::Duration;

use pgjobq_core::worker_api::{Decision, ErrorKind, LONGEST_DELAY, holds_nul, result_too_large, storable};
use pgjobq_core::{FailureReason, JobError, Policy};
use serde_json::value::RawValue;

/// The shortest delays after arguments that do not decode. They give a rolling deploy the time to bring the job function that
/// takes them. After the last delay there is one more try.
const DECODE_DELAYS: [Duration; 2] = [Duration::from_secs(2 * 60), Duration::from_secs(15 * 60)];
/// The number of bytes of an error's text that are kept.
pub(crate) const MESSAGE_BYTES: usize = 8 << 10;

/// The error of a job that must not run twice, when its attempt was stopped after the loss of its lease.
const LEASE_LOST: &str = "its worker stopped it, because no heartbeat was answered for as long as the lease";
/// The error of a job whose result PostgreSQL cannot store.
const NUL_IN_RESULT: &str = "its result holds a NUL character (\\u0000), which PostgreSQL cannot store in JSON: remove it, or encode the bytes";

/// The end of an attempt.
#[derive(Debug)]
pub(crate) enum End {
    Returned(Result<Box<RawValue>, JobError>),
    Panicked(String),
    TimedOut,
    /// A shutdown or a cancellation stopped it.
    Stopped,
    /// It was stopped because its lease is lost, or may be.
    Lost,
}

/// The circumstances on which the decision depends besides the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances<'p> {
    pub(crate) policy: &'p Policy,
    /// The number of attempts that failed before this one.
    pub(crate) failures: u32,
    pub(crate) retries: u32,
    /// True if the job must not run twice: it survives no crash.
    pub(crate) at_most_once: bool,
    /// The retention of the completed job, if it is kept at all.
    pub(crate) retention: Option<Duration>,
    /// True if the job is a step, so that others may read its result.
    pub(crate) is_step: bool,
    /// True if a request to cancel the job was seen.
    pub(crate) cancelled: bool,
    /// True if the attempt was asked to stop.
    pub(crate) stopping: bool,
    /// The largest size of a kept result, in bytes of JSON.
    pub(crate) max_result: usize,
    /// A random number from 0 to 1.
    pub(crate) chance: f64,
}

/// Decides what the end of an attempt means for its job.
pub(crate) fn decide(end: End, about: Circumstances<'_>) -> Decision {
    match end {
        End::Returned(Ok(output)) => complete(output, about),
        // The database has the request to cancel the job, and ends it.
        _ if about.cancelled => Decision::Release,
        End::Returned(Err(error)) => match error.kind() {
            ErrorKind::Snooze(delay) if delay > LONGEST_DELAY => too_far(delay),
            ErrorKind::Snooze(delay) => Decision::Snooze { delay },
            ErrorKind::Cancel => Decision::Cancel { reason: error.reason().as_deref().map(text) },
            // An error after a request to stop is no failure, unless the job must not run twice.
            _ if about.stopping && !about.at_most_once => Decision::Release,
            ErrorKind::Fatal => bury(FailureReason::Fatal, &error.to_string()),
            ErrorKind::RetryIn(delay) if delay > LONGEST_DELAY => too_far(delay),
            ErrorKind::RetryIn(delay) => {
                about.fail(FailureReason::Error, &error.to_string(), about.retries, Some(delay))
            }
            ErrorKind::Failure => about.fail(FailureReason::Error, &error.to_string(), about.retries, None),
            ErrorKind::Decode => about.fail_to_decode(&error.to_string()),
        },
        End::Panicked(message) => about.fail(FailureReason::Panic, &message, about.retries, None),
        End::TimedOut => {
            let message = format!("it ran for longer than {:?}", about.policy.timeout);
            about.fail(FailureReason::Timeout, &message, about.retries, None)
        }
        End::Stopped => stopped(about.at_most_once),
        End::Lost => released(about.at_most_once, FailureReason::Crash, LEASE_LOST),
    }
}

impl Circumstances<'_> {
    /// Decides about a failure: the job is retried after `delay`, or its backoff, unless it has no retries left.
    fn fail(self, reason: FailureReason, message: &str, retries: u32, delay: Option<Duration>) -> Decision {
        if self.failures >= retries {
            return bury(reason, message);
        }
        Decision::Retry { delay: delay.unwrap_or_else(|| self.backoff()), reason, message: text(message) }
    }

    /// Decides about arguments that do not decode.
    fn fail_to_decode(self, message: &str) -> Decision {
        let retries = self.retries.min(DECODE_DELAYS.len() as u32);
        let delay = DECODE_DELAYS.get(self.failures as usize).map(|delay| self.backoff().max(*delay));
        self.fail(FailureReason::Decode, message, retries, delay)
    }

    fn backoff(self) -> Duration {
        self.policy.backoff.jittered(self.failures + 1, self.chance)
    }
}

/// Completes the job, or buries it if its result is to be stored and cannot be.
fn complete(output: Box<RawValue>, about: Circumstances<'_>) -> Decision {
    if about.retention.is_none() && !about.is_step {
        return Decision::Complete { keep: None, output: None };
    }
    if holds_nul(output.get()) {
        return bury(FailureReason::Fatal, NUL_IN_RESULT);
    }
    if output.get().len() > about.max_result {
        let problem = result_too_large(output.get().len(), about.max_result);
        return bury(FailureReason::Fatal, &format!("its result is {problem}"));
    }
    Decision::Complete { keep: about.retention, output: Some(output) }
}

/// Decides about an attempt that a shutdown ended.
pub(crate) fn stopped(at_most_once: bool) -> Decision {
    released(at_most_once, FailureReason::Release, "a shutdown ended it")
}

/// Releases the job of a stopped attempt, or buries it if it must not run twice.
fn released(at_most_once: bool, reason: FailureReason, why: &str) -> Decision {
    if at_most_once {
        return bury(reason, &format!("{why}, and it must not run twice"));
    }
    Decision::Release
}

fn too_far(delay: Duration) -> Decision {
    bury(
        FailureReason::Fatal,
        &format!("it asked to be run again in {delay:?}, more than a hundred years: a unit may be wrong"),
    )
}

fn bury(reason: FailureReason, message: &str) -> Decision {
    Decision::Bury { reason, message: text(message) }
}

/// Returns the text of an error so that PostgreSQL can store it, cut to [`MESSAGE_BYTES`]. A failure must always be recordable.
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
            retention: None,
            is_step: false,
            cancelled: false,
            stopping: false,
            max_result: 1000,
            chance: 0.5,
        }
    }

    fn failed() -> End {
        End::Returned(Err(JobError::from("no")))
    }

    #[test]
    fn retries_follow_the_first_failure() {
        assert!(matches!(decide(failed(), about(0, 1)), Decision::Retry { .. }));
        assert!(matches!(decide(failed(), about(1, 1)), Decision::Bury { reason: FailureReason::Error, .. }));
        assert!(matches!(decide(failed(), about(0, 0)), Decision::Bury { .. }));
    }

    #[test]
    fn job_chooses_delay_and_snooze_uses_no_retry() {
        let day = Duration::from_secs(86_400);
        let ends = |error: JobError, failures| decide(End::Returned(Err(error)), about(failures, 1));
        assert!(matches!(ends(JobError::retry_in(day), 0), Decision::Retry { delay, .. } if delay == day));
        assert!(matches!(
            ends(JobError::retry_in(day), 1),
            Decision::Bury { reason: FailureReason::Error, .. }
        ));
        assert!(matches!(ends(JobError::snooze(day), 1), Decision::Snooze { delay } if delay == day));
        assert!(matches!(
            ends(JobError::snooze(Duration::MAX), 0),
            Decision::Bury { reason: FailureReason::Fatal, .. }
        ));
        let why = JobError::cancel().because("the user has left");
        assert!(matches!(ends(why, 0), Decision::Cancel { reason: Some(why) } if why == "the user has left"));
    }

    #[test]
    fn cancelled_job_that_does_not_complete_is_released() {
        let cancelled = |end| decide(end, Circumstances { cancelled: true, ..about(0, 0) });
        assert!(matches!(cancelled(failed()), Decision::Release));
        assert!(matches!(cancelled(End::TimedOut), Decision::Release));
        let done = RawValue::from_string("1".to_owned()).expect("a number is JSON");
        assert!(matches!(cancelled(End::Returned(Ok(done))), Decision::Complete { .. }));
    }

    #[test]
    fn fatal_error_buries_at_once() {
        let fatal = End::Returned(Err(JobError::fatal("never")));
        assert!(matches!(decide(fatal, about(0, 20)), Decision::Bury { reason: FailureReason::Fatal, .. }));
    }

    #[test]
    fn undecodable_arguments_wait_for_a_deploy_between_three_tries() {
        let decode = || End::Returned(Err(JobError::decode("no such field")));
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        assert!(matches!(
            decide(decode(), about(0, 20)),
            Decision::Retry { reason: FailureReason::Decode, delay, .. } if delay == minutes(2)
        ));
        assert!(matches!(
            decide(decode(), about(1, 20)),
            Decision::Retry { reason: FailureReason::Decode, delay, .. } if delay == minutes(15)
        ));
        assert!(matches!(
            decide(decode(), about(2, 20)),
            Decision::Bury { reason: FailureReason::Decode, .. }
        ));
        assert!(matches!(decide(decode(), about(0, 0)), Decision::Bury { .. }));
    }

    #[test]
    fn shutdown_fails_only_jobs_that_must_not_run_twice() {
        assert!(matches!(decide(End::Stopped, about(0, 0)), Decision::Release));
        assert!(matches!(
            decide(failed(), Circumstances { stopping: true, ..about(0, 0) }),
            Decision::Release
        ));
        let once = Circumstances { at_most_once: true, ..about(0, 0) };
        assert!(matches!(decide(End::Stopped, once), Decision::Bury { reason: FailureReason::Release, .. }));
        assert!(matches!(decide(End::Lost, once), Decision::Bury { reason: FailureReason::Crash, .. }));
    }

    #[test]
    fn kept_result_over_the_limit_buries() {
        let large = || RawValue::from_string("1".repeat(1001)).expect("a number is JSON");
        let kept = Circumstances { retention: Some(Duration::from_secs(1)), ..about(0, 9) };
        let Decision::Bury { reason: FailureReason::Fatal, message } =
            decide(End::Returned(Ok(large())), kept)
        else {
            panic!("it is not dead")
        };
        assert!(message.starts_with("its result is 1001 bytes, more than the limit of 1000"), "{message}");
        assert!(matches!(decide(End::Returned(Ok(large())), about(0, 9)), Decision::Complete { .. }));
        let step = Circumstances { is_step: true, ..about(0, 9) };
        assert!(matches!(decide(End::Returned(Ok(large())), step), Decision::Bury { .. }));
    }

    #[test]
    fn result_of_a_step_is_sent_although_not_kept() {
        let done = || End::Returned(Ok(RawValue::from_string("1".to_owned()).expect("a number is JSON")));
        assert!(matches!(decide(done(), about(0, 9)), Decision::Complete { keep: None, output: None }));
        let step = Circumstances { is_step: true, ..about(0, 9) };
        assert!(matches!(decide(done(), step), Decision::Complete { keep: None, output: Some(_) }));
    }

    #[test]
    fn error_text_is_always_storable() {
        assert_eq!(text("a\0b"), "a\u{FFFD}b");
        assert!(text(&"ß".repeat(10_000)).len() <= MESSAGE_BYTES);
    }
}
