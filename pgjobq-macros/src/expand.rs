//! The output of `#[job]`: the function, and the code beside it.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;

use crate::diagnostics::Diagnostics;
use crate::hygiene::{at, lints};
use crate::model::Job;
use crate::parse::Item;
use crate::settings::Settings;
use crate::{handler, versions, ways_in};

/// Returns the function exactly as it was written, also if it is wrong, but without the serde attributes of its arguments; then the
/// generated code; then every mistake.
pub(crate) fn job(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    let keys = Settings::read(attribute, &mut diagnostics);
    let parsed = diagnostics.ok(syn::parse2::<Item>(item.clone()));
    let job = parsed.and_then(|item| Job::new(keys, item, &mut diagnostics));
    let generated = job.as_ref().map(beside);
    // The macro demands `async` also of a job that awaits nothing.
    let allowed = job.as_ref().map(|_| quote!(#[allow(clippy::unused_async)]));
    let errors = diagnostics.into_tokens();
    let item = without_serde(item);
    quote!(#allowed #item #generated #errors)
}

/// Removes `#[serde(…)]` inside the parentheses of a signature. They are a mistake, which the compiler would report once more.
fn without_serde(item: TokenStream) -> TokenStream {
    let is_hash = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == '#');
    let is_serde = |token: &TokenTree| {
        let TokenTree::Group(group) = token else { return false };
        let name = group.stream().into_iter().next();
        group.delimiter() == Delimiter::Bracket
            && matches!(name, Some(TokenTree::Ident(name)) if name == "serde")
    };
    let strip = |arguments: &Group| {
        let tokens: Vec<TokenTree> = arguments.stream().into_iter().collect();
        if !tokens.iter().any(is_serde) {
            return arguments.clone();
        }
        let kept = tokens.iter().enumerate().filter(|(at, token)| {
            let begins = is_hash(token) && tokens.get(at + 1).is_some_and(is_serde);
            let ends = is_serde(token) && *at > 0 && is_hash(&tokens[at - 1]);
            !begins && !ends
        });
        let mut kept = Group::new(Delimiter::Parenthesis, kept.map(|(_, token)| token.clone()).collect());
        kept.set_span(arguments.span());
        kept
    };
    let tokens = item.into_iter().map(|token| match &token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => strip(group).into(),
        _ => token,
    });
    tokens.collect()
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
    let current = versions::current(job).map(|current| quote!(#(#cfgs)* #current));
    quote! {
        #(#cfgs)*
        #[doc = #summary]
        #gap
        #(#docs)*
        #lints
        #declared

        #current

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
