-- What our statements count on, whatever the role's defaults are; for a new connection of a worker's. Not told when it
-- is opened: most poolers refuse that, in every mode.
select set_config('statement_timeout', '30s', false),
       set_config('lock_timeout', '10s', false),
       -- Else a crash of the database could undo the claim of a job that may run only once, and it would run again.
       set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), false),
       set_config('idle_in_transaction_session_timeout', '30s', false),
       -- A claim holds its lane until the answer is sent: not for long to a network that takes no more.
       set_config('tcp_user_timeout', '10s', false),
       set_config('idle_session_timeout', '0', false),
       set_config('default_transaction_isolation', 'read committed', false),
       set_config('default_transaction_read_only', 'off', false),
       -- Row-level security would hide rows in silence: now it raises.
       set_config('row_security', 'off', false),
       -- No function of another schema is a better match than one of PostgreSQL's.
       set_config('search_path', 'pg_catalog, pg_temp', false)
