-- Lets a time pass: moves every time in the rows back by it. $1 microseconds
--
-- Times that are compared with each other all move, so that their distances stay; so do those inside of JSON.
-- What only records when something was installed or recorded does not: `tests/kit/advance.rs` lists it, and
-- fails if a column is neither here nor there.
with passed as materialized (select $1::bigint * interval '1 microsecond' as t),
jobs as (update pgjobq.jobs set created_at = created_at - t, run_at = run_at - t, expires_at = expires_at - t,
                                due_at = due_at - t from passed),
failures as (update pgjobq.failures set at = at - t from passed),
finished as (update pgjobq.finished
                set created_at = created_at - t, finished_at = finished_at - t,
                    errors = coalesce(
                        (select jsonb_agg(
                                    e || jsonb_build_object('at', (e ->> 'at')::timestamptz - t) order by n)
                           from jsonb_array_elements(errors) with ordinality a(e, n)), errors),
                    cancelled = cancelled
                        || jsonb_build_object('asked_at', (cancelled ->> 'asked_at')::timestamptz - t)
               from passed),
cancels as (update pgjobq.cancels set created_at = created_at - t, asked_at = asked_at - t from passed),
leases as (update pgjobq.leases set claimed_at = claimed_at - t from passed),
workers as (update pgjobq.workers set started_at = started_at - t, seen_at = seen_at - t from passed),
progress as (update pgjobq.progress set said_at = said_at - t from passed),
rates as (update pgjobq.rates set at = at - t from passed),
waiters as (update pgjobq.waiters set until = until - t from passed),
queues as (update pgjobq.queues set created_at = created_at - t, deleted_at = deleted_at - t from passed),
workflows as (update pgjobq.workflows set created_at = created_at - t, deadline = deadline - t,
                                          due_at = due_at - t, cancelled_at = cancelled_at - t,
                                          ended_at = ended_at - t from passed),
steps as (update pgjobq.steps set ended_at = ended_at - t from passed),
edges as (update pgjobq.edges set parent_created_at = parent_created_at - t,
                                  child_created_at = child_created_at - t from passed),
ended_parents as (update pgjobq.ended_parents set created_at = created_at - t from passed),
lost_ends as (update pgjobq.lost_ends set ended_at = ended_at - t from passed),
pauses as (update pgjobq.pauses set until = until - t, paused_at = paused_at - t from passed),
actions as (update pgjobq.actions set created_at = created_at - t, next_at = next_at - t,
                                      ended_at = ended_at - t, run_at = run_at - t,
                                      selection.before = (selection).before - t,
                                      place = case when place is null then null else
                                          row((place).list, (place).shard, (place).at - t, (place).id)::pgjobq.place end
              from passed),
ageing as (update pgjobq.ageing set next_at = next_at - t,
                                    times = array(select m - t from unnest(times) with ordinality m(m, n) order by n)
             from passed),
room_waiters as (update pgjobq.room_waiters set until = until - t from passed),
starts as (update pgjobq.starts set next_at = next_at - t,
                                    at = array(select m - $1 from unnest(at) with ordinality m(m, n) order by n)
             from passed),
unique_until as (update pgjobq.unique_until set until = until - t from passed),
unique_requests as (update pgjobq.unique_requests
                       set holder_created_at = holder_created_at - t,
                           job = job || (select jsonb_object_agg(key, (value #>> '{}')::timestamptz - t)
                                           from jsonb_each(job)
                                          where key in ('created_at', 'run_at', 'expires_at', 'due_at'))
                      from passed)
update pgjobq.fleet set measured_at = measured_at - t,
                        mark_times = array(select m - t from unnest(mark_times) with ordinality m(m, n) order by n)
  from passed
