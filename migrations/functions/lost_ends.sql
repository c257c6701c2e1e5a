-- Lost ends: the records of dead, cancelled and expired jobs that were deleted, or put back in line.
--
-- A child may be committed after its parent has died and the record of that is gone (see `edges.sql`). It
-- must not run then, as if its parent had completed. So each deletion of such records notes the time of the
-- latest end among them. If a parent has no record, and a noted end is later than the enqueue of the child,
-- nobody knows how the parent ended. The note is of a time and not of a job, because a deletion may be of
-- millions.

-- Notes that the records of some bad ends are being deleted, in the same transaction. `p_ended_at` is the
-- time of the latest of them; null if there are none. It locks nothing, so deletions need no order.
create or replace function pgjobq.note_lost_ends(p_shard smallint, p_ended_at timestamptz) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    insert into pgjobq.lost_ends (shard, ended_at)
    select p_shard, p_ended_at
     where p_ended_at is not null
       and not exists (select from pgjobq.lost_ends where shard = p_shard and ended_at >= p_ended_at);
end $$;

comment on function pgjobq.note_lost_ends is 'Internal. Notes that records of bad ends are being deleted.';

-- The same of all records in a partition of `finished`. It looks at the latest one of each outcome.
create or replace function pgjobq.note_lost_partition(p_table text) returns void language plpgsql
    set search_path = pg_catalog, pg_temp as $$
begin
    execute format('
        select pgjobq.note_lost_ends(s.shard::smallint, max(f.finished_at))
          from generate_series(0, (select shards - 1 from pgjobq.settings)) s(shard),
               unnest(''{dead,cancelled,expired}''::text[]) o(outcome),
               lateral (select finished_at from %s
                         where shard = s.shard and outcome = o.outcome and outcome <> ''completed''
                         order by finished_at desc limit 1) f
         group by s.shard', p_table);
end $$;

comment on function pgjobq.note_lost_partition is 'Internal. Notes that a partition is being dropped.';

-- The outcome of a parent without a record, whose new edges are not confirmed. It has completed and was not
-- kept; or its record was deleted after its children were enqueued, and then its outcome is `unknown`.
--
-- An end is recorded with the time at which its transaction began to write it, which may be a little earlier
-- than the enqueue of a child that still saw the parent live.
create or replace function pgjobq.outcome_without_record(
    p_shard smallint, p_parent uuid, p_created_at timestamptz)
returns text language plpgsql stable as $$
begin
    return (select case when exists (select from pgjobq.lost_ends
                                      where shard = p_shard
                                        and ended_at > min(e.child_created_at) - interval '1 minute')
                        then 'unknown' else 'completed' end
              from pgjobq.edges e
             where e.shard = p_shard and e.parent = p_parent and e.parent_created_at = p_created_at
               and not e.is_confirmed);
end $$;

comment on function pgjobq.outcome_without_record is 'Internal. The outcome of a parent without a record.';
