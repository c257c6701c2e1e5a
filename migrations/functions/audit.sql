-- Who has asked for what: a record of the actions of people. It is written before the action, so that no
-- action is missing if the process dies, and gets its outcome afterwards. Only the owner may write the table,
-- so that its `role` is true.

-- Records that somebody asks for an action, and returns the number of the record. Deletes some records that
-- are older than 90 days.
create or replace function pgjobq.note_audit(p_by text, p_action text, p_subject text, p_reason text)
returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_id bigint;
begin
    delete from pgjobq.audit a
     using (select id from pgjobq.audit order by id limit 100 for update skip locked) old
     where a.id = old.id and a.asked_at < clock_timestamp() - interval '90 days';
    insert into pgjobq.audit (asked_by, role, action, subject, reason)
    values (left(coalesce(p_by, session_user), 1000), session_user, p_action, left(p_subject, 4000),
            left(p_reason, 1000))
    returning id into v_id;
    return v_id;
end $$;

comment on function pgjobq.note_audit is 'Internal. Records that somebody asks for an action.';

revoke execute on function pgjobq.note_audit from public;

-- Records the outcome of an action, once. False if the record is not there, has an outcome already, or is of
-- another role.
create or replace function pgjobq.end_audit(p_id bigint, p_outcome text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update pgjobq.audit set outcome = left(p_outcome, 1000)
     where id = p_id and outcome is null and role = session_user;
    return found;
end $$;

comment on function pgjobq.end_audit is 'Internal. Records the outcome of an action.';

revoke execute on function pgjobq.end_audit from public;
