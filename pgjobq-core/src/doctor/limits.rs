//! The limits from which on something is a fault.

use std::time::Duration;

/// The limits from which on something is a fault.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) transaction_age: Duration,
    pub(super) dead_rows: u64,
    pub(super) empty_bytes: u64,
    pub(super) slot_transactions: u64,
    pub(super) slot_wal: u64,
    pub(super) clock_skew: Duration,
}

impl Limits {
    pub(super) const DEFAULT: Self = Self {
        transaction_age: Duration::from_secs(3600),
        dead_rows: 100_000,
        empty_bytes: 1 << 30,
        slot_transactions: 1_000_000,
        slot_wal: 10 << 30,
        clock_skew: Duration::from_secs(5),
    };
}
