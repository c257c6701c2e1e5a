-- The tables of operators.

create table pgjobq.pauses (
    scope text not null,
    name text not null check (length(name) between 1 and 200),
    until timestamptz,
    reason text,
    paused_by text not null,
    role text not null default session_user,
    paused_at timestamptz not null default clock_timestamp(),
    primary key (scope, name),
    constraint scope_is_known check (scope in ('queue', 'kind', 'key'))
);

comment on table pgjobq.pauses is
    'The queues, kinds and keys whose jobs no worker starts. A claim reads it if its lane `may_be_paused`. '
    'A pause that is over counts no more, and its row is deleted later.';
comment on column pgjobq.pauses.until is 'When it ends by itself; null: when somebody resumes.';
comment on column pgjobq.pauses.paused_by is 'Who paused it, in the caller''s words.';
comment on column pgjobq.pauses.role is 'Who paused it, as the server knows.';

-- The pauses that concern one lane; `queue` is null if there are none.
create type pgjobq.pauses_of_lane as (
    queue boolean,
    kinds text[],
    keys text[]
);

comment on type pgjobq.pauses_of_lane is
    'Internal. Whether the queue of a lane is paused, and the paused kinds and keys.';

-- A lane as a claim finds it under its lock.
create type pgjobq.opened_lane as (
    opened boolean,
    paused boolean,
    kinds text[],
    paused_keys text[],
    marked_in_vain boolean
);

comment on type pgjobq.opened_lane is
    'Internal. Whether a claim may take jobs of a lane, and which: those of these kinds without these keys.';

-- The jobs that a count, a list or an action is about, and the way to find them: see
-- `functions/selection.sql`.
create type pgjobq.selection as (
    lists text[],
    path jsonpath,
    needs_columns boolean,
    needs_queue boolean,
    needs_state boolean,
    needs_errors boolean,
    ids uuid[],
    attributes text[],
    values jsonb[],
    before timestamptz
);

comment on type pgjobq.selection is 'Internal. The jobs that an action is about: see `next_matches`.';
comment on column pgjobq.selection.lists is
    'Where to look, in this order: `live`, or of these only those that are `running`; `dead`, `cancelled` '
    'and `expired`; `ended`, which are all of those and the completed ones.';
comment on column pgjobq.selection.path is 'The filter, compiled: see `matches`.';
comment on column pgjobq.selection.ids is 'If not null, no other jobs are looked at.';
comment on column pgjobq.selection.attributes is
    'Every job that matches has the value of the same place in `values` here. The first of them that is '
    'indexed finds the jobs.';
comment on column pgjobq.selection.before is
    'Only jobs that were created, and ended, by then. So an action ends, whatever is enqueued meanwhile.';

-- A place in the walk through a selection.
create type pgjobq.place as (
    list int,
    shard smallint,
    at timestamptz,
    id uuid
);

comment on type pgjobq.place is 'Internal. A place in the walk through the jobs of a selection.';

-- An action is a row and no transaction. It is no job either: it occupies no slot, and obeys no pause.
create table pgjobq.actions (
    id bigint generated always as identity primary key,
    created_at timestamptz not null default clock_timestamp(),
    next_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    action text not null check (
        action in ('cancel', 'requeue', 'retry_now', 'delete', 'set_priority', 'move_to', 'run_at')),
    filter text not null,
    asked_by text not null,
    role text not null default session_user,
    reason text,
    matched bigint not null default 0,
    changed bigint not null default 0,
    left_out jsonb not null default '{}',
    outcome text check (outcome in ('done', 'stopped')),
    rate text,
    pace interval check (pace > '0' and pace <= '1 day'),
    queue_id int,
    priority smallint check (priority between 0 and 3),
    run_at timestamptz,
    selection pgjobq.selection not null,
    place pgjobq.place,
    again uuid[] not null default '{}',
    cut smallint not null default 0 check (cut between 0 and 6),
    problem text,
    constraint ended_has_an_outcome check ((ended_at is null) = (outcome is null))
);

comment on table pgjobq.actions is
    'Actions on all jobs that match a filter: those that go on, and who did what to how many, and why. '
    'Ended ones are kept for 90 days.';
comment on column pgjobq.actions.next_at is 'When the next batch is due.';
comment on column pgjobq.actions.filter is 'The filter, as a person writes it.';
comment on column pgjobq.actions.asked_by is 'Who requests it, in the caller''s words.';
comment on column pgjobq.actions.role is 'Who requests it, as the server knows.';
comment on column pgjobq.actions.matched is 'How many jobs it has reached.';
comment on column pgjobq.actions.changed is 'How many of them it has changed.';
comment on column pgjobq.actions.left_out is 'How many it has left as they were, for each reason.';
comment on column pgjobq.actions.outcome is
    'done: it has reached all jobs; stopped: somebody stopped it before that.';
comment on column pgjobq.actions.pace is 'The time that each changed job takes, of the `rate`.';
comment on column pgjobq.actions.place is 'Where the walk goes on; null: it has reached the end.';
comment on column pgjobq.actions.again is
    'Jobs that another session had locked. They are visited once more before the walk goes on.';
comment on column pgjobq.actions.cut is
    'How much smaller its batches are: each step is a factor of 4. A batch that failed or was slow adds one.';
comment on column pgjobq.actions.problem is 'Why a batch failed: the last time that one did.';

create index actions_due on pgjobq.actions (next_at) where ended_at is null;

create table pgjobq.attribute_indexes (
    attribute text primary key check (length(attribute) between 1 and 100),
    created_at timestamptz not null default clock_timestamp()
);

comment on table pgjobq.attribute_indexes is
    'The attributes by which jobs are indexed: see `attribute_index_parts`. A new partition of `finished` '
    'gets its part of each index when it is made.';

-- Ageing: see `functions/ageing.sql`.
create table pgjobq.ageing (
    next_at timestamptz not null default '-infinity',
    queue_id int not null,
    shard smallint not null,
    times timestamptz[] not null default '{}',
    tickets bigint[] not null default '{}',
    passed bigint[] not null default '{0,0,0}',
    primary key (shard, queue_id)
);

comment on table pgjobq.ageing is
    'What the upkeep knows of each lane whose waiting jobs move up with time. Empty unless a queue ages.';
comment on column pgjobq.ageing.next_at is 'When the next look at the lane is due.';
comment on column pgjobq.ageing.times is 'Times, and beside each in `tickets` the last ticket drawn by then.';
comment on column pgjobq.ageing.passed is
    'The tickets up to which jobs have moved up once, twice and three times.';

-- Records of what people have asked for: see `functions/audit.sql`.
create table pgjobq.audit (
    id bigint generated always as identity primary key,
    asked_at timestamptz not null default clock_timestamp(),
    asked_by text not null,
    role text not null,
    action text not null check (length(action) between 1 and 100),
    subject text not null,
    reason text,
    outcome text
);

comment on table pgjobq.audit is
    'Who has asked for which action: written before it, kept for at least 90 days.';
comment on column pgjobq.audit.asked_by is 'The person, in the words of the program that asked.';
comment on column pgjobq.audit.role is 'The database role of that program.';
comment on column pgjobq.audit.subject is 'A job, a queue, or the filter of many jobs.';
comment on column pgjobq.audit.outcome is
    'What became of it. Null if that is not known, because the program died in between.';
