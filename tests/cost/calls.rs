//! Calls of the shipped statements with real parameters, and the cost of each call.

use uuid::Uuid;

use crate::session::{Cost, Session, explain, fresh_id};
use crate::tables::{ARGS, KIND, Lease};

/// A peek up to here looks as far as there are tickets.
pub(crate) const TOP: i64 = i64::MAX;

/// The end of an attempt.
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
            .bind(None::<Vec<Option<&str>>>)
            .bind(None::<Vec<Option<&str>>>)
            .bind(delay.map(|delay| vec![Some(delay); count]))
            .bind(None::<Vec<Option<i64>>>)
            .bind(None::<Vec<Option<i64>>>)
            .bind(false)
            .bind(None::<i32>)
            .bind(i32::MAX)
            .bind(None::<&str>)
            .bind(None::<Vec<Option<i32>>>)
            .bind(None::<Vec<Option<&str>>>)
            .bind(None::<Vec<Option<&str>>>)
            .bind("all");
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
            .bind(vec![high; 4])
            .bind(vec![0i64; 4])
            .bind(self.filter)
            .bind(false);
        self.cost(query).await
    }

    /// Claims from `scan_hint` on, or the tickets that were found.
    pub(crate) async fn claim(
        &mut self,
        want: usize,
        scan_hint: i64,
        found: Option<Vec<i64>>,
    ) -> (Cost, Lease) {
        let lease = fresh_id();
        let cost = self.claim_as(lease, want, scan_hint, found).await;
        (cost, self.lease(lease).await.unwrap_or_default())
    }

    /// A claim that finds nothing within its limit.
    pub(crate) async fn claim_nothing(&mut self, want: usize, scan_hint: i64) -> Cost {
        self.claim_as(fresh_id(), want, scan_hint, None).await
    }

    async fn claim_as(&mut self, lease: i64, want: usize, scan_hint: i64, found: Option<Vec<i64>>) -> Cost {
        let priorities = found.as_ref().map(|found| vec![1i16; found.len()]);
        let query = explain("claim")
            .bind(0i16)
            .bind(self.queue)
            .bind(self.worker)
            .bind(lease)
            .bind(true)
            .bind(vec![self.kind])
            .bind(want as i32)
            .bind(vec![scan_hint; 4])
            .bind(found)
            .bind(priorities)
            .bind(8i64 << 20)
            .bind(Vec::<&str>::new())
            .bind(0i32)
            .bind(false)
            .bind(self.filter)
            .bind(false);
        self.cost(query).await
    }

    /// Claims one quarantined job.
    pub(crate) async fn claim_quarantined(&mut self) -> (Cost, Lease) {
        let lease = fresh_id();
        let cost = self.claim_quarantined_as(lease).await;
        (cost, self.lease(lease).await.unwrap_or_default())
    }

    /// A claim of quarantined jobs that finds none within its limit.
    pub(crate) async fn claim_no_quarantined(&mut self) -> Cost {
        self.claim_quarantined_as(fresh_id()).await
    }

    async fn claim_quarantined_as(&mut self, lease: i64) -> Cost {
        let query = explain("claim_quarantined").bind(0i16).bind(self.queue).bind(self.worker);
        let query = query.bind(lease).bind(vec![self.kind]).bind(1i32).bind(true).bind(vec![0i64; 4]);
        self.cost(query.bind(false).bind(self.filter).bind(false)).await
    }

    /// Finishes all jobs of a lease, and closes it.
    pub(crate) async fn finish(&mut self, lease: &Lease, end: End) -> Cost {
        let jobs = lease.jobs.len();
        let (ids, tickets): (Vec<Uuid>, Vec<i64>) = lease.jobs.iter().copied().unzip();
        let decision = match end {
            End::Complete => "delete",
            End::CompleteKept => "complete",
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
            .bind(vec![lease.max_ticket])
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
            .bind(vec![failed.then_some("the mail server did not answer"); jobs])
            .bind(lease.addresses.clone());
        self.cost(query).await
    }

    /// Returns a lease whose claim no worker knows.
    pub(crate) async fn return_lease(&mut self, lease: &Lease) -> Cost {
        let query = explain("return_lease").bind(0i16).bind(self.worker).bind(self.queue).bind(1i16);
        self.cost(query.bind(lease.max_ticket).bind(lease.id)).await
    }

    /// Sends a heartbeat, and lists the leases of the worker.
    pub(crate) async fn heartbeat(&mut self) -> Cost {
        let query = explain("heartbeat").bind(vec![0i16]).bind(self.worker);
        self.cost(query).await
    }

    /// Reaps one lease of a worker without a row.
    pub(crate) async fn reap(&mut self) -> Cost {
        self.cost(explain("reap").bind(vec![0i16]).bind(Vec::<i64>::new())).await
    }

    /// Reaps the silent workers, of which there are none.
    pub(crate) async fn give_up_workers(&mut self) -> Cost {
        self.cost(explain("give_up_workers").bind(0i16).bind(Vec::<i64>::new()).bind(Vec::<i64>::new())).await
    }

    /// Promotes the jobs that have come due.
    pub(crate) async fn promote(&mut self, most: usize) -> Cost {
        self.cost(explain("promote").bind(0i16).bind(most as i32).bind(0i64)).await
    }

    /// Finds the shards that have jobs to promote.
    pub(crate) async fn find_due(&mut self, shards: i16) -> Cost {
        self.find("find_due", shards).await
    }

    /// Finds the shards that have jobs to expire.
    pub(crate) async fn find_expiring(&mut self, shards: i16) -> Cost {
        self.find("find_expiring", shards).await
    }

    async fn find(&mut self, statement: &str, shards: i16) -> Cost {
        let cursors = vec![0i64; shards as usize];
        self.cost(explain(statement).bind((0..shards).collect::<Vec<_>>()).bind(cursors)).await
    }

    /// Reports a job's progress, and completes it in a transaction of its own.
    pub(crate) async fn complete_in(&mut self, lease: &Lease) -> (Cost, Cost) {
        let (job, ticket) = lease.jobs[0];
        let statement = |name| {
            let query = explain(name).bind(0i16).bind(self.worker).bind(self.queue).bind(1i16);
            query.bind(lease.max_ticket).bind(lease.id).bind(job).bind(ticket)
        };
        let (say, complete) = (statement("say_progress"), statement("complete_in"));
        let said = self.cost(say.bind(50i16).bind("half")).await;
        (said, self.cost(complete.bind(86_400_000_000i64).bind("1")).await)
    }

    /// Requests to cancel jobs, and acts on the requests.
    pub(crate) async fn cancel(&mut self, ids: &[Uuid]) -> (Cost, Cost) {
        let ask =
            explain("ask_to_cancel").bind(0i16).bind(ids.to_vec()).bind("somebody").bind(None::<String>);
        let ask = ask.bind(None::<Vec<String>>);
        let asked = self.cost(ask).await;
        let act = explain("act_on_cancels").bind(0i16).bind(None::<Uuid>);
        (asked, self.cost(act.bind(ids.len() as i32)).await)
    }

    /// Ends jobs that have not been started in time.
    pub(crate) async fn expire(&mut self, ids: &[Uuid]) -> Cost {
        let past = "update pgjobq.jobs set expires_at = now() - interval '1 second' where shard = 0 and id = any ($1)";
        sqlx::query(past).bind(ids.to_vec()).execute(&mut self.stage).await.unwrap();
        self.cost(explain("expire").bind(0i16).bind(0i64).bind(Uuid::nil()).bind(ids.len() as i32)).await
    }

    /// Reports the number of attempts that have ended.
    pub(crate) async fn note_rates(&mut self) -> Cost {
        let rates = explain("note_rates").bind(0i16).bind(vec![self.queue]).bind(vec![5]).bind(vec![1]);
        self.cost(rates).await
    }

    /// Reads the statistics of the queue.
    pub(crate) async fn stats(&mut self) -> Cost {
        self.cost(explain("queue_stats").bind(vec![0i16]).bind(self.queue).bind("default")).await
    }

    /// Reads which of these jobs do not run, and the workers that would take them.
    pub(crate) async fn unstarted(&mut self, ids: &[Uuid]) -> Cost {
        self.cost(explain("unstarted").bind(vec![0i16; ids.len()]).bind(ids.to_vec())).await
    }

    /// Reads the states of jobs.
    pub(crate) async fn lookup(&mut self, ids: &[Uuid]) -> Cost {
        self.cost(explain("lookup").bind(vec![0i16; ids.len()]).bind(ids.to_vec()).bind(4_i64 << 20)).await
    }

    /// Explains why a job is not running.
    pub(crate) async fn explain(&mut self, id: Uuid) -> Cost {
        self.cost(explain("explain").bind(id)).await
    }

    /// Reads the status of one job.
    pub(crate) async fn status(&mut self, id: Uuid) -> Cost {
        self.cost(explain("status").bind(0i16).bind(id)).await
    }
}
