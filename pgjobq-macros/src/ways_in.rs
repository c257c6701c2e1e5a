//! The public API of a job: `KIND`, `job`, `step`, `handle`, `enqueue`, `call`. Their variables are hygienic, so that an argument may have the
//! name of one of them.

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::constructors::constructors;
use crate::hygiene::{at, local};
use crate::model::Job;
use crate::shown_args::shown_args;

pub(crate) fn ways_in(job: &Job) -> TokenStream {
    let name = &job.name;
    let (constructors, actions, shown_args) = (constructors(job), actions(job), shown_args(job));
    quote_spanned! {at(name.span())=>
        impl __Job {
            #constructors
            #actions
            #shown_args
        }
    }
}

/// The functions that need a database.
fn actions(job: &Job) -> TokenStream {
    let (value, to, client) = (job.value(), local("to"), local("client"));
    let (names, parameters) = (job.names().collect::<Vec<_>>(), job.parameters());
    let title = job.name.unraw();
    let about_enqueue = format!(
        "Enqueues a `{title}` job: to `&client`, `&pool`, `&mut *connection` or `&mut *transaction`."
    );
    let about_call = format!("Enqueues a `{title}` job, waits until it ends, and returns its result.");
    let enqueued = quote_spanned! {value.span()=>
        ::core::result::Result<__pgjobq::JobHandle<#value>, __pgjobq::EnqueueError> {
            Self::job(#(#names),*).enqueue(#to).await
        }
    };
    let called = quote_spanned! {value.span()=>
        ::core::result::Result<#value, __pgjobq::CallError> {
            __call::<#value>(Self::job(#(#names),*), #client).await
        }
    };
    quote_spanned! {at(job.name.span())=>
        #[doc = #about_enqueue]
        ///
        /// # Errors
        ///
        /// A mistake in the job, a queue that does not exist, and errors of the database.
        pub async fn enqueue(#to: impl __pgjobq::Target, #parameters) -> #enqueued

        #[doc = #about_call]
        ///
        /// # Errors
        ///
        /// The errors of the enqueue and of the wait, and an end without a result.
        pub async fn call(#client: &__pgjobq::Client, #parameters) -> #called
    }
}
