//! Privileges of the roles of the printed grants, and of all other roles.

mod both; // What producers and workers may call.
mod lists;
mod observer; // What observers may call.
mod operators; // What observers and administrators can do.
mod worker; // What only workers may call.

use std::collections::BTreeSet;
use std::time::Duration;

use pgjobq::CancelOutcome;
use pgjobq::prelude::*;
use pgjobq_core::worker_api::STATEMENTS;
use sqlx::{AssertSqlSafe, Row};

use self::both::BOTH;
use self::lists::{DEFINERS, INSIDE};
use self::observer::OBSERVER;
use self::worker::WORKER;
use crate::harness::{TestDb, in_time};
use crate::lifecycle::double;
use crate::role_defaults::everything_runs;
use crate::schema::{Role, printed};

/// Returns the names of the schema's functions for which `so` is true.
async fn functions(db: &TestDb, so: &str) -> BTreeSet<String> {
    let named =
        format!("select proname::text from pg_proc p where pronamespace = 'pgjobq'::regnamespace and {so}");
    sqlx::query_scalar(AssertSqlSafe(named)).fetch_all(&db.pool).await.unwrap().into_iter().collect()
}

fn named<'n>(names: impl IntoIterator<Item = &'n str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn each_function_is_executable_by_the_roles_listed_here() {
    let db = TestDb::empty().await;
    db.run("alter default privileges revoke execute on functions from public").await;
    db.client.migrate().await.unwrap();
    db.run(&printed("pgjobq", true)).await;
    let all = || BOTH.iter().chain(WORKER).copied();
    assert_eq!(functions(&db, "true").await, named(all()));
    for (role, listed) in [
        ("pgjobq_producer", named(BOTH.iter().copied())),
        ("pgjobq_worker", named(all())),
        ("pgjobq_observer", named(OBSERVER.iter().copied())),
        ("pgjobq_administrator", named(all())),
    ] {
        let may = functions(&db, &format!("has_function_privilege('{role}', oid, 'execute')")).await;
        assert_eq!(may, listed, "{role}");
    }
    // A role with only `usage` on the schema has the rights of PUBLIC.
    let reader = Role::new(&db, "nologin").await;
    db.run(&format!("grant usage on schema pgjobq to {}", reader.name)).await;
    let may = functions(&db, &format!("has_function_privilege('{}', oid, 'execute')", reader.name)).await;
    assert_eq!(may, named([]));
    reader.drop().await;
}

#[tokio::test]
async fn functions_with_their_owners_rights_are_not_for_public() {
    let db = TestDb::new(1).await;
    assert_eq!(functions(&db, "prosecdef").await, named(DEFINERS.iter().copied()));
    let open = "prosecdef and (proacl is null or exists (select from aclexplode(proacl) where grantee = 0))";
    assert_eq!(functions(&db, open).await, named([]));
}

#[tokio::test]
async fn functions_that_callers_run_fix_their_search_path() {
    let db = TestDb::new(1).await;
    let fixed = functions(&db, "'search_path=pg_catalog, pg_temp' = any (proconfig)").await;
    let for_callers = BOTH.iter().filter(|name| !INSIDE.contains(name));
    let for_callers = named(for_callers.chain(DEFINERS).copied());
    assert!(for_callers.is_subset(&fixed), "{:?}", for_callers.difference(&fixed));
    // The sessions of a worker, and of a client's own statements, fix the search path.
    let settings = STATEMENTS.iter().find(|(name, _)| *name == "own_settings").unwrap().1;
    assert!(settings.contains("'search_path', 'pg_catalog, pg_temp'"), "{settings}");
}

/// Creates functions and operators in `public` that match better than PostgreSQL's own, which take any array or a wider type.
const TRAPS: &str = "do $do$
declare
    v_type text;
begin
    foreach v_type in array array['uuid', 'int', 'smallint', 'bigint', 'text', 'boolean', 'date', 'interval'] loop
        execute format('create function public.unnest(%1$s[]) returns setof %1$s language plpgsql as
            $$ begin raise exception ''trapped by unnest of %1$s''; end $$', v_type);
        execute format('create function public.cardinality(%1$s[]) returns int language plpgsql as
            $$ begin raise exception ''trapped by cardinality of %1$s''; end $$', v_type);
        execute format('create function public.array_to_string(%1$s[], text) returns text language plpgsql as
            $$ begin raise exception ''trapped by array_to_string of %1$s''; end $$', v_type);
    end loop;
    create function public.trap(bigint, interval) returns interval language plpgsql as
        $$ begin raise exception 'trapped by bigint * interval'; end $$;
    create operator public.* (leftarg = bigint, rightarg = interval, function = public.trap);
    create function public.trap(numeric, int) returns numeric language plpgsql as
        $$ begin raise exception 'trapped by numeric * int'; end $$;
    create operator public.* (leftarg = numeric, rightarg = int, function = public.trap);
    create function public.trap(int, smallint) returns smallint language plpgsql as
        $$ begin raise exception 'trapped by int %% smallint'; end $$;
    create operator public.% (leftarg = int, rightarg = smallint, function = public.trap);
    create function public.trap(jsonb, jsonb) returns text language plpgsql as
        $$ begin raise exception 'trapped by jsonb ->> jsonb'; end $$;
    create operator public.->> (leftarg = jsonb, rightarg = jsonb, function = public.trap);
end $do$";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_others_created_in_public_is_called() {
    in_time(async {
        let db = TestDb::empty().await;
        db.run(TRAPS).await;
        assert!(sqlx::query("select unnest(array[gen_random_uuid()])").execute(&db.pool).await.is_err());
        everything_runs(&db.pool).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancellation_names_the_role_that_asked() {
    let db = TestDb::new(1).await;
    db.run(&printed("pgjobq", true)).await;
    for member_of in ["pgjobq_producer", "pgjobq_worker"] {
        let role = Role::new(&db, "login").await;
        db.run(&format!("grant {member_of} to {}", role.name)).await;
        let client = Client::new(role.pool(1).await);
        let job = double::job(1).delay(Duration::from_secs(3600)).enqueue(&client).await.unwrap();
        assert_eq!(job.explain(&client).await.unwrap().reasons[0].code, "scheduled", "{member_of}");
        let answer = job.cancel(&client).by("the boss").because("so").await.unwrap();
        assert_eq!(answer, CancelOutcome::Cancelled, "{member_of}");
        let cancelled = job.status(&client).await.unwrap().unwrap().cancelled.unwrap();
        assert_eq!((&*cancelled.by, &*cancelled.role), ("the boss", &*role.name));
        let listed = client.cancelled_jobs().list(1).await.unwrap().pop().unwrap().cancelled.unwrap();
        assert_eq!(listed, cancelled);
        assert_eq!(job.explain(&client).await.unwrap().reasons[0].code, "cancelled", "{member_of}");
        // Neither role may insert into `cancels` itself, because that would forge the recorded role.
        let forged = "insert into pgjobq.cancels (shard, job, created_at, asked_by, role) values (0, gen_random_uuid(), now(), 'me', 'you')";
        let refused = sqlx::query(forged).execute(client.pool()).await.unwrap_err();
        assert!(refused.to_string().contains("permission denied for table cancels"), "{refused}");
        client.pool().close().await;
        role.drop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_role_forges_no_pause_and_no_setting() {
    let db = TestDb::new(1).await;
    db.run(&printed("pgjobq", true)).await;
    let role = Role::new(&db, "login").await;
    db.run(&format!("grant pgjobq_worker to {}", role.name)).await;
    let client = Client::new(role.pool(1).await);
    let key = || client.key("tenant:1");
    key().pause().by("ada").await.unwrap();
    let made = "select paused_by || ', ' || role from pgjobq.pauses";
    assert_eq!(db.text(made).await, format!("ada, {}", role.name));
    assert!(key().resume().await.unwrap());
    let set = "select pgjobq.change_setting('default', 'limit', '7')";
    sqlx::raw_sql(set).execute(client.pool()).await.unwrap();
    let made = "select overrides->'limit'->>'role' from pgjobq.queues where name = 'default'";
    assert_eq!(db.text(made).await, role.name);
    for forged in [
        "insert into pgjobq.pauses (scope, name, paused_by, role) values ('key', 'k', 'me', 'you')",
        "update pgjobq.pauses set role = 'you'",
        "delete from pgjobq.pauses",
        "update pgjobq.queues set overrides = '{\"limit\": {\"value\": \"many\", \"role\": \"you\"}}'",
        "insert into pgjobq.queues (name, overrides) values ('mine', '{}')",
    ] {
        let refused = sqlx::query(forged).execute(client.pool()).await.unwrap_err();
        assert!(refused.to_string().contains("permission denied for table "), "{forged}: {refused}");
    }
    // All that a worker does with queues goes on.
    let hour = Duration::from_secs(3600);
    client.queue("forged").retain(pgjobq::EndedState::Dead, hour).save().await.unwrap();
    client.queue("forged").pause().await.unwrap();
    assert!(client.queue("forged").delete().await.unwrap());
    assert_eq!(db.number("select count(*) from pgjobq.pauses").await, 0);
    client.queue("forged").save().await.unwrap();
    client.pool().close().await;
    role.drop().await;
}

#[tokio::test]
async fn no_function_needs_md5_which_strict_servers_lack() {
    let db = TestDb::new(1).await;
    assert_eq!(functions(&db, "prosrc like '%md5(%'").await, named([]));
}

#[tokio::test]
async fn producer_inserts_no_ended_step_and_no_permit() {
    let db = TestDb::new(1).await;
    db.run(&printed("pgjobq", true)).await;
    let role = Role::new(&db, "login").await;
    db.run(&format!("grant pgjobq_producer to {}", role.name)).await;
    let pool = role.pool(1).await;
    for (table, column, value) in [
        ("steps", "outcome", "'dead'"),
        ("unsettled", "settled_to", "7"),
        ("unsettled", "is_ended", "true"),
        ("jobs", "permit", "1"),
        ("jobs", "queue_permit", "1"),
    ] {
        let insert = format!("insert into pgjobq.{table} ({column}) values ({value})");
        let refused = sqlx::query(AssertSqlSafe(insert)).execute(&pool).await.unwrap_err();
        assert!(refused.to_string().contains("permission denied for table"), "{column}: {refused}");
    }
    pool.close().await;
    role.drop().await;
}

#[tokio::test]
async fn lane_is_not_locked_in_a_callers_transaction() {
    let db = TestDb::new(1).await;
    let job = double::job(1).delay(Duration::from_secs(3600)).enqueue(&db.client).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let ask = "select pgjobq.cancel($1)";
    assert!(sqlx::query(ask).bind(job.id().as_uuid()).fetch_one(&mut *tx).await.unwrap().get::<bool, _>(0));
    let act = "select pgjobq.act_on_request(0::smallint, array[$1])";
    let refused = sqlx::query(act).bind(job.id().as_uuid()).execute(&mut *tx).await.unwrap_err();
    assert!(refused.to_string().contains("it must be called in a transaction of its own"), "{refused}");
    tx.rollback().await.unwrap();
}
