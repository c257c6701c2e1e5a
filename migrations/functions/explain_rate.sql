-- The wait of a job for a rate.

-- Explains that a rate is used up, if a job in the waiting room waits for that.
create or replace function pgjobq.explain_rate(p_job pgjobq.jobs)
returns table (code text, sentence text, details jsonb) language plpgsql stable as $$
#variable_conflict use_column
declare
    v_now bigint := pgjobq.micros(clock_timestamp());
    v_kinds boolean := p_job.limits & 1::smallint > 0 and p_job.permit is null;
    v_scope text := case when v_kinds then 'kind' else 'queue' end;
    v_name text := case when v_kinds then p_job.kind
                        else (select name from pgjobq.queues where id = p_job.queue_id) end;
    v_key text := case when v_kinds then pgjobq.permit_key(p_job.limits, p_job.key) else '' end;
begin
    return query
    select 'rate_used_up',
           format('Its rate of %s is used up (%s `%s`%s); the next start is possible at %s (in %s).',
                  pgjobq.shown_rate(r.rate), v_scope, v_name,
                  case when v_key <> '' then format(', key `%s`', v_key) else '' end, pgjobq.moment(t.next),
                  pgjobq.span(t.next - clock_timestamp())),
           jsonb_build_object('scope', v_scope, 'name', v_name, 'key', nullif(v_key, ''),
                              'rate', pgjobq.shown_rate(r.rate), 'next', r.next)
      from (select u.rate, pgjobq.room_at(array[u.rate], s.at, s.weights, v_now, 0,
                                          coalesce(p_job.weight, 1)) as next
              from pgjobq.starts s,
                   (select row(most, span)::pgjobq.rate as rate
                      from unnest(pgjobq.rates_of(v_scope, v_name))) u
             where s.shard = p_job.shard and s.scope = v_scope and s.name = v_name and s.key = v_key) r,
           lateral (select timestamptz 'epoch' + r.next * interval '1 microsecond' as next) t
     where r.next > v_now
     order by r.next desc limit 1;
end $$;

comment on function pgjobq.explain_rate is 'Internal. Explains that a rate is used up.';

-- A rate, as people write it: `100 per minute`.
create or replace function pgjobq.shown_rate(p_rate pgjobq.rate) returns text
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    return p_rate.most || ' per ' || case p_rate.span
        when 1000000 then 'second' when 60000000 then 'minute' when 3600000000 then 'hour'
        when 86400000000 then 'day' else case when p_rate.span % 1000000 = 0 then p_rate.span / 1000000 || 's'
                                     when p_rate.span % 1000 = 0 then p_rate.span / 1000 || 'ms'
                                     else p_rate.span || 'us' end end;
end $$;

comment on function pgjobq.shown_rate is 'Internal. A rate, as people write it.';
