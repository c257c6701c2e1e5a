//! A person who raises and lowers a limit and a bound while jobs run.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::sleep;

use crate::limited;
use crate::stage::Stage;

/// The limits that the person chooses from.
const MOST: std::ops::RangeInclusive<u32> = 1..=5;

/// The bounds of the bounded queue.
const BOUND: std::ops::RangeInclusive<usize> = 5..=30;

/// Records after which moment no admission reads an older limit: when every snapshot is gone that may show one.
const SETTLE: &str = "update limits_set set settled = nextval('moments')
     where settled is null
       and not exists (select from pg_stat_activity
                        where backend_xmin::text::bigint <= transaction and pid <> pg_backend_pid())";

/// Changes the limit of the keys of `crowded` and the bound of a queue, until it is aborted.
pub(crate) async fn change(stage: Arc<Stage>, seed: u64) {
    let mut dice = Rng::with_seed(seed);
    loop {
        for _ in 0..dice.u32(5..15) {
            sleep(Duration::from_millis(100)).await;
            stage.command(SETTLE).await;
        }
        // It is refused if more jobs are there.
        let bound = dice.usize(BOUND);
        drop(stage.client.queue(limited::PACKED).change().bound(bound).by("a person").await);
        // One statement records the change and makes it.
        stage
            .command(&format!(
                "with noted as (
                   insert into limits_set (scope, name, per_key, most) values ('kind', 'crowded', true, {}) returning *)
                 select pgjobq.change_kind_setting(name, 'concurrency', most::text, 'a person') from noted",
                dice.u32(MOST)
            ))
            .await;
    }
}
