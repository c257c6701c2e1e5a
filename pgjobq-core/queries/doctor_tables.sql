-- Tables of ours that vacuum has left behind, that it must not touch, or that are mostly empty space; and indexes that an interrupted
-- `reindex concurrently` has left. One that goes on has locked its table.
-- $1 the least number of dead rows   $2 the least size in bytes of an empty table or index
with ours as materialized (
    select c.oid, c.relname, format('%I.%I', n.nspname, c.relname) as name, c.reloptions, pg_relation_size(c.oid) as bytes,
           pg_stat_get_live_tuples(c.oid) as live, pg_stat_get_dead_tuples(c.oid) as dead, c.relrowsecurity as row_security
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind = 'r'
       and c.relnamespace = (select relnamespace from pg_class where oid = 'pgjobq.settings'::regclass))
select relname::text as subject,
       format('the table %s has %s dead rows beside %s live ones: claims and finishes read past them', name, dead, live) as sentence,
       format('vacuum (analyze) %s', name) as repair, true as is_safe, 'warning' as severity
  from ours where dead >= $1::bigint and dead > live / 5
 union all
select relname, format('autovacuum is turned off for the table %s: its dead rows stay', name),
       format('alter table %s reset (autovacuum_enabled)', name), true, 'error'
  from ours where lower(split_part(array_to_string(reloptions, ','), 'autovacuum_enabled=', 2)) ~ '^(off|false|no|0)(,|$)'
 union all
select relname, format('row-level security is on for the table %s: it hides jobs from roles that are not exempt', name),
       format('alter table %s disable row level security', name), false, 'error'
  from ours where row_security
 union all
select relname, format('the table %s has %s for %s live rows: it is mostly empty space', name, pg_size_pretty(bytes), live),
       format('vacuum (full, analyze) %s', name), false, 'warning'
  from ours where bytes >= $2::bigint and bytes > (live + dead) * 8192
 union all
select i.relname, format('the index %s of the table %s has %s for %s live rows: it is mostly empty space', i.relname, o.name,
                         pg_size_pretty(pg_relation_size(i.oid)), o.live),
       format('reindex index concurrently %I.%I', n.nspname, i.relname), false, 'warning'
  from ours o join pg_index x on x.indrelid = o.oid join pg_class i on i.oid = x.indexrelid
       join pg_namespace n on n.oid = i.relnamespace
 where pg_relation_size(i.oid) >= $2::bigint and pg_relation_size(i.oid) > (o.live + o.dead) * 1024
 union all
select i.relname, format('the index %s of the table %s is left over from an interrupted `reindex`: writes maintain it, and nothing reads it',
                         i.relname, o.name),
       format('drop index concurrently %I.%I', n.nspname, i.relname), false, 'warning'
  from ours o join pg_index x on x.indrelid = o.oid join pg_class i on i.oid = x.indexrelid
       join pg_namespace n on n.oid = i.relnamespace
 where not x.indisvalid and i.relname ~ '_cc(new|old)[0-9]*$'
   and not exists (select from pg_locks l
                    where l.relation = o.oid and l.database = (select oid from pg_database where datname = current_database())
                      and l.mode = 'ShareUpdateExclusiveLock' and l.granted)
