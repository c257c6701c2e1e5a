-- Restores the owners and grants that `drop.sql` noted. Gives new objects to the owner of the other tables, because a superuser
-- may run the upgrade, and a `security definer` function must not run with a superuser's rights. `{new}` is a list of names.
do $$
declare
    c_new constant text[] := '{new}';
    v_schema oid;
    v_owner oid;
    r record;
begin
    execute coalesce(current_setting('upgrade.restore', true), '');
    select relnamespace, relowner into v_schema, v_owner from pg_class where oid = 'pgjobq.settings'::regclass;
    if v_owner = quote_ident(current_user)::regrole then
        return;
    end if;
    for r in
        select case relkind when 'v' then 'view' when 'S' then 'sequence' when 'c' then 'type' else 'table' end as kind,
               oid::regclass::text as object
          from pg_class c
         where relnamespace = v_schema and relowner = quote_ident(current_user)::regrole
           and (relkind = 'v' and relname = any (c_new)
                or relkind in ('r', 'p', 'S', 'c') and xmin = pg_current_xact_id()::xid)
           -- The sequence of a column follows its table.
           and not (relkind = 'S' and exists (select from pg_depend d
                     where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.refobjsubid > 0))
        union all
        select 'routine', oid::regprocedure::text from pg_proc
         where pronamespace = v_schema and proowner = quote_ident(current_user)::regrole and proname = any (c_new)
    loop
        execute format('alter %s %s owner to %s', r.kind, r.object, v_owner::regrole);
    end loop;
end $$;
