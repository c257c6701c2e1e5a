//! A record of an action is made before it, and gets its outcome once.

use crate::harness::TestDb;

on_one_shard!(audit_record_gets_its_outcome_once);
async fn audit_record_gets_its_outcome_once(db: TestDb) {
    let noted = db.client.audit("cancel", "job 7").by("ada").because("too late").note().await.unwrap();
    let again = noted.clone();
    let left = db.client.audit("pause", "queue \0mail").note().await.unwrap();
    noted.end("cancelled: ✓").await.unwrap();
    again.end("something else").await.unwrap();
    let records = db.client.audit_records(None, 10).await.unwrap();
    assert_eq!((records.len(), records[0].id, records[0].outcome.as_deref()), (2, left.id(), None));
    let (by, role) = (&*records[1].by, &*records[1].role);
    assert_eq!((by, &*records[1].action, &*records[1].subject), ("ada", "cancel", "job 7"));
    assert_eq!((role, records[1].reason.as_deref()), (&*db.text("current_user").await, Some("too late")));
    assert_eq!(records[1].outcome.as_deref(), Some("cancelled: ✓"));
    assert_eq!((&*records[0].by, &*records[0].subject), (role, "queue mail"));
    let before = db.client.audit_records(Some(records[0].id), 10).await.unwrap();
    assert_eq!(before, records[1..]);
}

on_one_shard!(old_audit_records_are_deleted_by_new_ones);
async fn old_audit_records_are_deleted_by_new_ones(db: TestDb) {
    for _ in 0..3 {
        db.client.audit("pause", "queue mail").note().await.unwrap().end("paused").await.unwrap();
    }
    db.run("update pgjobq.audit set asked_at = asked_at - interval '91 days' where id <= 2").await;
    db.client.audit("resume", "queue mail").note().await.unwrap().end("resumed").await.unwrap();
    let records = db.client.audit_records(None, 10).await.unwrap();
    assert_eq!(records.iter().map(|record| record.id.0).collect::<Vec<_>>(), [4, 3]);
}
