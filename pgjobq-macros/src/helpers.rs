//! The typed ways in: `KIND`, `job`, `handle`, `enqueue`, `call`. Their variables are hygienic, so that an argument may
//! have the same name as one of them.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::hygiene::{at, local};
use crate::model::{Argument, Job};

pub(crate) fn helpers(job: &Job) -> TokenStream {
    let name = &job.name;
    let (values, actions) = (values(job), actions(job));
    quote_spanned! {at(name.span())=>
        impl #name {
            #values
            #actions
        }
    }
}

/// What needs no database.
fn values(job: &Job) -> TokenStream {
    let (kind, value, id) = (job.kind(), job.value(), local("id"));
    let (names, parameters) = (names(job), parameters(job));
    let types = job.stored().map(|argument| &argument.ty);
    let title = job.name.unraw();
    let about_job =
        format!("A `{title}` job that has not been enqueued: a value, whose options one can set.");
    let about_handle = format!("The handle of the `{title}` job that has this id.");
    quote_spanned! {at(job.name.span())=>
        /// The name under which the database stores jobs of this kind.
        pub const KIND: &'static str = #kind;

        #[doc = #about_job]
        pub fn job(#parameters) -> __pgjobq::NewJob<#value> {
            __new_job::<#value, #(#types),*>(&__Args { #(#names),* })
        }

        #[doc = #about_handle]
        #[must_use]
        pub fn handle(#id: impl ::core::convert::Into<__pgjobq::JobId>) -> __pgjobq::JobHandle<#value> {
            __pgjobq::JobHandle::from_id(::core::convert::Into::into(#id), &__POLICY)
        }
    }
}

/// What speaks to the database.
fn actions(job: &Job) -> TokenStream {
    let (value, to, client) = (job.value(), local("to"), local("client"));
    let (names, parameters) = (names(job), parameters(job));
    let title = job.name.unraw();
    let about_enqueue = format!(
        "Enqueues a `{title}` job: to `&client`, `&pool`, `&mut *connection` or `&mut *transaction`."
    );
    let about_call = format!("Enqueues a `{title}` job, waits until it ends, and gives what it returned.");
    // At the user's type to the letter, for only then the compiler sees that all its objections to it are one.
    let called = quote_spanned!(value.span()=> __call::<#value>(Self::job(#(#names),*), #client).await);
    quote_spanned! {at(job.name.span())=>
        #[doc = #about_enqueue]
        ///
        /// # Errors
        ///
        /// What is wrong with the job, with its queue, or with the connection.
        pub async fn enqueue(
            #to: impl __pgjobq::Target,
            #parameters
        ) -> ::core::result::Result<__pgjobq::JobHandle<#value>, __pgjobq::EnqueueError> {
            Self::job(#(#names),*).enqueue(#to).await
        }

        #[doc = #about_call]
        ///
        /// # Errors
        ///
        /// Why the job could not be enqueued or awaited, or how it ended without a value.
        pub async fn call(
            #client: &__pgjobq::Client,
            #parameters
        ) -> ::core::result::Result<#value, __pgjobq::CallError> {
            #called
        }
    }
}

fn names(job: &Job) -> Vec<&Ident> {
    job.stored().map(|argument| &argument.name).collect()
}

fn parameters(job: &Job) -> TokenStream {
    let parameters = job.stored().map(|Argument { name, ty, .. }| quote!(#name: #ty));
    quote!(#(#parameters),*)
}
