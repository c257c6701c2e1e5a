//! Faults of the library itself, planted by hand: each must be found by a check of the harness.
//!
//! `--plant order` makes a run that must panic.

use std::sync::Arc;
use std::time::Duration;

use crate::stage::Stage;

const EVERY: Duration = Duration::from_millis(100);

/// The faults, and what is executed over and over.
const FAULTS: [(&str, &str); 13] = [
    (
        "limit",
        "update pgjobq.limits set concurrency = 3 where name in ('lined', 'scarce', 'narrow') and concurrency < 3;
         update pgjobq.limits set overrides = '{\"concurrency\": {\"value\": 9}}' where name = 'crowded'",
    ),
    (
        "order",
        "update pgjobq.jobs set arrival = -arrival
          where kind = 'lined' and permit is null and ticket is null and arrival > 0",
    ),
    (
        "bound",
        "update pgjobq.queues set capacity = capacity + 1 where name = 'packed';
         insert into pgjobq.room (shard, queue_id, id, places)
         select 0, id, (random() * 1e15)::bigint, 1 from pgjobq.queues where name = 'packed'",
    ),
    ("rate", "update pgjobq.limits set rates = '[[9, 1000000]]' where name = 'paced'"),
    ("unique", "update pgjobq.jobs set unique_key = null where kind = 'only' and unique_key is not null"),
    ("waiting", "update pgjobq.jobs set unique_key = null where kind = 'synced' and unique_key is not null"),
    ("time", "delete from pgjobq.unique_until"),
    ("debounce", "update pgjobq.jobs set run_at = clock_timestamp() where kind = 'debounced' and run_at > clock_timestamp()"),
    (
        "newest",
        "update pgjobq.jobs set arrival = arrival + 1000000000
          where kind = 'newest' and permit is null and ticket is null and arrival < 1000000000",
    ),
    (
        "change",
        "create or replace function public.keep() returns trigger language plpgsql as
             $$ begin new.answer := 'keep'; return new; end $$;
         create or replace trigger keep before insert on pgjobq.unique_requests
             for each row execute function public.keep()",
    ),
    ("weight", "update pgjobq.jobs set weight = 1 where kind = 'tolled' and weight > 1"),
    // A result that the fence refused passes for recorded.
    (
        "refused",
        "do $do$ declare f text := pg_get_functiondef('pgjobq.finish'::regproc); begin
             if f not like '%planted%' then
                 execute replace(f, 'waited := (', 'stale := null; /* planted */ waited := (');
             end if; end $do$",
    ),
    // A result that is recorded passes now and then for refused.
    (
        "recorded",
        "do $do$ declare f text := pg_get_functiondef('pgjobq.finish'::regproc); begin
             if f not like '%planted%' then
                 execute replace(f, 'waited := (', 'if random() < 0.05 and v_steps is null then /* planted */
                     stale := stale || p_id[1]; end if; waited := (');
             end if; end $do$",
    ),
];

/// Plants a fault, until it is aborted.
pub(crate) async fn plant(stage: Arc<Stage>, name: String) {
    let names: Vec<_> = FAULTS.iter().map(|(name, _)| *name).collect();
    let fault = FAULTS.iter().find(|(fault, _)| *fault == name);
    let (_, sql) = fault.unwrap_or_else(|| panic!("{name} is no fault; there are {}", names.join(", ")));
    loop {
        stage.command(sql).await;
        tokio::time::sleep(EVERY).await;
    }
}
