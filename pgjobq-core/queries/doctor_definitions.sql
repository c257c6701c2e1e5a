-- The functions and the indexes of the schema, to compare them with what this program would install.
select p.proname::text as name, p.prosrc as text, 'function' as sort, true as valid
  from pg_proc p
 where p.pronamespace = (select relnamespace from pg_class where oid = 'pgjobq.settings'::regclass)
 union all
select c.relname::text, format('%I.%I', n.nspname, c.relname), 'index', x.indisvalid
  from pg_class c join pg_index x on x.indexrelid = c.oid join pg_namespace n on n.oid = c.relnamespace
 where c.relnamespace = (select relnamespace from pg_class where oid = 'pgjobq.settings'::regclass)
