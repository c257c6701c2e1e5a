//! The part of one attempt in a call for several jobs.

use std::sync::Arc;
use std::thread;

use pgjobq_core::worker_api::{ItemEnd, RawItem, Settlement, Settler, Unsettled, encode_output};
use pgjobq_core::{JobContext, JobError};
use serde_json::value::RawValue;
use tokio::sync::mpsc;

/// The error of a job whose call was lost. The log has the panic.
const CALL_LOST: &str = "its call ended outside of the job function";

/// What a job function returned, as a handler returns it.
type Returned = Result<Box<RawValue>, JobError>;

/// The part of one attempt. If the attempt ends before it begins, it is dropped, and the call goes without it.
pub(super) struct Part {
    place: usize,
    call: mpsc::UnboundedSender<RawItem>,
    /// Dropped before the settler, which would end it.
    settlement: Settlement,
    settler: Settler,
}

impl Part {
    /// The part of the item at this place. The call receives it when the attempt begins.
    pub(super) fn new(
        place: usize,
        unsettled: &Arc<Unsettled>,
        call: &mpsc::UnboundedSender<RawItem>,
    ) -> Self {
        let (settler, settlement) = unsettled.item();
        Self { place, call: call.clone(), settler, settlement }
    }

    /// Passes the job to the call, and waits until the call has ended it.
    pub(super) async fn end(self, context: JobContext, args: Box<RawValue>) -> thread::Result<Returned> {
        let Self { place, call, settler, settlement } = self;
        let _ = call.send(RawItem { place, context, args, settler }); // A call that is gone drops the settler.
        drop(call);
        match settlement.end().await {
            Some(ItemEnd::Returned(result)) => Ok(encode_output(result)),
            Some(ItemEnd::Panicked(panic)) => Err(panic),
            Some(ItemEnd::TimedOut) => std::future::pending().await, // So does the attempt, which is as old.
            None => Err(Box::new(CALL_LOST)),
        }
    }
}
