//! Faults of the library, planted into its functions. The verdict on limits must find each.

use crate::Stage;

const ADMISSION: &str = include_str!("../../migrations/functions/admission.sql");
const FINISH: &str = include_str!("../../migrations/functions/finish.sql");

/// Without its lock, two admissions give one permit. The unique index would refuse the second.
const NO_INDEX: &str = "drop index pgjobq.jobs_with_permit; create index jobs_with_permit on pgjobq.jobs (
    shard, kind, coalesce(case when limits & 16::smallint > 0 then key end, ''), permit) where permit > 0";

/// A result gives the permit back before it is known to be valid.
const FREED_FIRST: &str = "begin
    update pgjobq.jobs set limits = null, permit = null where shard = p_shard and id = any (p_id) and permit is not null;
    select h.held";

/// Replaces functions of the library.
pub(crate) async fn plant(stage: &Stage, name: &str) {
    match name {
        "lock" => {
            stage.run(NO_INDEX).await;
            stage.run(&cut(ADMISSION, "perform pg_advisory_xact_lock(", 1, "perform (")).await;
        }
        "freed" => stage.run(&cut(FINISH, "begin\n    select h.held", 1, FREED_FIRST)).await,
        "order" => {
            let by_arrival = "order by priority desc, arrival\n";
            stage.run(&cut(ADMISSION, by_arrival, 2, &by_arrival.replace('\n', " desc\n"))).await;
        }
        _ => panic!("{name} is no fault; there are lock, freed and order"),
    }
}

fn cut(text: &str, old: &str, times: usize, new: &str) -> String {
    assert_eq!(text.matches(old).count(), times, "the schema changed: {old}");
    text.replace(old, new)
}
