//! Tests of the whole application: requests, jobs, the hours between them, and a crash.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use pgjobq::testing::{TestQueue, assert_enqueued, assert_not_enqueued};
use tower::ServiceExt;

use crate::app::{create_tables, router};
use crate::jobs::{AnyMailer, Mailer, REMIND_AFTER, ask_to_confirm, remind};

type Ended = Result<(), pgjobq::Error>;

/// Keeps the mail that it is to send. While it is full, it fails.
#[derive(Clone, Default)]
struct Outbox(Arc<Mutex<(Vec<String>, bool)>>);

impl Mailer for Outbox {
    fn send(&self, to: &str, subject: &str) -> std::io::Result<()> {
        let (mails, is_full) = &mut *self.0.lock().unwrap();
        if *is_full {
            return Err(std::io::Error::other("the mailbox is full"));
        }
        mails.push(format!("{to}: {subject}"));
        Ok(())
    }
}

impl Outbox {
    fn of(pg: &TestQueue) -> Self {
        let outbox = Self::default();
        pg.state(Box::new(outbox.clone()) as AnyMailer);
        pg.state(pg.pool().clone());
        outbox
    }

    fn mails(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().0)
    }

    fn set_full(&self, is_full: bool) {
        self.0.lock().unwrap().1 = is_full;
    }
}

async fn request(pg: &TestQueue, method: Method, path: &str) -> StatusCode {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    router(pg.client().clone()).oneshot(request).await.unwrap().status()
}

const ADA: &str = "/subscribers/ada@example.org";
const CONFIRM: &str = "ada@example.org: Please confirm your subscription";

#[pgjobq::test(setup = create_tables)]
async fn subscriber_gets_a_mail_and_a_reminder(pg: TestQueue) -> Ended {
    let outbox = Outbox::of(&pg);
    assert_eq!(request(&pg, Method::POST, ADA).await, StatusCode::ACCEPTED);
    assert_enqueued!(pg, ask_to_confirm, email == "ada@example.org", queue = "mail");
    assert_enqueued!(pg, remind, email == "ada@example.org", delay = REMIND_AFTER);
    assert_eq!(pg.drain().await?.completed(), 1);
    assert_eq!(outbox.mails(), [CONFIRM]);

    pg.advance(REMIND_AFTER).await?;
    assert_eq!(pg.drain().await?.completed(), 1);
    assert_eq!(outbox.mails(), ["ada@example.org: You have not confirmed your subscription"]);
    Ok(())
}

#[pgjobq::test(setup = create_tables)]
async fn who_has_confirmed_is_not_reminded(pg: TestQueue) -> Ended {
    let outbox = Outbox::of(&pg);
    request(&pg, Method::POST, ADA).await;
    assert_eq!(request(&pg, Method::PUT, &format!("{ADA}/confirmation")).await, StatusCode::NO_CONTENT);
    pg.advance(REMIND_AFTER).await?;
    assert_eq!(pg.drain().await?.completed(), 2);
    assert_eq!(outbox.mails(), [CONFIRM]);
    Ok(())
}

#[pgjobq::test(setup = create_tables)]
async fn second_subscription_enqueues_nothing(pg: TestQueue) -> Ended {
    Outbox::of(&pg);
    request(&pg, Method::POST, ADA).await;
    assert_eq!(pg.drain().await?.completed(), 1);
    assert_eq!(request(&pg, Method::POST, ADA).await, StatusCode::CONFLICT);
    assert_not_enqueued!(pg, ask_to_confirm);
    Ok(())
}

#[pgjobq::test(setup = create_tables)]
async fn mail_is_sent_once_the_mailbox_has_room(pg: TestQueue) -> Ended {
    let outbox = Outbox::of(&pg);
    outbox.set_full(true);
    request(&pg, Method::POST, ADA).await;
    assert_eq!(pg.drain().await?.errors(), ["the mailbox is full"]);
    outbox.set_full(false);
    pg.advance_to_next().await?;
    assert_eq!(pg.drain().await?.completed(), 1);
    assert_eq!(outbox.mails(), [CONFIRM]);
    Ok(())
}

#[pgjobq::test(setup = create_tables)]
async fn crash_after_the_mail_sends_it_twice(pg: TestQueue) -> Ended {
    let outbox = Outbox::of(&pg);
    pg.faults().crash_after(ask_to_confirm::KIND);
    request(&pg, Method::POST, ADA).await;
    let drained = pg.drain().await?;
    assert_eq!((drained.lost(), drained.completed()), (1, 1), "{drained}");
    assert_eq!(outbox.mails(), [CONFIRM, CONFIRM]); // At least once: known, and harmless here.
    Ok(())
}
