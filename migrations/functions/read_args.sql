-- The arguments of one claimed job, for a worker that claimed it without them; null if it no longer has this ticket.
create or replace function pgjobq.read_args(p_shard smallint, p_id uuid, p_ticket bigint, out args text, out meta text)
language plpgsql as $$
begin
    select j.args::text, j.meta::text into args, meta
      from (select x.args, x.meta, x.ticket from pgjobq.jobs x where x.shard = p_shard and x.id = p_id offset 0) j
     where j.ticket = p_ticket;
end $$;
