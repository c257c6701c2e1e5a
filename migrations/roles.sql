do $$ begin create role {role} nologin;
exception when duplicate_object or unique_violation then null; end $$;
grant usage on schema pgjobq to {role};
