//! The shipped statements, each called with real parameters, and what the call cost.

use uuid::Uuid;

use crate::session::{Cost, Session, explain, fresh_id};
use crate::tables::{ARGS, KIND, Lease};

/// A peek up to here looks as far as there are tickets.
pub(crate) const TOP: i64 = i64::MAX;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    Complete,
    CompleteKept,
    Retry,
    Bury,
}

impl Session {
    /// Enqueues new jobs, now or scheduled. Their ids are in order.
    pub(crate) async fn enqueue(&mut self, count: usize, delay: Option<i64>) -> (Cost, Vec<Uuid>) {
        let ids: Vec<Uuid> = (0..count).map(|_| Uuid::now_v7()).collect();
        let query = explain("enqueue_many")
            .bind(vec![KIND])
            .bind(vec!["default"])
            .bind(vec![1i16])
            .bind(vec![20i16])
            .bind(vec![3i16])
            .bind(ids.clone())
            .bind(vec![1i32; count])
            .bind(vec![ARGS; count])
            .bind(None::<Vec<Option<&str>>>)
            .bind(delay.map(|delay| vec![Some(delay); count]))
            .bind(None::<Vec<Option<i64>>>)
            .bind(None::<Vec<Option<i64>>>)
            .bind(false)
            .bind(None::<i32>);
        (self.cost(query).await, ids)
    }

    /// Looks in the one priority that is used here.
    pub(crate) async fn peek(&mut self, want: usize, low: i64, high: i64) -> Cost {
        let query = explain("peek")
            .bind(vec![0i16])
            .bind(vec![self.queue])
            .bind(vec![self.kind])
            .bind(want as i32)
            .bind(vec![low; 4])
            .bind(vec![high; 4]);
        self.cost(query).await
    }

    /// Claims from `near` on, or the tickets that were found.
    pub(crate) async fn claim(&mut self, want: usize, near: i64, found: Option<Vec<i64>>) -> (Cost, Lease) {
        let lease = fresh_id();
        let cost = self.claim_as(lease, want, near, found).await;
        (cost, self.lease(lease).await.unwrap_or_default())
    }

    /// A claim that finds nothing in reach.
    pub(crate) async fn claim_nothing(&mut self, want: usize, near: i64) -> Cost {
        self.claim_as(fresh_id(), want, near, None).await
    }

    async fn claim_as(&mut self, lease: i64, want: usize, near: i64, found: Option<Vec<i64>>) -> Cost {
        let priorities = found.as_ref().map(|found| vec![1i16; found.len()]);
        let query = explain("claim")
            .bind(0i16)
            .bind(self.queue)
            .bind(self.worker)
            .bind(lease)
            .bind(true)
            .bind(vec![self.kind])
            .bind(want as i32)
            .bind(vec![near; 4])
            .bind(found)
            .bind(priorities);
        self.cost(query).await
    }

    /// Claims one suspect.
    pub(crate) async fn claim_suspect(&mut self) -> (Cost, Lease) {
        let lease = fresh_id();
        let cost = self.claim_suspect_as(lease).await;
        (cost, self.lease(lease).await.unwrap_or_default())
    }

    /// A claim of a suspect that finds none in reach.
    pub(crate) async fn claim_no_suspect(&mut self) -> Cost {
        self.claim_suspect_as(fresh_id()).await
    }

    async fn claim_suspect_as(&mut self, lease: i64) -> Cost {
        let query = explain("claim_suspect").bind(0i16).bind(self.queue).bind(self.worker);
        self.cost(query.bind(lease).bind(vec![self.kind])).await
    }

    /// Finishes all jobs of a lease, and closes it.
    pub(crate) async fn finish(&mut self, lease: &Lease, end: End) -> Cost {
        let jobs = lease.jobs.len();
        let (ids, tickets): (Vec<Uuid>, Vec<i64>) = lease.jobs.iter().copied().unzip();
        let decision = match end {
            End::Complete | End::CompleteKept => "complete",
            End::Retry => "retry",
            End::Bury => "bury",
        };
        let failed = matches!(end, End::Retry | End::Bury);
        let query = explain("finish")
            .bind(0i16)
            .bind(self.worker)
            .bind("cost")
            .bind(vec![self.queue])
            .bind(vec![1i16])
            .bind(vec![lease.hi])
            .bind(vec![lease.id])
            .bind(vec![true])
            .bind(vec![1i32; jobs])
            .bind(ids)
            .bind(tickets)
            .bind(vec![decision; jobs])
            .bind(vec![(end == End::Retry).then_some(1_000_000i64); jobs])
            .bind(vec![(end == End::CompleteKept).then_some(86_400_000_000i64); jobs])
            .bind(vec![(end == End::CompleteKept).then_some("{\"sent\": true}"); jobs])
            .bind(vec![failed.then_some("error"); jobs])
            .bind(vec![failed.then_some("the mail server did not answer"); jobs]);
        self.cost(query).await
    }

    /// Gives back a lease of whose claim nobody knows.
    pub(crate) async fn return_lease(&mut self, lease: &Lease) -> Cost {
        let query = explain("return_lease").bind(0i16).bind(self.worker).bind(self.queue).bind(1i16);
        self.cost(query.bind(lease.hi).bind(lease.id)).await
    }

    /// Says that the worker lives, and lists its leases.
    pub(crate) async fn heartbeat(&mut self) -> Cost {
        let query = explain("heartbeat").bind(vec![0i16]).bind(self.worker);
        self.cost(query).await
    }

    /// Takes back one lease of a worker that is gone.
    pub(crate) async fn reap(&mut self) -> Cost {
        self.cost(explain("reap").bind(0i16).bind(Vec::<i64>::new())).await
    }

    /// Gives up the silent workers, of which there are none.
    pub(crate) async fn give_up_workers(&mut self) -> Cost {
        self.cost(explain("give_up_workers").bind(0i16).bind(86_400_000_000i64)).await
    }

    /// Puts in line what has come due.
    pub(crate) async fn promote(&mut self, most: usize) -> Cost {
        self.cost(explain("promote").bind(0i16).bind(most as i32)).await
    }

    /// How jobs stand.
    pub(crate) async fn lookup(&mut self, ids: &[Uuid]) -> Cost {
        self.cost(explain("lookup").bind(vec![0i16; ids.len()]).bind(ids.to_vec())).await
    }

    /// How one job stands, for people.
    pub(crate) async fn status(&mut self, id: Uuid) -> Cost {
        self.cost(explain("status").bind(0i16).bind(id)).await
    }
}
