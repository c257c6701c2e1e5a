-- What a client has to know of the schema: its shards, the channel of its notifications, and which programs
-- it admits.
select shards, pgjobq.channel() as channel, program, oldest_program, digest
  from pgjobq.settings
