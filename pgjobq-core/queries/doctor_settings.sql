-- Settings of this server, database or role that hurt jobs. No statement changes what a connection asks for
-- itself, or what the command line of the server says.
select s.name as subject,
       format('`%s` is %s%s: %s', s.name, s.setting,
              case when s.source in ('client', 'session')
                   then ' for this connection, because its URL, its program or PGOPTIONS sets it'
                   when s.source = 'command line' then ', because the command line of the server says so' end,
              w.harm) as sentence,
       case when s.source = 'user' then format('alter role %I reset %I', current_user, s.name)
            when s.source = 'database' then format('alter database %I reset %I', current_database(), s.name)
            when s.source = 'database user'
            then format('alter role %I in database %I reset %I', current_user, current_database(), s.name)
            when s.source = 'global' then format('alter role all reset %I', s.name)
            when s.source in ('default', 'environment variable', 'configuration file')
            then format('alter system set %I = %L; select pg_reload_conf()', s.name, w.good) end as repair,
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
