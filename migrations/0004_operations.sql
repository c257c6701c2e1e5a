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
