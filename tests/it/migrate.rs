//! The schema is upgraded in place; a schema of another draft is rejected.

use std::collections::BTreeMap;

use pgjobq::prelude::*;
use sqlx::{AssertSqlSafe, Row};

use crate::harness::TestDb;
use crate::schema::{Role, printed};

#[job]
async fn add(a: i32, b: i32) -> Result<i32> {
    Ok(a + b)
}

/// Selects all catalog facts of a schema that do not depend on the time at which an object was created.
const CATALOG: &str = "
    select 'relation ' || c.relname as object,
           concat_ws(' ', c.relkind, c.relpersistence, c.relreplident, c.reloptions, c.relowner::regrole,
                     (select array_agg(a::text order by a::text) from aclexplode(c.relacl) a),
                     pg_get_viewdef(c.oid), pg_get_expr(c.relpartbound, c.oid), obj_description(c.oid, 'pg_class')) as is
      from pg_class c where c.relnamespace = 'pgjobq'::regnamespace and c.relkind <> 'i' and c.relname !~ '^finished_[0-9]'
    union all
    select format('column %s.%s', c.relname, a.attname),
           concat_ws(' ', a.attnum, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attacl,
                     pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum))
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
     where c.relnamespace = 'pgjobq'::regnamespace and c.relkind in ('r', 'p', 'v') and c.relname !~ '^finished_[0-9]'
    union all
    select format('constraint %s.%s', conrelid::regclass, conname), pg_get_constraintdef(oid)
      from pg_constraint where connamespace = 'pgjobq'::regnamespace and conrelid::regclass::text !~ 'finished_[0-9]'
    union all
    select 'index ' || indexname, indexdef from pg_indexes where schemaname = 'pgjobq' and tablename !~ '^finished_[0-9]'
    union all
    select 'function ' || oid::regprocedure,
           concat_ws(' ', pg_get_functiondef(oid), proowner::regrole,
                     (select array_agg(a::text order by a::text) from aclexplode(proacl) a), obj_description(oid, 'pg_proc'))
      from pg_proc where pronamespace = 'pgjobq'::regnamespace
    union all
    select 'definition ' || name, concat_ws(' ', signature, digest) from pgjobq.definitions
    union all
    select 'settings', concat_ws(' ', shards, program, oldest_program, digest) from pgjobq.settings
    union all
    select 'migration ' || version, concat_ws(' ', name, digest) from pgjobq.migrations";

async fn catalog(db: &TestDb) -> BTreeMap<String, String> {
    let rows = sqlx::query(CATALOG).fetch_all(&db.pool).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

async fn check_equal_to_fresh(db: &TestDb) {
    let (upgraded, fresh) = (catalog(db).await, catalog(&TestDb::new(1).await).await);
    assert!(fresh.len() > 300, "the catalog query finds only {} objects", fresh.len());
    let differs = |name: &&String| upgraded.get(*name) != fresh.get(*name);
    let differing: Vec<_> = fresh.keys().chain(upgraded.keys()).filter(differs).collect();
    let [mine, theirs] = [&upgraded, &fresh].map(|all| differing.first().and_then(|name| all.get(*name)));
    assert!(differing.is_empty(), "{differing:#?}\nupgraded: {mine:#?}\nfresh: {theirs:#?}");
}

/// Turns the installed schema into one of an older release: one function with another body, one with another parameter, one with
/// another result, two that are missing, a view that lacks columns, a function that was removed since, and settings of old.
const OLDER: &str = r#"
    create or replace function pgjobq.new_id() returns uuid language plpgsql as $$ begin return null; end $$;
    drop function pgjobq.cancel(uuid, text);
    create function pgjobq.cancel(job uuid) returns boolean language plpgsql as $$ begin return true; end $$;
    drop view pgjobq.job_states;
    drop function pgjobq.shown_args;
    create function pgjobq.shown_args(p_kind text, p_args jsonb) returns text language plpgsql as $$ begin return ''; end $$;
    create view pgjobq.job_states as select id, pgjobq.shown_args(kind, args) as args from pgjobq.jobs;
    drop function pgjobq.make_partitions, pgjobq.printed;
    create function pgjobq.of_old() returns int language plpgsql as $$ begin return 1; end $$;
    create view pgjobq.view_of_old as select pgjobq.of_old() as one;
    alter function pgjobq.claim reset all;
    update pgjobq.definitions set digest = 0 where name not in ('promote', 'find_due');
    update pgjobq.definitions set signature = 0 where name in ('cancel', 'shown_args', 'job_states');
    delete from pgjobq.definitions where name in ('make_partitions', 'printed');
    insert into pgjobq.definitions (name, signature, digest) values ('of_old', 0, 0), ('view_of_old', 0, 0);
    update pgjobq.settings set program = 1, oldest_program = 1, digest = 0;
"#;

#[tokio::test]
async fn upgraded_schema_equals_a_fresh_one() {
    let db = TestDb::new(1).await;
    db.run(OLDER).await;
    db.client.migrate().await.unwrap();
    check_equal_to_fresh(&db).await;
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(add::call(&db.client, 1, 2).await.unwrap(), 3);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn printed_upgrade_is_what_migrate_runs() {
    let db = TestDb::new(1).await;
    assert_eq!(db.client.migration_sql().await.unwrap(), None);
    db.run(OLDER).await;
    let upgrade = db.client.migration_sql().await.unwrap().unwrap();
    assert!(!upgrade.contains("pgjobq.promote("), "the upgrade contains only functions that differ");
    db.run(&upgrade).await;
    check_equal_to_fresh(&db).await;
    assert_eq!(db.client.migration_sql().await.unwrap(), None);
    // In an empty database it creates the schema.
    let empty = TestDb::empty().await;
    let all = empty.client.migration_sql().await.unwrap().unwrap();
    empty.run(&all).await;
    check_equal_to_fresh(&empty).await;
}

#[tokio::test]
async fn functions_of_others_in_the_schema_stay() {
    let db = TestDb::new(1).await;
    db.run(OLDER).await;
    db.run("create function pgjobq.audit() returns int language plpgsql as $$ begin return 1; end $$").await;
    db.client.migrate().await.unwrap();
    assert_eq!(db.number("select pgjobq.audit()").await, 1);
}

#[tokio::test]
async fn migrating_again_writes_nothing() {
    let db = TestDb::new(1).await;
    db.client.migrate().await.unwrap(); // Records the kinds of this program.
    let rows = "select array_agg(r.version order by r.version) from (
                    select oid || ' ' || xmin || ctid::text from pg_proc where pronamespace = 'pgjobq'::regnamespace
                    union all select xmin || ctid::text from pgjobq.settings
                    union all select xmin || ctid::text from pgjobq.definitions
                    union all select xmin || ctid::text from pgjobq.migrations
                    union all select xmin || ctid::text from pgjobq.kinds
                    union all select xmin || ctid::text from pgjobq.queues) r(version)";
    let before = db.text(rows).await;
    db.client.migrate().await.unwrap();
    assert_eq!(before, db.text(rows).await);
}

#[tokio::test]
async fn only_changed_functions_are_installed_again() {
    let db = TestDb::new(1).await;
    let kept = "select array_agg(oid || ' ' || proname order by oid) from pg_proc where pronamespace = 'pgjobq'::regnamespace";
    let before = db.text(kept).await;
    db.run(
        "create or replace function pgjobq.new_id() returns uuid language plpgsql as $$ begin return null; end $$;
         update pgjobq.definitions set digest = 0 where name = 'new_id';
         update pgjobq.settings set digest = 0",
    )
    .await;
    let views = db.text("'pgjobq.job_states'::regclass::oid").await;
    db.client.migrate().await.unwrap();
    assert_eq!(before, db.text(kept).await, "no function is another object than before");
    assert_eq!(views, db.text("'pgjobq.job_states'::regclass::oid").await);
    check_equal_to_fresh(&db).await;
}

#[tokio::test]
async fn upgrade_keeps_grants_and_owners() {
    let db = TestDb::new(1).await;
    let (reader, keeper) = (Role::new(&db, "nologin").await, Role::new(&db, "nologin").await);
    db.run(OLDER).await;
    db.run(&format!(
        "revoke execute on function pgjobq.cancel, pgjobq.claim from public;
         grant execute on function pgjobq.cancel, pgjobq.claim to {0} with grant option;
         grant select on pgjobq.job_states to {0};
         grant select on pgjobq.job_states to public;
         alter function pgjobq.ask_to_cancel owner to {1};
         alter function pgjobq.shown_args owner to {1}",
        reader.name, keeper.name
    ))
    .await;
    db.run("update pgjobq.definitions set signature = 0 where name = 'ask_to_cancel'").await;
    db.client.migrate().await.unwrap();
    for function in ["cancel", "claim"] {
        let of =
            format!("from pg_proc where pronamespace = 'pgjobq'::regnamespace and proname = '{function}'");
        let granted = format!(
            "select has_function_privilege('{}', oid, 'execute with grant option') {of}",
            reader.name
        );
        assert_eq!(db.text(&granted).await, "true", "{function}");
        let public = format!("select exists (select from aclexplode(proacl) where grantee = 0) {of}");
        assert_eq!(db.text(&public).await, "false", "{function}");
    }
    let sees = format!("select has_table_privilege('{}', 'pgjobq.job_states', 'select')", reader.name);
    assert_eq!(db.text(&sees).await, "true");
    let open = "select exists (select from pg_class, aclexplode(relacl) where relname = 'job_states' and grantee = 0)";
    assert_eq!(db.text(open).await, "true");
    for function in ["ask_to_cancel", "shown_args"] {
        let owner = format!("select proowner::regrole from pg_proc where proname = '{function}'");
        assert_eq!(db.text(&owner).await, keeper.name, "{function}");
    }
    // PUBLIC must not call it, even if an earlier release granted that.
    let open = "select exists (select from pg_proc, aclexplode(proacl) where proname = 'ask_to_cancel' and grantee = 0)";
    assert_eq!(db.text(open).await, "false");
    db.run(&format!("reassign owned by {} to current_user", keeper.name)).await;
    reader.drop().await;
    keeper.drop().await;
}

#[tokio::test]
async fn worker_role_may_call_new_functions() {
    let db = TestDb::empty().await;
    db.run("alter default privileges revoke execute on functions from public").await;
    db.client.migrate().await.unwrap();
    db.run(&printed("pgjobq", true)).await;
    db.run(OLDER).await;
    db.client.migrate().await.unwrap();
    let refused = "select count(*) from pg_proc where pronamespace = 'pgjobq'::regnamespace
                      and not has_function_privilege('pgjobq_worker', oid, 'execute')";
    assert_eq!(db.number(refused).await, 0);
    let producer = "has_function_privilege('pgjobq_producer', 'pgjobq.cancel(uuid, text)', 'execute')";
    assert_eq!(db.text(producer).await, "true");
}

#[tokio::test]
async fn roles_of_another_database_are_granted_nothing() {
    let db = TestDb::new(1).await;
    db.run(&printed("pgjobq", true)).await; // The roles exist now.
    let other = TestDb::new(1).await;
    other.run(OLDER).await;
    other.client.migrate().await.unwrap();
    assert_eq!(other.text("has_table_privilege('pgjobq_worker', 'pgjobq.jobs', 'select')").await, "false");
}

#[tokio::test]
async fn new_functions_belong_to_the_owner_of_the_schema() {
    let db = TestDb::empty().await;
    let owner = Role::new(&db, "login").await;
    let database = db.text("current_database()").await;
    db.run(&format!("grant create on database {database} to {}", owner.name)).await;
    let client = Client::new(owner.pool(2).await);
    client.migrate().await.unwrap();
    sqlx::raw_sql(OLDER).execute(client.pool()).await.unwrap();
    // Run by a superuser, with what the numbered file of a later version might make.
    let script = db.client.migration_sql().await.unwrap().unwrap();
    let later = "begin; create sequence pgjobq.later; create type pgjobq.pair as (a int, b int);
                 create table pgjobq.later_jobs (id int generated always as identity, n bigserial);";
    db.run(&script.replacen("begin;", later, 1)).await;
    let others = format!(
        "select count(*) from (select proowner from pg_proc where pronamespace = 'pgjobq'::regnamespace
                               union all select relowner from pg_class where relnamespace = 'pgjobq'::regnamespace) o(owner)
          where owner <> '{}'::regrole",
        owner.name
    );
    assert_eq!(db.number(&others).await, 0);
    client.pool().close().await;
    owner.drop().await;
}

#[tokio::test]
async fn upgrade_waits_for_no_open_transaction() {
    let db = TestDb::new(1).await;
    db.run("update pgjobq.definitions set digest = 0; update pgjobq.settings set digest = 0").await;
    let mut tx = db.pool.begin().await.unwrap();
    add::enqueue(&mut *tx, 1, 2).await.unwrap();
    sqlx::raw_sql("select count(*) from pgjobq.finished; select pgjobq.new_id(); lock pgjobq.jobs in share row exclusive mode")
        .execute(&mut *tx)
        .await
        .unwrap();
    db.client.migrate().await.unwrap();
    tx.commit().await.unwrap();
    check_equal_to_fresh(&db).await;
}

#[tokio::test]
async fn older_program_leaves_newer_functions_alone() {
    let db = TestDb::new(1).await;
    db.run(
        "create or replace function pgjobq.new_id() returns uuid language plpgsql as $$ begin return null; end $$;
         update pgjobq.definitions set digest = 1 where name = 'new_id';
         update pgjobq.settings set program = 9000000, digest = 1",
    )
    .await;
    db.client.migrate().await.unwrap();
    assert_eq!(db.text("pgjobq.new_id() is null").await, "true");
    assert_eq!(db.number("select program from pgjobq.settings").await, 9_000_000);
}

#[tokio::test]
async fn eight_programs_upgrade_at_once() {
    let db = TestDb::new(1).await;
    db.run(OLDER).await;
    let mut migrations = Vec::new();
    for _ in 0..8 {
        let client = Client::new(db.pool.clone());
        migrations.push(tokio::spawn(async move { client.migrate().await }));
    }
    for migrated in migrations {
        migrated.await.unwrap().unwrap();
    }
    check_equal_to_fresh(&db).await;
}

#[tokio::test]
async fn failed_upgrade_changes_nothing() {
    let db = TestDb::new(1).await;
    db.run(OLDER).await;
    db.run("create view public.mine as select * from pgjobq.job_states").await;
    let before = catalog(&db).await;
    let error = db.client.migrate().await.unwrap_err();
    assert!(
        crate::error_text::whole(&error).contains("cannot drop view"),
        "{}",
        crate::error_text::whole(&error)
    );
    assert_eq!(before, catalog(&db).await);
    db.run("drop view public.mine").await;
    db.client.migrate().await.unwrap();
    check_equal_to_fresh(&db).await;
}

#[tokio::test]
async fn schema_of_another_draft_is_refused_by_name() {
    let db = TestDb::new(1).await;
    db.run("update pgjobq.migrations set digest = 1; update pgjobq.settings set digest = 1").await;
    let error = db.client.migrate().await.unwrap_err().to_string();
    assert!(error.contains("another draft of migration 0001_jobs"), "{error}");
}

#[tokio::test]
async fn any_schema_name_can_be_upgraded() {
    let db = TestDb::empty().await;
    let client = Client::builder(db.pool.clone()).schema("2nd-Étage").build().unwrap();
    client.migrate().await.unwrap();
    let older = OLDER.replace("pgjobq.", "\"2nd-Étage\".");
    sqlx::raw_sql(AssertSqlSafe(older)).execute(&db.pool).await.unwrap();
    client.migrate().await.unwrap();
    db.run(&printed("2nd-Étage", true)).await;
    assert_eq!(db.number("select count(*) from \"2nd-Étage\".job_states").await, 0);
}
