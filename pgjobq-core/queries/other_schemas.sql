-- The schemas of this database that look like ours, except this one. $1 the client's schema
select n.nspname::text as name
  from pg_catalog.pg_namespace n
 where n.nspname <> $1 and pg_catalog.has_schema_privilege(n.oid, 'usage')
   and (select count(*) from pg_catalog.pg_class c
         where c.relnamespace = n.oid and c.relname in ('jobs', 'leases', 'finished', 'definitions')) = 4
 order by 1 limit 8
