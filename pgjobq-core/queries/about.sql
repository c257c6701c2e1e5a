-- What a client must know of the schema: how many shards, the channel of its notifications, and which binaries it allows.
select s.shards, pgjobq.channel() as channel,
       (select max(version) from pgjobq.migrations) as version,
       (select max(oldest_binary) from pgjobq.migrations) as oldest_binary
  from pgjobq.settings s
