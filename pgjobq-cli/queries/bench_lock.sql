-- Takes the lock of a measurement, which ends with the connection: two of them would use one schema. Returns also
-- the version of the server, and the comment on a schema of this name; null if there is none.
select pg_try_advisory_lock(hashtext('pgjobq bench')) as is_locked,
       current_setting('server_version') as version,
       (select coalesce(obj_description(n.oid, 'pg_namespace'), '')
          from pg_namespace n where n.nspname = 'pgjobq_bench') as comment
