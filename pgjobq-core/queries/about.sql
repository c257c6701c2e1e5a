-- The facts of the schema that a client needs: its shards, the channel of its notifications, and which programs
-- it admits.
select shards, pgjobq.channel() as channel, program, oldest_program, digest
  from pgjobq.settings
