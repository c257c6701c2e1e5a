-- The books about jobs that others of their name may take the place of.

-- Each enqueue, before it is sent.
create table asked (
    job uuid primary key,
    kind text not null,
    name text not null,
    version int not null,
    in_transaction boolean not null,
    clock timestamptz not null default clock_timestamp(),
    at bigint not null default nextval('moments')
);

-- What the jobs of `synced` read. A version is written before the enqueue of its job, or in the same transaction.
create table documents (
    name text not null,
    version int not null
);
create index documents_by_name on documents (name, version);

-- The version that a run has read, or got as an argument.
create table sights (
    run uuid primary key,
    version int not null
);
