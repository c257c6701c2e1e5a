//! Stands where the client will be.
use std::marker::PhantomData;
use crate::{JobId, NewJob};
/// x
#[derive(Debug)]
pub struct Client;
/// x
#[derive(Debug)]
pub enum EnqueueError {}
/// x
#[derive(Debug)]
pub enum CallError {}
/// x
#[derive(Debug)]
pub struct JobHandle<T> { _id: JobId, _t: PhantomData<fn() -> T> }
impl<T> JobHandle<T> {
    #[doc(hidden)]
    #[must_use]
    pub fn from_id(id: JobId) -> Self { Self { _id: id, _t: PhantomData } }
}
/// x
pub trait Target<'t>: Send {}
impl<'t> Target<'t> for &'t Client {}
impl<T: serde::de::DeserializeOwned> NewJob<T> {
    /// x
    pub async fn call(self, _client: &Client) -> Result<T, CallError> { unimplemented!() }
}
/// x
#[allow(missing_docs)]
pub(crate) mod enqueue { pub(crate) async fn one<'t, T>(_job: crate::NewJob<T>, _to: impl crate::Target<'t>) -> Result<crate::JobHandle<T>, crate::EnqueueError> { unimplemented!() } }

