-- Session settings that our statements rely on, overriding the defaults of the role. A worker sends them to
-- each new connection as a statement, because most poolers reject them as startup parameters.
select set_config('statement_timeout', '30s', false),
       set_config('lock_timeout', '10s', false),
       -- Otherwise a crash of the database could undo the claim of a job that must not run twice.
       set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), false),
       set_config('idle_in_transaction_session_timeout', '30s', false),
       -- A claim holds its lane until the answer is sent, so a network that takes no more holds it briefly.
       set_config('tcp_user_timeout', '10s', false),
       set_config('idle_session_timeout', '0', false),
       set_config('default_transaction_isolation', 'read committed', false),
       set_config('default_transaction_read_only', 'off', false),
       -- Row-level security would hide rows in silence: now it raises.
       set_config('row_security', 'off', false),
       -- No function of another schema is a better match than one of PostgreSQL's.
       set_config('search_path', 'pg_catalog, pg_temp', false)
