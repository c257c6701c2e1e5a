-- The state of jobs that a process waits for: live, or ended with an outcome, or unknown (no row). All are
-- read in one snapshot, so that no job seems unknown because it ends just then. The latest end wins, because
-- an id may have run before. It probes the primary key of `jobs` and, only for ids that are not live, each
-- partition of `finished`. An id that is in neither may be a workflow's. It has no kind; `completed`,
-- `cancelled` and `failed` are its outcomes.
--
-- Results and errors are sent in the order of `p_ids`, until `p_bytes` are reached, and at least one of them;
-- `left_out` marks the others. Their stored size is counted first, so that few are unpacked in vain, and then
-- their size as text. Without `p_bytes` none is sent.
create or replace function pgjobq.lookup(p_shards smallint[], p_ids uuid[], p_bytes bigint)
returns table (id uuid, kind text, live boolean, outcome text, output text, errors text, attempt int,
               finished_at bigint, left_out boolean, created_at timestamptz)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
    with stored as (
        select w.id, coalesce(live.kind, ended.kind, '') as kind,
               live.kind is not null or flow.id is not null and flow.outcome is null as live,
               coalesce(ended.outcome, flow.outcome) as outcome, ended.output, ended.errors,
               coalesce(ended.attempt, case when flow.id is not null then 0 end) as attempt,
               coalesce(ended.finished_at, flow.ended_at) as finished_at,
               coalesce(live.created_at, ended.created_at, flow.created_at) as created_at,
               coalesce(pg_column_size(ended.output), pg_column_size(ended.errors), 0) as size
          from unnest(p_shards, p_ids) w(shard, id)
          left join lateral pgjobq.job_row(w.shard, w.id) live on true
          left join lateral (select f.kind, f.outcome, f.output,
                                    case when f.outcome = 'dead' then f.errors end as errors, f.attempt,
                                    f.finished_at, f.created_at
                               from pgjobq.finished f
                              where f.shard = w.shard and f.id = w.id and live.kind is null
                              order by f.finished_at desc limit 1) ended on true
          left join lateral (select f.id, f.outcome, f.ended_at, f.created_at from pgjobq.workflows f
                              where f.shard = w.shard and f.id = w.id and live.kind is null
                                and ended.outcome is null) flow on true
         where live.kind is not null or ended.outcome is not null or flow.id is not null
        offset 0),
    unpacked as (
        select s.*, case when s.before < p_bytes then s.output::text end as output_text,
               case when s.before < p_bytes and s.errors is not null then pgjobq.readable(s.errors) end
                   as errors_text
          from (select stored.*, sum(size) over (rows unbounded preceding) - size as before from stored) s
        offset 0),
    printed as (
        select u.*, sum(coalesce(octet_length(u.output_text), octet_length(u.errors_text), 0))
                        over (rows unbounded preceding)
                    - coalesce(octet_length(u.output_text), octet_length(u.errors_text), 0) as printed_before
          from unpacked u)
    select p.id, p.kind, p.live, p.outcome, case when p.printed_before < p_bytes then p.output_text end,
           case when p.printed_before < p_bytes then p.errors_text end, p.attempt,
           (extract(epoch from p.finished_at) * 1000000)::bigint,
           p.size > 0 and (p.before < p_bytes and p.printed_before < p_bytes) is not true, p.created_at
      from printed p;
end $$;

comment on function pgjobq.lookup is 'Internal. The state of jobs that a process waits for.';
