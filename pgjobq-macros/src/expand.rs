//! What `#[job]` puts beside the function.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::attribute::Keys;
use crate::diagnostics::Diagnostics;
use crate::handler;
use crate::model::{Argument, Job};
use crate::parse::Item;

/// The function, exactly as it was written, whatever is wrong with it; then what the macro adds; then every mistake.
pub(crate) fn job(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    let keys = Keys::read(attribute, &mut diagnostics);
    let parsed = diagnostics.ok(syn::parse2::<Item>(item.clone()));
    let job = parsed.and_then(|item| Job::new(keys, item, &mut diagnostics));
    let generated = job.as_ref().map(beside);
    // A job with nothing to await is async for our sake, not by mistake.
    let allowed = job.as_ref().map(|_| quote!(#[allow(clippy::unused_async)]));
    let errors = diagnostics.into_tokens();
    quote!(#allowed #item #generated #errors)
}

/// A braced struct lives among the types only, so that it can bear the function's name. All else is inside a nameless
/// constant, where it is in nobody's way, and names everything through the facade's hidden module, so that a user's
/// crate depends on `pgjobq` alone and may shadow any other name.
fn beside(job: &Job) -> TokenStream {
    let Job { visibility, name, .. } = job;
    let cfgs: Vec<_> = job.attributes_named("cfg").collect();
    let docs: Vec<_> = job.attributes_named("doc").collect();
    let gap = docs.first().map(|_| quote!(#[doc = ""]));
    let summary = format!("The ways to enqueue the job `{}` and to await it.", name.unraw());
    let lints = lints();
    let facade = job.facade();
    let (helpers, handler) = (helpers(job), handler::handler(job));
    quote! {
        #(#cfgs)*
        #[doc = #summary]
        #gap
        #(#docs)*
        #lints
        #visibility struct #name {}

        #(#cfgs)*
        #lints
        const _: () = {
            use #facade::__private as __pgjobq;
            #helpers
            #handler
        };
    }
}

/// Lints that would blame the user for what the macro wrote. The function itself is outside, and stays linted.
fn lints() -> TokenStream {
    quote! {
        #[allow(
            dead_code,
            deprecated,
            missing_copy_implementations,
            missing_debug_implementations,
            non_camel_case_types,
            private_interfaces,
            unreachable_pub,
            clippy::all,
            clippy::pedantic
        )]
    }
}

/// The typed ways in. Their own names are hygienic, so that an argument may have the same one.
fn helpers(job: &Job) -> TokenStream {
    let (name, value) = (&job.name, job.value());
    let (to, client, id) = (local("to"), local("client"), local("id"));
    let (kind, title) = (job.kind(), name.unraw().to_string());
    let names: Vec<_> = job.stored().map(|argument| &argument.name).collect();
    let parameters = job.stored().map(|Argument { name, ty, .. }| quote!(#name: #ty));
    let parameters = quote!(#(#parameters),*);
    let types = job.stored().map(|argument| &argument.ty);
    // At the user's place to the letter, for only then the compiler sees that its objections to the value are one.
    let called = quote_spanned!(value.span()=> __call::<#value>(Self::job(#(#names),*), #client).await);
    let docs = Docs::of(&title);
    let Docs { kind: kind_doc, job: job_doc, enqueue: enqueue_doc, call: call_doc, handle: handle_doc } =
        docs;
    quote_spanned! {at(name.span())=>
        impl #name {
            #[doc = #kind_doc]
            pub const KIND: &'static str = #kind;

            #[doc = #job_doc]
            pub fn job(#parameters) -> __pgjobq::NewJob<#value> {
                __new_job::<#value, #(#types),*>(&__Args { #(#names),* })
            }

            #[doc = #enqueue_doc]
            ///
            /// # Errors
            ///
            /// What is wrong with the job, with its queue, or with the connection.
            pub async fn enqueue<'t>(
                #to: impl __pgjobq::Target<'t>,
                #parameters
            ) -> ::core::result::Result<__pgjobq::JobHandle<#value>, __pgjobq::EnqueueError> {
                Self::job(#(#names),*).enqueue(#to).await
            }

            #[doc = #call_doc]
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

            #[doc = #handle_doc]
            #[must_use]
            pub fn handle(#id: impl ::core::convert::Into<__pgjobq::JobId>) -> __pgjobq::JobHandle<#value> {
                __pgjobq::JobHandle::from_id(::core::convert::Into::into(#id))
            }
        }
    }
}

/// The documentation of the helpers.
struct Docs {
    kind: String,
    job: String,
    enqueue: String,
    call: String,
    handle: String,
}

impl Docs {
    fn of(name: &str) -> Self {
        Self {
            kind: "The name under which the database stores jobs of this kind.".to_owned(),
            job: format!("A `{name}` job that has not been enqueued: a value, whose options one can set."),
            enqueue: format!(
                "Enqueues a `{name}` job: to `&client`, `&pool`, `&mut *connection` or `&mut *transaction`."
            ),
            call: format!("Enqueues a `{name}` job, waits until it ends, and gives what it returned."),
            handle: format!("The handle of the `{name}` job that has this id."),
        }
    }
}

/// A name that no name of the user's can meet.
pub(crate) fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// The macro's own code, shown at a place in the user's: errors point there, and lints leave it alone.
pub(crate) fn at(place: Span) -> Span {
    Span::call_site().located_at(place)
}

/// The same name, shown at another place.
pub(crate) fn moved(name: &Ident, place: Span) -> Ident {
    let mut moved = name.clone();
    moved.set_span(name.span().located_at(place));
    moved
}
