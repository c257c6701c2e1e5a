-- Transactions, prepared ones, and replication slots that keep vacuum from removing dead rows, or WAL on the
-- server. It sees the sessions of other roles only with `pg_read_all_stats`. $1 the least age in microseconds
-- $2 the least number of transactions, and $3 of bytes of WAL, that a slot holds back
select 'session ' || a.pid as subject,
       format('session %s of %s (%s) has had a transaction open for %s: vacuum removes no row that died '
              'since', a.pid, a.usename, coalesce(nullif(a.application_name, ''), 'no name'),
              date_trunc('second', clock_timestamp() - a.xact_start)) as sentence,
       format('select pg_terminate_backend(%s)', a.pid) as repair, false as is_safe, 'error' as severity
  from pg_stat_activity a
 where a.datname = current_database() and a.pid <> pg_backend_pid() and a.backend_type = 'client backend'
   and (a.backend_xid is not null or a.backend_xmin is not null)
   and a.xact_start < clock_timestamp() - $1::bigint * interval '1 microsecond'
 union all
select 'prepared transaction ' || p.gid,
       format('the prepared transaction %L has been open for %s: vacuum removes no row that died since',
              p.gid, date_trunc('second', clock_timestamp() - p.prepared)),
       format('rollback prepared %L', p.gid), false, 'error'
  from pg_prepared_xacts p
 where p.database = current_database()
   and p.prepared < clock_timestamp() - $1::bigint * interval '1 microsecond'
 union all
-- Of all databases: the server keeps rows and WAL for the slot that is furthest behind. A slot that has lost
-- its WAL holds back nothing.
select 'replication slot ' || s.slot_name,
       format('the replication slot %L %s: it holds back vacuum by %s transactions in tables and %s in '
              'catalogs, and keeps %s of WAL', s.slot_name,
              case when s.active then 'is in use, and its reader is behind' else 'is not in use' end,
              h.rows, h.catalogs, pg_size_pretty(h.wal)),
       case when not s.active then format('select pg_drop_replication_slot(%L)', s.slot_name) end, false,
       'error'
  from pg_replication_slots s,
       lateral (select case when pg_is_in_recovery() then pg_last_wal_replay_lsn()
                            else pg_current_wal_lsn() end as written) w,
       lateral (select coalesce(age(s.xmin), 0) as rows, coalesce(age(s.catalog_xmin), 0) as catalogs,
                       coalesce(pg_wal_lsn_diff(w.written, s.restart_lsn), 0) as wal) h
 where s.wal_status is distinct from 'lost'
   and (greatest(h.rows, h.catalogs) >= $2::bigint or h.wal >= $3::bigint)
