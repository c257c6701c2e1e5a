-- A UUIDv7: jobs that are enqueued together lie together in the index. (PostgreSQL has its own only from 18
-- on.)
create or replace function pgjobq.new_id()
returns uuid language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    v_bytes bytea := uuid_send(gen_random_uuid());
    v_millis bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
begin
    v_bytes := overlay(v_bytes placing substring(int8send(v_millis) from 3) from 1 for 6);
    return encode(set_byte(v_bytes, 6, (get_byte(v_bytes, 6) & 15) | 112), 'hex')::uuid;
end $$;

comment on function pgjobq.new_id is 'Public. Makes a job id: a UUIDv7.';

-- The shard of a job: the last ten bits of its id, modulo the number of shards.
create or replace function pgjobq.shard_of(p_id uuid, p_shards smallint)
returns smallint language plpgsql immutable as $$
declare
    v_bytes bytea := uuid_send(p_id);
begin
    return (((get_byte(v_bytes, 14) & 3) << 8) | get_byte(v_bytes, 15)) % p_shards;
end $$;

comment on function pgjobq.shard_of is 'Internal. The shard of a job.';
