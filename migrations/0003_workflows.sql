-- The tables of workflows, and of jobs that wait for other jobs.

-- Workflows: see `functions/workflow.sql` and `functions/settle.sql`. The updates of a running workflow
-- change no column of an index, and find room on their page.
create table pgjobq.workflows (
    created_at timestamptz not null default clock_timestamp(),
    deadline timestamptz,
    due_at timestamptz,
    cancelled_at timestamptz,
    ended_at timestamptz,
    live int not null check (live >= 0),
    roles int not null default 0 check (roles >= 0),
    failed int not null default 0,
    size int not null,
    cancel_from int,
    shard smallint not null,
    id uuid not null,
    name text not null,
    outcome text check (outcome in ('completed', 'failed', 'cancelled')),
    cancelled jsonb,
    primary key (shard, id),
    constraint cancelled_has_no_deadline check (cancelled_at is null or deadline is null)
) with (fillfactor = 50);

comment on table pgjobq.workflows is
    'The workflows that run, or ended not long ago. All steps of one lie on its shard.';
comment on column pgjobq.workflows.deadline is
    'It is cancelled if it has not ended by then; null once it is cancelled or has ended.';
comment on column pgjobq.workflows.due_at is
    'When the upkeep must look at it: for its deadline, its cancellation, its last steps, or its deletion. '
    'Minus infinity means at once, also if the clock is set back.';
comment on column pgjobq.workflows.live is 'How many steps have not ended, without those that have a role.';
comment on column pgjobq.workflows.roles is
    'How many steps wait for the end of all others. Once these have ended, they count as `live`.';
comment on column pgjobq.workflows.failed is 'How many steps ended otherwise than completed.';
comment on column pgjobq.workflows.size is 'The highest number that a step has.';
comment on column pgjobq.workflows.cancel_from is
    'The steps after this number are still to be cancelled; null if none are.';
comment on column pgjobq.workflows.cancelled is
    'Who cancelled it (`by`, and the database role), and the reason.';

create index workflows_due on pgjobq.workflows (shard, due_at) where due_at is not null;

create table pgjobq.steps (
    ended_at timestamptz,
    n int not null,
    readers int not null default 0,
    held int not null default 0,
    held_outside int not null default 0,
    shard smallint not null,
    workflow uuid not null,
    job uuid not null,
    kind text not null,
    name text,
    role text check (role in ('complete', 'failure')),
    outcome text check (outcome in ('completed', 'dead', 'cancelled', 'expired')),
    children int[] not null default '{}',
    demands text not null default '',
    inputs jsonb check (jsonb_typeof(inputs) = 'object'),
    outside jsonb,
    output jsonb,
    failed jsonb,
    primary key (shard, workflow, n),
    constraint each_child_has_a_demand check (cardinality(children) = length(demands))
) with (fillfactor = 50);

comment on table pgjobq.steps is
    'The steps of workflows, kept until the workflow is deleted: the jobs themselves come and go.';
comment on column pgjobq.steps.n is 'Its number in the workflow. Edges name steps by number.';
comment on column pgjobq.steps.children is 'The steps that wait for this one.';
comment on column pgjobq.steps.demands is
    'A letter for each child. `o`: this step must complete, or the child is cancelled; `h`: or the child is '
    'held; `a`: any end will do. A capital letter: the child also reads the output.';
comment on column pgjobq.steps.inputs is 'The arguments that are outputs of other steps: see `fill_args`.';
comment on column pgjobq.steps.outside is
    'The parents that are no steps of its workflow, as in `new_edges`: a retry waits for them again.';
comment on column pgjobq.steps.readers is 'How many children still have to get the output.';
comment on column pgjobq.steps.held is 'How many parents ended badly, so that a person must decide.';
comment on column pgjobq.steps.held_outside is
    'How many of these are no steps of its workflow: a retry of the workflow does not run them again.';
comment on column pgjobq.steps.role is
    'It waits until all steps without a role have ended, and runs if they all completed, or if one did not.';
comment on column pgjobq.steps.output is
    'What its job returned, or how it failed, until all children have got it.';
comment on column pgjobq.steps.failed is 'The row of `finished`, if the job did not complete: for a retry.';

create table pgjobq.unsettled (
    settled_to int not null default 0,
    shard smallint not null,
    is_ended boolean not null default false,
    workflow uuid not null,
    n int not null,
    primary key (shard, workflow, n, is_ended)
);

comment on table pgjobq.unsettled is
    'Steps that have ended, and whose edges are not settled; and steps that have not, but whose '
    'arguments are to be completed. Almost always empty.';
comment on column pgjobq.unsettled.is_ended is
    'True if the end of the step was recorded with this row; false if its arguments are to be completed. A '
    'producer can write only false, so that none has a step counted twice.';
comment on column pgjobq.unsettled.settled_to is 'How many of the edges are settled.';

create table pgjobq.unreleased (
    released_to int not null default 0,
    shard smallint not null,
    workflow uuid not null,
    n int not null,
    primary key (shard, workflow, n)
);

comment on table pgjobq.unreleased is
    'Steps that have got their arguments, and still count as readers of many outputs. Almost always empty.';
comment on column pgjobq.unreleased.released_to is 'How many of these outputs count it no longer.';

create table pgjobq.edges (
    shard smallint not null,
    child_shard smallint not null,
    demand "char" not null check (demand in ('o', 'h', 'a')),
    is_confirmed boolean not null default false,
    parent uuid not null,
    child uuid not null,
    parent_created_at timestamptz not null,
    child_created_at timestamptz not null,
    primary key (shard, parent, child, child_created_at)
);

comment on table pgjobq.edges is
    'The children that wait for a job outside of their workflow, or are in no workflow. An edge is deleted '
    'when its parent has ended and its child knows it.';
comment on column pgjobq.edges.shard is 'Of the parent.';
comment on column pgjobq.edges.demand is
    'What the child demands of its parent: `o` that it completes, else the child is cancelled; `h` that it '
    'completes, else the child is held; `a` that it ends.';
comment on column pgjobq.edges.is_confirmed is
    'True once it is certain that the end of the parent sees the edge. An edge is inserted in a transaction '
    'that may commit at any time, and is confirmed after that.';
comment on column pgjobq.edges.parent_created_at is
    'Of the job that is meant: once that job has ended, another may get its id.';

create index edges_to_confirm on pgjobq.edges (shard, parent, parent_created_at) where not is_confirmed;

create table pgjobq.ended_parents (
    shard smallint not null,
    parent uuid not null,
    created_at timestamptz not null,
    outcome text not null,
    primary key (shard, parent, created_at)
);

comment on table pgjobq.ended_parents is 'Jobs that have ended and have edges that are not settled.';
comment on column pgjobq.ended_parents.created_at is 'Of the job, like `edges.parent_created_at`.';
comment on column pgjobq.ended_parents.outcome is
    'As in `finished`; or `unknown`, if the record of the end was deleted before a child was committed.';

create table pgjobq.lost_ends (
    shard smallint not null,
    ended_at timestamptz not null
);

comment on table pgjobq.lost_ends is
    'When the latest job ended of those dead, cancelled and expired ones whose records are deleted. Only the '
    'latest row of a shard means something; the others are deleted.';

create index lost_ends_by_time on pgjobq.lost_ends (shard, ended_at);
alter table pgjobq.lost_ends replica identity full;
