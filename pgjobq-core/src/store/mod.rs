//! The statements of a worker: each call is one statement for a whole batch, in autocommit.

mod accepted;
mod access;
mod act;
mod admission;
mod age;
mod claim;
mod connections;
mod finish;
mod housekeeping;
mod model;
mod peek;
mod queues;
mod schedules;
mod settle;
mod stack;
mod unique;
mod upkeep;

pub use accepted::AcceptedJobs;
pub use access::{ConnectError, Store};
pub use act::Acted;
pub use admission::{Admissible, Admitted, Awaited, Limit, LimitCursor};
pub use claim::{
    Bounds, CLAIM_BYTES, Claim, Claimed, ClaimedJob, ClaimedQuarantined, Opened, QuarantineClaim, Returned,
};
pub use finish::{Decision, Ended, Finished, LeaseUse};
pub use model::{ByPriority, ClaimId, Hold, Lane, LeaseKey, PRIORITIES};
pub use peek::{Pauses, Peek, Peeked};
pub use queues::QueueStanding;
pub use schedules::{Fired, SchedulesSeen};
pub use settle::{FollowUps, Settled, Tended};
pub use unique::SettledUnique;
pub use upkeep::{ActedOnCancels, Beat, DueShards, Expired, HeldLease, Promoted, Reaped, WorkerBeats};
