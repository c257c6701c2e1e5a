//! How a worker runs the job: its stored arguments, its policy, its handler, its registration.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use crate::attribute::Backoff;
use crate::expand::{at, local, moved};
use crate::model::{Argument, Job, Role};

/// All of it, for the inside of a nameless constant.
pub(crate) fn handler(job: &Job) -> TokenStream {
    let parts = [arguments(job), policy(job), implementation(job), registration(job), checks(job)];
    quote!(#(#parts)*)
}

/// The stored arguments: an object with the arguments' names as keys, so that SQL can read and write it, and so that
/// changing their order changes nothing. It is generic over their types, so that one that serde does not know is told
/// once, where the user wrote it, and not wherever the derived code stumbles over it.
fn arguments(job: &Job) -> TokenStream {
    let private = job.private();
    let serde = quote!(#private::serde);
    let serde_path = serde.to_string().replace(' ', "");
    let names = job.stored().map(|argument| &argument.name);
    let types: Vec<_> = (0..job.stored().count()).map(|index| format_ident!("__{index}")).collect();
    quote! {
        #[derive(#serde::Serialize, #serde::Deserialize)]
        #[serde(crate = #serde_path)]
        struct __Args<#(#types),*> {
            #(#names: #types),*
        }
    }
}

fn policy(job: &Job) -> TokenStream {
    let private = job.private();
    let keys = &job.keys;
    let queue = keys.queue.iter().map(|queue| quote!(.queue(#queue)));
    let retries = keys.retries.iter().map(|number| quote!(.retries(#number)));
    let crashes = keys.crashes.iter().map(|number| quote!(.crashes(#number)));
    let priority = keys.priority.iter().map(|level| quote!(.priority(#private::Priority::#level)));
    let timeout = keys.timeout.iter().map(|limit| {
        let limit = duration(*limit);
        quote!(.timeout(#limit))
    });
    let backoff = keys.backoff.iter().map(|Backoff { first, most }| {
        let (first, most) = (duration(*first), duration(*most));
        quote!(.backoff(#private::Backoff::exponential(#first, #most)))
    });
    let retain = keys.retain.iter().map(|retain| {
        let kept = duration(retain.duration);
        quote!(.retain(#kept))
    });
    quote! {
        const __POLICY: #private::Policy = #private::Policy::DEFAULT
            #(#queue)* #(#retries)* #(#crashes)* #(#priority)* #(#timeout)* #(#backoff)* #(#retain)*;
    }
}

fn duration(duration: Duration) -> TokenStream {
    let (seconds, milliseconds) = (duration.as_secs(), duration.subsec_millis());
    if milliseconds == 0 {
        return quote!(::core::time::Duration::from_secs(#seconds));
    }
    let milliseconds = seconds * 1000 + u64::from(milliseconds);
    quote!(::core::time::Duration::from_millis(#milliseconds))
}

/// The handler names no argument of the user's as a variable, so that none can hide the function itself.
fn implementation(job: &Job) -> TokenStream {
    let (private, name) = (job.private(), &job.name);
    let (context, args) = (local("context"), local("args"));
    let values = job.arguments.iter().map(|argument| value(argument, &context, &args));
    let function = moved(name, job.returned.ty.span());
    let called = quote_spanned!(at(job.returned.ty.span())=> #function(#(#values),*).await);
    let types = job.stored().map(|argument| &argument.ty);
    let returns = confirm_returned(job);
    let body = quote_spanned! {at(name.span())=> {
        let #args = #context.decode::<__Args<#(#types),*>>(#args)?;
        #returns
        #private::encode_output(#called)
    }};
    quote! {
        #[doc(hidden)]
        #[#private::async_trait]
        impl #private::Handler for #name {
            async fn run(
                &self,
                #context: #private::JobContext,
                #args: &#private::serde_json::value::RawValue,
            ) -> ::core::result::Result<
                ::std::boxed::Box<#private::serde_json::value::RawValue>,
                #private::JobError,
            > #body
        }
    }
}

fn value(argument: &Argument, context: &Ident, args: &Ident) -> TokenStream {
    let Argument { name, ty, role } = argument;
    match role {
        Role::Stored => quote!(#args.#name),
        Role::Context => quote_spanned!(at(ty.span())=> #context.clone()),
        Role::State(state) => quote_spanned!(at(ty.span())=> #context.state::<#state>()?),
    }
}

fn registration(job: &Job) -> TokenStream {
    let (private, name, aliases) = (job.private(), &job.name, &job.keys.aliases);
    let states = job.arguments.iter().filter_map(|argument| match &argument.role {
        Role::State(state) => Some(quote!(#private::StateType::of::<#state>())),
        _ => None,
    });
    quote! {
        #private::inventory::submit! {
            #private::JobDescriptor {
                kind: #name::KIND,
                aliases: &[#(#aliases),*],
                policy: __POLICY,
                handler: &#name {},
                states: &[#(#states),*],
                file: ::core::file!(),
                line: ::core::line!(),
            }
        }
    }
}

/// The function's result is what the macro took it for: that is for the compiler to confirm, first of all in each body
/// that relies on it, so that an error names the user's type, and once.
pub(crate) fn confirm_returned(job: &Job) -> TokenStream {
    let returned = &job.returned.ty;
    quote_spanned!(at(returned.span())=> __returns::<#returned>();)
}

fn checks(job: &Job) -> TokenStream {
    let private = job.private();
    let written = job.returned.value.as_ref().map(|value| quote!(<Value = #value>));
    let emptied = job.keys.retain.as_ref().filter(|retain| retain.duration.is_zero());
    let unkept = emptied.map(|retain| {
        let (value, unkept) = (job.value(), format_ident!("__Value", span = at(retain.at.span())));
        quote_spanned! {at(retain.at.span())=>
            type #unkept = #value;
            const fn __unkept<T: #private::Unkept>() {}
            const _: () = __unkept::<#unkept>();
        }
    });
    quote! {
        fn __returns<R: #private::JobReturn #written>() {}
        #unkept
    }
}
