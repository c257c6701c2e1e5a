//! The public API of a job: `KIND`, `job`, `step`, `handle`, `enqueue`, `call`. Their variables are hygienic, so that an argument may have the
//! name of one of them.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::hygiene::{at, local};
use crate::model::Job;
use crate::role::Argument;

pub(crate) fn ways_in(job: &Job) -> TokenStream {
    let name = &job.name;
    let (constructors, actions) = (constructors(job), actions(job));
    quote_spanned! {at(name.span())=>
        impl __Job {
            #constructors
            #actions
        }
    }
}

/// The functions that need no database. All code that mentions the user's return type has the span of that type, because only then the
/// compiler merges its errors about the type.
fn constructors(job: &Job) -> TokenStream {
    let (kind, value, id) = (job.kind(), job.value(), local("id"));
    let (names, parameters) = (names(job), parameters(job));
    let types = job.stored().map(|argument| &argument.ty);
    let title = job.name.unraw();
    let about_job = format!("Makes a `{title}` job, which has options and is not enqueued yet.");
    let about_step = format!(
        "Makes a `{title}` step of a workflow. Each argument is a value, or comes from another step: its `output()` or `result()`."
    );
    let inputs = inputs(job);
    let sources = job.stored().map(|Argument { name, ty, .. }| {
        let stored = name.unraw().to_string();
        quote!(__pgjobq::Input::<#ty>::source(#name, #stored))
    });
    let new_step = quote_spanned! {value.span()=>
        __pgjobq::NewStep<#value> { __pgjobq::NewStep::new(Self::KIND, &__POLICY, [#(#sources),*]) }
    };
    let about_handle = format!("Returns the handle of the `{title}` job with this id.");
    let new_job = quote_spanned! {value.span()=>
        __pgjobq::NewJob<#value> { __stored::<#value, #(#types),*>().0(&__Args { #(#names),* }) }
    };
    let handle = quote_spanned! {value.span()=>
        __pgjobq::JobHandle<#value> {
            __pgjobq::JobHandle::from_id(::core::convert::Into::into(#id), Self::KIND, &__POLICY)
        }
    };
    quote_spanned! {at(job.name.span())=>
        /// The name under which the database stores jobs of this kind.
        pub const KIND: &'static str = #kind;

        #[doc = #about_job]
        pub fn job(#parameters) -> #new_job

        #[doc = #about_step]
        pub fn step(#inputs) -> #new_step

        #[doc = #about_handle]
        #[must_use]
        pub fn handle(#id: impl ::core::convert::Into<__pgjobq::JobId>) -> #handle
    }
}

/// The functions that need a database.
fn actions(job: &Job) -> TokenStream {
    let (value, to, client) = (job.value(), local("to"), local("client"));
    let (names, parameters) = (names(job), parameters(job));
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

fn names(job: &Job) -> Vec<&Ident> {
    job.stored().map(|argument| &argument.name).collect()
}

/// The arguments of `step`: values of the arguments' types, or what other steps give.
fn inputs(job: &Job) -> TokenStream {
    let inputs = job.stored().map(|Argument { name, ty, .. }| quote!(#name: impl __pgjobq::Input<#ty>));
    quote!(#(#inputs),*)
}

fn parameters(job: &Job) -> TokenStream {
    let parameters = job.stored().map(|Argument { name, ty, .. }| quote!(#name: #ty));
    quote!(#(#parameters),*)
}
