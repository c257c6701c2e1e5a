//! The job that every peer runs, and its arguments.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The arguments: about a hundred bytes of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Args {
    /// The number of the job in its run.
    pub(crate) number: u64,
    /// The time from which the latency is measured, in nanoseconds of [`handled::now`](crate::handled::now). Zero
    /// measures nothing.
    pub(crate) sent: u64,
    pub(crate) template: String,
    pub(crate) to: String,
    pub(crate) subject: String,
}

/// One job, before a peer translates it into its own.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) args: Args,
    pub(crate) kind: Kind,
    /// The number of its queue, below [`Setup::queues`](crate::peers::Setup::queues).
    pub(crate) queue: usize,
    /// 0 to 3, of which 3 runs first.
    pub(crate) priority: u8,
    pub(crate) delay: Option<Duration>,
}

/// The behaviour of a job, besides counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing is kept of it.
    Plain,
    /// The completed job is kept, with a number as its result.
    Kept,
    /// Every tenth fails at its first attempt.
    Flaky,
    /// It has one of 10,000 keys, of each of which one job runs at a time.
    Keyed,
    /// It belongs to a tenant: the first 100,000 to the same one, each other to one of its own. Ten jobs of a tenant run at a time.
    OfTenant,
    /// One call of the handler takes 500 jobs.
    Batched,
    /// The handler asks the database once.
    Asking,
    /// It does so once for each call, which takes 500 jobs.
    AskingBatched,
    /// A call waits for [`WITHIN`] for more jobs. The latency is what it takes beyond that.
    Waiting,
}

/// The time for which a call waits for more jobs after its first.
pub(crate) const WITHIN: Duration = Duration::from_millis(100);

/// The jobs of the tenant that has many.
pub(crate) const MANY: u64 = 100_000;

impl Job {
    pub(crate) fn new(number: u64) -> Self {
        let args = Args {
            number,
            sent: 0,
            template: "welcome".to_owned(),
            to: "alice@example.com".to_owned(),
            subject: "hello there, and welcome".to_owned(),
        };
        Self { args, kind: Kind::Plain, queue: 0, priority: 1, delay: None }
    }

    /// Measures the latency of this job from now on.
    pub(crate) fn timed(mut self) -> Self {
        self.args.sent = crate::handled::now();
        self
    }

    pub(crate) fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Lengthens the arguments by this many bytes.
    pub(crate) fn padded(mut self, bytes: usize) -> Self {
        // Text that PostgreSQL could compress to nothing would measure the compression.
        let mut state = self.args.number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        self.args.subject.extend((0..bytes).map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(b'a' + (state % 26) as u8)
        }));
        self
    }
}
