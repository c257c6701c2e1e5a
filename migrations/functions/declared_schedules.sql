-- The schedules that the code of live workers declares. A program records the definitions when it builds its
-- worker, and the worker's row has their digests. Each look of a worker then lets the rows of `schedules`
-- follow, in whatever order workers come and leave, and also if a notification is lost.

-- Records definitions: an array of objects with `name`, `digest`, `definition`, and `last`, the last tick of
-- one that ends, in microseconds since 1970. The time at which one is first seen stays, so a worker of an
-- older program that starts again does not make its definition newer. Returns the names of those that have no
-- tick from now on.
create or replace function pgjobq.record_schedules(p_schedules jsonb) returns text[] language plpgsql
    set search_path = pg_catalog, pg_temp as $$
begin
    insert into pgjobq.schedule_declarations (digest, schedule, definition)
    select d.digest, d.name, d.definition
      from jsonb_to_recordset(p_schedules) d(name text, digest text, definition jsonb)
     order by d.digest
    on conflict (digest) do nothing;
    -- Only the newest ones, and those of this program, can be those of live workers.
    delete from pgjobq.schedule_declarations d
     using (select o.digest, row_number() over (partition by o.schedule order by o.first_seen desc) as place
              from pgjobq.schedule_declarations o) old
     where old.place > 100 and d.digest = old.digest
       and d.digest not in (select r.digest from jsonb_to_recordset(p_schedules) r(digest text))
       and not exists (select from pgjobq.workers w where w.shard = 0 and d.digest = any (w.schedules));
    return array(select d.name from jsonb_to_recordset(p_schedules) d(name text, last bigint)
                  where d.last < pgjobq.micros(clock_timestamp()) order by d.name);
end $$;

comment on function pgjobq.record_schedules is 'Internal. Records the schedules that a program''s code has.';

-- The definitions that live workers declare: of each schedule the one that was first seen last. A worker
-- whose lease is over counts until its row is removed, because it may only be slow. With `p_within_lease` it
-- does not count.
create or replace function pgjobq.declared_schedules(p_within_lease boolean default false)
returns table (schedule text, digest text, definition jsonb) language plpgsql stable
    set search_path = pg_catalog, pg_temp as $$
begin
    return query
    select distinct on (d.schedule) d.schedule, d.digest, d.definition
      from pgjobq.schedule_declarations d
     where d.digest in (select unnest(w.schedules) from pgjobq.workers w
                         where w.shard = 0
                           and (not p_within_lease or w.seen_at > clock_timestamp() - w.lease))
     order by d.schedule, d.first_seen desc, d.digest;
end $$;

comment on function pgjobq.declared_schedules is 'Internal. The definitions that live workers declare.';

-- Lets the rows of `schedules` follow the code of live workers. A schedule that none of them declares stops
-- if one of them knows its kind: then it was removed from the code. Otherwise its program is only away, and
-- its jobs wait for it. Rows that others lock are left for the next look.
create or replace function pgjobq.follow_code() returns void language plpgsql
    set search_path = pg_catalog, pg_temp as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    insert into pgjobq.schedules (name, kind, code, digest, passed_to, next_at)
    select d.schedule, d.definition #>> '{job,kind}', d.definition, d.digest, v_now, v_now
      from pgjobq.declared_schedules() d
     where not exists (select from pgjobq.schedules s where s.name = d.schedule)
     order by d.schedule
    on conflict (name) do nothing;
    -- step: new schedules inserted
    with changed as materialized (
        select s.name, d.digest, d.definition,
               case when s.stored is null then pgjobq.changed_schedule(s, v_now) else s end as follower
          from pgjobq.declared_schedules() d join pgjobq.schedules s on s.name = d.schedule
         where s.digest is distinct from d.digest or s.stopped_at is not null
         order by s.name for update of s skip locked)
    update pgjobq.schedules s
       set code = c.definition, digest = c.digest, stopped_at = null,
           kind = case when s.stored is null then c.definition #>> '{job,kind}' else s.kind end,
           version = (c.follower).version, passed_to = (c.follower).passed_to, next_at = (c.follower).next_at,
           is_seen = (c.follower).is_seen, last_missed = (c.follower).last_missed,
           last_missed_why = (c.follower).last_missed_why
      from changed c where s.name = c.name;
    -- step: changed schedules follow
    with gone as materialized (
        select s.name from pgjobq.schedules s
         where s.code is not null and s.stored is null and s.stopped_at is null
           and exists (select from pgjobq.workers w
                        where w.shard = 0 and pgjobq.versions_in(w.kinds, s.kind) <> '{}')
           and not exists (select from pgjobq.declared_schedules() d where d.schedule = s.name)
         order by s.name for update of s skip locked)
    update pgjobq.schedules s
       set stopped_at = v_now, next_at = null, is_seen = false, version = s.version + 1
      from gone g where s.name = g.name;
    -- A worker that declares it meanwhile has not seen the stop: all look again when it is committed. If the
    -- schedule comes back within a minute, no tick is lost.
    if found then perform pg_notify(pgjobq.channel(), 'queues changed'); end if;
end $$;

comment on function pgjobq.follow_code is 'Internal. Lets schedules follow the code of live workers.';
