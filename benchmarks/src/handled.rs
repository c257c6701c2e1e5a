//! The results of the handlers of a process: counts and latencies.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Instant;

use hdrhistogram::Histogram;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);
static HANDLED: AtomicU64 = AtomicU64::new(0);
static FAILED: LazyLock<Mutex<HashSet<u64>>> = LazyLock::new(Mutex::default);
static LATENCIES: LazyLock<Mutex<Histogram<u64>>> = LazyLock::new(|| Mutex::new(histogram()));

/// From a microsecond to an hour, to three digits, in nanoseconds.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1_000, 3_600_000_000_000, 3).expect("the bounds are valid")
}

/// Nanoseconds on the clock of this process; never zero.
pub(crate) fn now() -> u64 {
    START.elapsed().as_nanos() as u64 + 1
}

/// The whole work of a job: one addition, and a latency if the job asks for it.
pub(crate) fn handle(sent: u64) {
    if sent != 0 {
        record(now().saturating_sub(sent));
    }
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

/// Records a latency in nanoseconds.
pub(crate) fn record(nanoseconds: u64) {
    let mut latencies = LATENCIES.lock().unwrap_or_else(PoisonError::into_inner);
    latencies.saturating_record(nanoseconds.max(1_000));
}

/// The number of latencies that were recorded and not taken out.
pub(crate) fn recorded() -> u64 {
    LATENCIES.lock().unwrap_or_else(PoisonError::into_inner).len()
}

/// Returns whether this attempt fails: the first one of every tenth job.
pub(crate) fn fails(number: u64) -> bool {
    number.is_multiple_of(10) && FAILED.lock().unwrap_or_else(PoisonError::into_inner).insert(number)
}

/// The number of jobs that this process has handled.
pub(crate) fn count() -> u64 {
    HANDLED.load(Ordering::Relaxed)
}

/// Takes all recorded latencies out.
pub(crate) fn take_latencies() -> Histogram<u64> {
    let mut latencies = LATENCIES.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut latencies, histogram())
}
