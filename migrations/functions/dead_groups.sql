-- Dead jobs that died alike, for people.

-- Groups the last ten thousand dead jobs of each shard by queue, kind and the pattern of their last error:
-- the largest groups first, at most `p_most`. If a shard has more dead jobs, `exact` is false. Times are in
-- microseconds since 1970. The index `finished_badly` has the order of the walk.
create or replace function pgjobq.dead_groups(p_most int)
returns table (queue text, kind text, error text, jobs bigint, first_at bigint, last_at bigint, last uuid,
               exact boolean)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    c_rows constant int := 10000;
begin
    return query
    with dead as materialized (
        select s.shard, f.queue_id, f.kind, f.finished_at, f.id, pgjobq.error_pattern(f.message) as pattern
          from pgjobq.settings, generate_series(0, shards - 1) s(shard),
               lateral (select j.queue_id, j.kind, j.finished_at, j.id, j.errors->-1->>'message' as message
                          from pgjobq.finished j
                         where j.shard = s.shard and j.outcome = 'dead' and j.outcome <> 'completed'
                         order by j.finished_at desc limit c_rows + 1) f)
    select q.name, d.kind, d.pattern, count(*), pgjobq.micros(min(d.finished_at)),
           pgjobq.micros(max(d.finished_at)), (array_agg(d.id order by d.finished_at desc))[1],
           not exists (select from dead group by shard having count(*) > c_rows)
      from dead d left join pgjobq.queues q on q.id = d.queue_id
     group by q.name, d.kind, d.pattern
     order by count(*) desc, max(d.finished_at) desc limit p_most;
end $$;

comment on function pgjobq.dead_groups is 'Internal. Groups dead jobs that died alike.';

-- The first line of an error, at most 200 characters, with `#` in place of each id and number: what errors
-- with one cause have in common.
create or replace function pgjobq.error_pattern(p_message text) returns text language sql immutable
    set search_path = pg_catalog, pg_temp as $$
    select left(regexp_replace(left(split_part(p_message, E'\n', 1), 400),
                               '[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9]+', '#', 'g'), 200)
$$;

comment on function pgjobq.error_pattern is 'Internal. What errors with one cause have in common.';
