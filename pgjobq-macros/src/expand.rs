//! What `#[job]` puts beside the function.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;

use crate::diagnostics::Diagnostics;
use crate::hygiene::at;
use crate::keys::Keys;
use crate::model::Job;
use crate::parse::Item;
use crate::{handler, ways_in};

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
/// crate depends on `pgjobq` alone and may shadow any other name. It names the struct once, so that a conflict about it is
/// reported once.
fn beside(job: &Job) -> TokenStream {
    let Job { visibility, name, .. } = job;
    let cfgs: Vec<_> = job.attributes_named("cfg").collect();
    let docs: Vec<_> = job.attributes_named("doc").collect();
    let gap = docs.first().map(|_| quote!(#[doc = ""]));
    let summary = format!("The ways to enqueue the job `{}` and to await it.", name.unraw());
    let lints = lints();
    let facade = job.facade();
    let (ways_in, handler) = (ways_in::ways_in(job), handler::handler(job));
    // At the name, which is what another item of that name conflicts with.
    let declared = quote_spanned!(at(name.span())=> #visibility struct #name {});
    let named = quote_spanned!(at(name.span())=> type __Job = #name;);
    quote! {
        #(#cfgs)*
        #[doc = #summary]
        #gap
        #(#docs)*
        #lints
        #declared

        #(#cfgs)*
        #lints
        const _: () = {
            use #facade::__private as __pgjobq;
            #named
            #ways_in
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
