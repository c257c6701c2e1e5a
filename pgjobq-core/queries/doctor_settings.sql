-- Settings of this server, database or role that hurt jobs.
select s.name as subject, format('`%s` is %s: %s', s.name, s.setting, w.harm) as sentence,
       case s.source when 'user' then format('alter role %I reset %I', current_user, s.name)
                     when 'database' then format('alter database %I reset %I', current_database(), s.name)
                     when 'database user' then format('alter role %I in database %I reset %I', current_user, current_database(), s.name)
                     else format('alter system set %I = %L; select pg_reload_conf()', s.name, w.good) end as repair,
       false as is_safe, w.severity
  from (values ('fsync', 'off', 'on', 'error', 'a crash of the server can damage everything'),
               ('full_page_writes', 'off', 'on', 'error', 'a crash of the server can damage pages'),
               ('synchronous_commit', 'off', 'on', 'error',
                'a crash of the server loses the last commits, and so jobs that were acknowledged'),
               ('autovacuum', 'off', 'on', 'error', 'dead rows stay, and each claim reads past them'),
               ('track_counts', 'off', 'on', 'error', 'autovacuum does not know which tables need it'),
               ('default_transaction_read_only', 'on', 'off', 'error', 'no job can be enqueued or finished')
       ) w(name, bad, good, severity, harm)
       join pg_settings s on s.name = w.name and s.setting = w.bad
