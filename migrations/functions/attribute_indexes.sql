-- Indexes by attribute. Each has a part on `jobs` and on each partition of `finished`. A part has the shard,
-- the hash of the value, and the id, of the jobs that have the attribute. It has hashes, because a text may
-- be longer than what fits an index, and because they compare faster.
--
-- `create index concurrently` runs in no function. So a client asks for the next statement, sends it, and
-- asks again, until there is none. It can stop after any statement, and go on later.

-- The name of the part of an index on this table.
create or replace function pgjobq.attribute_index_name(p_table text, p_attribute text) returns text
language plpgsql immutable as $$
begin
    return p_table || '_by_attribute_' || to_hex(hashtextextended(p_attribute, 0));
end $$;

comment on function pgjobq.attribute_index_name is 'Internal. The name of a part of an index by attribute.';

-- The statement that creates that part.
create or replace function pgjobq.attribute_index_statement(
    p_table text, p_attribute text, p_concurrently boolean)
returns text language plpgsql stable as $$
begin
    return format('create index %s if not exists %I on pgjobq.%I '
                  '(shard, jsonb_hash_extended(attributes -> %L, 0), id) where attributes ? %L',
                  case when p_concurrently then 'concurrently' end,
                  pgjobq.attribute_index_name(p_table, p_attribute), p_table, p_attribute, p_attribute);
end $$;

comment on function pgjobq.attribute_index_statement is
    'Internal. The statement that creates a part of an index by attribute.';

-- The parts that an index has or should have. `index` is null if there is none, and `built` is how much of it
-- is there, from 0 to 1. PostgreSQL reads the table twice: to build the index, and to add what has changed
-- meanwhile.
create or replace function pgjobq.attribute_index_parts(p_attribute text)
returns table (part_of text, index text, is_valid boolean, built float, bytes bigint)
language plpgsql stable as $$
begin
    return query
    select t.name, i.relname::text, coalesce(x.indisvalid, false),
           case when x.indisvalid then 1
                when p.phase like 'building index: scanning%'
                    then 0.6 * p.blocks_done / greatest(p.blocks_total, 1)
                when p.phase like 'building index%' then 0.6
                when p.phase = 'index validation: scanning table'
                    then 0.7 + 0.3 * p.blocks_done / greatest(p.blocks_total, 1)
                when p.phase like '%validation%' then 0.7
                when p.phase = 'waiting for old snapshots' then 1
                else 0 end::float,
           pg_relation_size(t.id) + 1
      from (select c.oid as id, c.relname::text as name, c.relnamespace as schema
              from pg_class c
             where c.oid = 'pgjobq.jobs'::regclass
                or c.oid in (select inhrelid from pg_inherits
                              where inhparent = 'pgjobq.finished'::regclass)) t
           left join pg_class i on i.relnamespace = t.schema
                               and i.relname = pgjobq.attribute_index_name(t.name, p_attribute)
           left join pg_index x on x.indexrelid = i.oid
           left join pg_stat_progress_create_index p on p.index_relid = i.oid
     order by t.name <> 'jobs', t.name;
end $$;

comment on function pgjobq.attribute_index_parts is 'Internal. The parts of an index by attribute.';

-- Records that there shall be an index by this attribute, or that there shall be none. Partitions are made
-- before or after that, because both take the same lock.
create or replace function pgjobq.want_attribute_index(p_attribute text, p_wanted boolean) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform pg_advisory_xact_lock(hashtext('pgjobq.make_partitions'));
    delete from pgjobq.attribute_indexes a where a.attribute = p_attribute and not p_wanted;
    insert into pgjobq.attribute_indexes (attribute) select p_attribute where p_wanted on conflict do nothing;
end $$;

comment on function pgjobq.want_attribute_index is
    'Internal. Records that there shall be an index by an attribute, or none.';

-- The next statement towards the index that is recorded, or towards none; null at the end. If `waits`,
-- another session is at such an index: ask again soon. The session keeps its locks until it ends.
create or replace function pgjobq.attribute_index_step(
    p_attribute text, out statement text, out waits boolean)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    c_lock constant int := hashtext('pgjobq.attribute_index');
    v_wanted boolean := exists (select from pgjobq.attribute_indexes a where a.attribute = p_attribute);
begin
    -- The second lock shows that a session is at this index. The first one lets one session build at a time:
    -- two on one table would wait for each other.
    waits := not (pg_try_advisory_lock(c_lock) and pg_try_advisory_lock(c_lock, hashtext(p_attribute)));
    if not waits then
        select case when p.index is null then pgjobq.attribute_index_statement(p.part_of, p_attribute, true)
                    else format('drop index concurrently if exists pgjobq.%I', p.index) end
          into statement
          from pgjobq.attribute_index_parts(p_attribute) p
         where case when v_wanted then not p.is_valid else p.index is not null end
         limit 1;
    end if;
end $$;

comment on function pgjobq.attribute_index_step is
    'Internal. The next statement that builds or drops an index by attribute.';

-- The indexes by attribute: whether each is ready, whether a session builds it now, and how many per cent of
-- the bytes to index are done.
create or replace function pgjobq.list_attribute_indexes()
returns table (attribute text, is_ready boolean, is_being_built boolean, percent int)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    return query
    select a.attribute, bool_and(p.is_valid),
           exists (select from pg_locks l
                    where l.locktype = 'advisory' and l.objsubid = 2 and l.granted
                      and l.database = (select oid from pg_database where datname = current_database())
                      and l.classid::bigint = hashtext('pgjobq.attribute_index')::bigint & 4294967295
                      and l.objid::bigint = hashtext(a.attribute)::bigint & 4294967295),
           floor(100 * sum(p.built * p.bytes) / sum(p.bytes))::int
      from pgjobq.attribute_indexes a, lateral pgjobq.attribute_index_parts(a.attribute) p
     group by a.attribute
     order by a.attribute;
end $$;

comment on function pgjobq.list_attribute_indexes is 'Internal. The indexes by attribute.';
