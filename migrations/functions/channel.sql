-- The channel of all notifications of this schema: a hash, because names of channels are short.
create or replace function pgjobq.channel()
returns text language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    return 'pgjobq_' || to_hex(hashtextextended('pgjobq.', 0));
end $$;

comment on function pgjobq.channel is 'Public. The channel of all notifications of this schema.';
