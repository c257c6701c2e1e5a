//! The output of `#[job]`: the function, and the code beside it.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;

use crate::diagnostics::Diagnostics;
use crate::hygiene::at;
use crate::model::Job;
use crate::parse::Item;
use crate::settings::Settings;
use crate::{handler, ways_in};

/// Returns the function exactly as it was written, also if it is wrong; then the generated code; then every mistake.
pub(crate) fn job(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    let keys = Settings::read(attribute, &mut diagnostics);
    let parsed = diagnostics.ok(syn::parse2::<Item>(item.clone()));
    let job = parsed.and_then(|item| Job::new(keys, item, &mut diagnostics));
    let generated = job.as_ref().map(beside);
    // The macro demands `async` also of a job that awaits nothing.
    let allowed = job.as_ref().map(|_| quote!(#[allow(clippy::unused_async)]));
    let errors = diagnostics.into_tokens();
    quote!(#allowed #item #generated #errors)
}

/// Returns the code beside the function.
///
/// The struct has the function's name: a braced struct is only a type, so the two do not conflict. All other items are inside an
/// unnamed constant, where they conflict with nothing. They refer to the struct once, so that a conflict about its name is reported
/// once, and to everything else through the facade's hidden module. So a user's crate depends on `pgjobq` alone, and may shadow any
/// other name.
fn beside(job: &Job) -> TokenStream {
    let Job { visibility, name, .. } = job;
    let cfgs: Vec<_> = job.attributes_named("cfg").collect();
    let docs: Vec<_> = job.attributes_named("doc").collect();
    let gap = docs.first().map(|_| quote!(#[doc = ""]));
    let summary = format!("The ways to enqueue the job `{}` and to wait for it.", name.unraw());
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

/// Disables the lints that would report the macro's code to the user. The function itself stays linted.
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
            unused_qualifications,
            clippy::all,
            clippy::pedantic
        )]
    }
}
