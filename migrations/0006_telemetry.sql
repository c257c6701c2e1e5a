-- The state of the fleet, as gauges show it: one row, which whoever finds it too old writes anew.

-- Not logged: after a crash of the database it is measured again.
create unlogged table pgjobq.fleet (
    only_row boolean primary key default true check (only_row),
    measured_at timestamptz not null default '-infinity',
    state jsonb not null default '{}',
    mark_times timestamptz[] not null default '{}',
    mark_tickets bigint[] not null default '{}'
) with (fillfactor = 50);

comment on table pgjobq.fleet is
    'The state of the whole fleet, measured once in an interval for all processes: see `fleet_state`.';
comment on column pgjobq.fleet.measured_at is 'The time of the measurement.';
comment on column pgjobq.fleet.mark_times is
    'Times of earlier measurements. With `mark_tickets` they give the time at which a job came into line.';
comment on column pgjobq.fleet.mark_tickets is 'The last ticket that was drawn at each of `mark_times`.';
