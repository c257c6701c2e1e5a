-- Transactions, prepared ones, and replication slots that keep vacuum from removing dead rows. It sees the sessions of other roles only
-- with `pg_read_all_stats`. A slot of any database holds back all of them. $1 the least age in microseconds
select 'session ' || a.pid as subject,
       format('session %s of %s (%s) has had a transaction open for %s: vacuum removes no row that died since', a.pid, a.usename,
              coalesce(nullif(a.application_name, ''), 'no name'), date_trunc('second', clock_timestamp() - a.xact_start)) as sentence,
       format('select pg_terminate_backend(%s)', a.pid) as repair, false as is_safe, 'error' as severity
  from pg_stat_activity a
 where a.datname = current_database() and a.pid <> pg_backend_pid() and a.backend_type = 'client backend'
   and (a.backend_xid is not null or a.backend_xmin is not null)
   and a.xact_start < clock_timestamp() - $1::bigint * interval '1 microsecond'
 union all
select 'prepared transaction ' || p.gid,
       format('the prepared transaction %L has been open for %s: vacuum removes no row that died since', p.gid,
              date_trunc('second', clock_timestamp() - p.prepared)),
       format('rollback prepared %L', p.gid), false, 'error'
  from pg_prepared_xacts p
 where p.database = current_database() and p.prepared < clock_timestamp() - $1::bigint * interval '1 microsecond'
 union all
select 'replication slot ' || s.slot_name,
       format('the replication slot %L is not in use: it holds back vacuum by %s transactions, and the disk fills with WAL', s.slot_name,
              greatest(age(s.xmin), age(s.catalog_xmin))),
       format('select pg_drop_replication_slot(%L)', s.slot_name), false, 'error'
  from pg_replication_slots s
 where not s.active and coalesce(s.xmin, s.catalog_xmin) is not null
 union all
select 'replication slot ' || s.slot_name,
       format('the replication slot %L is not in use: the disk fills with WAL', s.slot_name),
       format('select pg_drop_replication_slot(%L)', s.slot_name), false, 'warning'
  from pg_replication_slots s
 where not s.active and coalesce(s.xmin, s.catalog_xmin) is null and s.restart_lsn is not null
