-- The functions, views and indexes of the schema, to compare them with what this program would install.
select p.proname::text as name, 'function' as sort, p.prosrc as text, true as valid, p.prosecdef as definer,
       coalesce(p.proconfig, '{}') as settings
  from pg_proc p
 where p.pronamespace = (select relnamespace from pg_class where oid = 'pgjobq.settings'::regclass)
 union all
select c.relname::text, 'view', '', true, false, '{}'
  from pg_class c
 where c.relkind = 'v'
   and c.relnamespace = (select relnamespace from pg_class where oid = 'pgjobq.settings'::regclass)
 union all
select c.relname::text, 'index', format('%I.%I', n.nspname, c.relname), x.indisvalid, false, '{}'
  from pg_class c join pg_index x on x.indexrelid = c.oid join pg_namespace n on n.oid = c.relnamespace
 where c.relnamespace = (select relnamespace from pg_class where oid = 'pgjobq.settings'::regclass)
