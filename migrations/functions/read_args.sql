-- The arguments of one claimed job, for a worker that claimed it without them. Null if it no longer has this
-- ticket.
create or replace function pgjobq.read_args(p_shard smallint, p_id uuid, p_ticket bigint, out args text,
                                            out meta text)
language plpgsql as $$
begin
    select j.args::text, j.meta::text into args, meta
      from pgjobq.job_row(p_shard, p_id) j
     where j.ticket = p_ticket;
end $$;

comment on function pgjobq.read_args is 'Internal. Reads the arguments of a claimed job.';
