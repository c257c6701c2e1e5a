-- Drops the functions and views that were removed, and those that `create or replace` would reject because their signature has
-- changed. Notes the owners and grants of the latter for `restore.sql`. `{dropped}` and `{recreated}` are lists
-- of names.
do $$
declare
    c_dropped constant text[] := '{dropped}';
    c_recreated constant text[] := '{recreated}';
    v_schema oid := (select relnamespace from pg_class where oid = 'pgjobq.settings'::regclass);
    v_restore text[] := '{}';
    r record;
begin
    for r in
        select 'view' as kind, 'table' as granted_as, c.relname::text as name, c.oid::regclass::text as object,
               c.relowner as owner, coalesce(c.relacl, acldefault('r', c.relowner)) as acl
          from pg_class c where c.relnamespace = v_schema and c.relkind = 'v' and c.relname = any (c_dropped)
        union all
        select 'routine', 'routine', p.proname::text, p.oid::regprocedure::text,
               p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
          from pg_proc p where p.pronamespace = v_schema and p.proname = any (c_dropped)
         order by kind desc                     -- views first, because they depend on functions
    loop
        if r.name = any (c_recreated) then
            v_restore := v_restore || format('alter %s pgjobq.%I owner to %s', r.kind, r.name, r.owner::regrole);
            -- PUBLIC may execute a new function. A right that it had is not restored: the new text may revoke it on purpose.
            if r.kind = 'routine' and not exists (select from aclexplode(r.acl) where grantee = 0) then
                v_restore := v_restore || format('revoke all on %s pgjobq.%I from public', r.granted_as, r.name);
            end if;
            v_restore := v_restore || array(
                select format('grant %s on %s pgjobq.%I to %s%s', privilege_type, r.granted_as, r.name,
                              case grantee when 0 then 'public' else grantee::regrole::text end,
                              case when is_grantable then ' with grant option' end)
                  from aclexplode(r.acl) where grantee <> r.owner and (grantee <> 0 or r.kind = 'view'));
        end if;
        execute format('drop %s %s', r.kind, r.object);
    end loop;
    perform set_config('upgrade.restore', array_to_string(v_restore, '; '), true);
end $$;
