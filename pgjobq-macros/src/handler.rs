//! How a worker runs the job: its stored arguments, its policy, its handler, its registration.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::attribute::Backoff;
use crate::hygiene::{at, local, moved};
use crate::model::{Argument, Job, Role};

/// All of it, for the inside of a nameless constant.
pub(crate) fn handler(job: &Job) -> TokenStream {
    let parts = [arguments(job), policy(job), implementation(job), registration(job), checks(job)];
    quote!(#(#parts)*)
}

/// The stored arguments: an object with the arguments' names as keys, so that SQL can read and write it, and so that
/// changing their order changes nothing. It is generic over their types, as are the functions that need to know them,
/// so that a type that serde does not know is told where the user wrote it, and not all over the derived code.
fn arguments(job: &Job) -> TokenStream {
    let name = &job.name;
    let names = job.stored().map(|argument| &argument.name);
    let types: Vec<_> = (0..job.stored().count()).map(|index| format_ident!("__{index}")).collect();
    quote! {
        #[derive(__pgjobq::serde::Serialize, __pgjobq::serde::Deserialize)]
        #[serde(crate = "__pgjobq::serde")]
        struct __Args<#(#types),*> {
            #(#names: #types),*
        }

        fn __new_job<__T, #(#types: __pgjobq::serde::Serialize),*>(args: &__Args<#(#types),*>) -> __pgjobq::NewJob<__T> {
            __pgjobq::NewJob::new(#name::KIND, &__POLICY, args)
        }

        fn __decode<#(#types: for<'de> __pgjobq::serde::Deserialize<'de>),*>(
            context: &__pgjobq::JobContext,
            args: &__pgjobq::serde_json::value::RawValue,
        ) -> ::core::result::Result<__Args<#(#types),*>, __pgjobq::JobError> {
            context.decode(args)
        }
    }
}

fn policy(job: &Job) -> TokenStream {
    let keys = &job.keys;
    let queue = keys.queue.iter().map(|queue| quote!(.queue(#queue)));
    let retries = keys.retries.iter().map(|number| quote!(.retries(#number)));
    let max_crashes = keys.max_crashes.iter().map(|number| quote!(.max_crashes(#number)));
    let priority = keys.priority.iter().map(|level| quote!(.priority(__pgjobq::Priority::#level)));
    let timeout = keys.timeout.iter().map(|limit| {
        let limit = duration(*limit);
        quote!(.timeout(#limit))
    });
    let backoff = keys.backoff.iter().map(|Backoff { first, most }| {
        let (first, most) = (duration(*first), duration(*most));
        quote!(.backoff(__pgjobq::Backoff::exponential(#first, #most)))
    });
    let retain = keys.retain.iter().map(|retain| {
        let kept = duration(retain.duration);
        quote!(.retain(#kept))
    });
    let transactional = keys.transactional.iter().map(|_| quote!(.transactional()));
    quote! {
        const __POLICY: __pgjobq::Policy = __pgjobq::Policy::DEFAULT
            #(#queue)* #(#retries)* #(#max_crashes)* #(#priority)* #(#timeout)* #(#backoff)* #(#retain)* #(#transactional)*;
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
    let name = &job.name;
    let (context, args) = (local("context"), local("args"));
    let tx = local("tx");
    let values = job.arguments.iter().map(|argument| value(argument, &context, &args, &tx));
    let types = job.stored().map(|argument| &argument.ty);
    let returned = &job.returned.ty;
    let function = moved(name, returned.span());
    let called = quote_spanned!(at(returned.span())=> #function(#(#values),*).await);
    let confirmed = quote_spanned!(at(returned.span())=> __returns::<#returned>());
    let (begun, encoded) = match job.keys.transactional {
        Some(_) => (
            Some(quote!(let mut #tx = #context.begin().await?;)),
            quote!({
                let returned = #called;
                __pgjobq::finish_transactional::<#returned>(&#context, #tx, returned).await
            }),
        ),
        None => (None, quote!(__pgjobq::encode_output::<#returned>(#called))),
    };
    quote_spanned! {at(name.span())=>
        async fn __run(
            #context: __pgjobq::JobContext,
            #args: &__pgjobq::serde_json::value::RawValue,
        ) -> ::core::result::Result<::std::boxed::Box<__pgjobq::serde_json::value::RawValue>, __pgjobq::JobError> {
            let #args = __decode::<#(#types),*>(&#context, #args)?;
            #confirmed;
            #begun
            #encoded
        }

        const _: () = {
            use ::std::boxed::Box; // async_trait writes `Box`, which may be another one where the job stands.

            #[doc(hidden)]
            #[__pgjobq::async_trait]
            impl __pgjobq::Handler for #name {
                async fn run(
                    &self,
                    context: __pgjobq::JobContext,
                    args: &__pgjobq::serde_json::value::RawValue,
                ) -> ::core::result::Result<Box<__pgjobq::serde_json::value::RawValue>, __pgjobq::JobError> {
                    __run(context, args).await
                }
            }
        };
    }
}

fn value(argument: &Argument, context: &Ident, args: &Ident, tx: &Ident) -> TokenStream {
    let Argument { name, ty, role } = argument;
    let context = moved(context, ty.span());
    match role {
        Role::Stored => quote!(#args.#name),
        Role::Transaction => quote_spanned!(at(ty.span())=> &mut #tx),
        Role::Context => quote_spanned!(at(ty.span())=> #context.clone()),
        Role::State(state) => quote_spanned!(at(ty.span())=> #context.state::<#state>()?),
    }
}

fn registration(job: &Job) -> TokenStream {
    let (name, aliases) = (&job.name, &job.keys.aliases);
    let redact = job.keys.redact.iter().map(|name| name.unraw().to_string());
    let states = job.arguments.iter().filter_map(|argument| match &argument.role {
        Role::State(state) => Some(quote!(__pgjobq::StateType::of::<#state>())),
        _ => None,
    });
    quote! {
        __pgjobq::inventory::submit! {
            __pgjobq::JobDescriptor {
                kind: #name::KIND,
                aliases: &[#(#aliases),*],
                policy: __POLICY,
                redact: &[#(#redact),*],
                handler: &#name {},
                states: &[#(#states),*],
                file: ::core::file!(),
                line: ::core::line!(),
            }
        }
    }
}

/// What only the compiler can judge, asked by bounds on functions that are called with the user's types.
fn checks(job: &Job) -> TokenStream {
    let written = job.returned.value.as_ref().map(|value| quote!(<Value = #value>));
    let emptied = job.keys.retain.as_ref().filter(|retain| retain.duration.is_zero());
    let unkept = emptied.map(|retain| {
        let (value, unkept) = (job.value(), format_ident!("__Value", span = at(retain.at.span())));
        quote_spanned! {at(retain.at.span())=>
            type #unkept = #value;
            const fn __unkept<T: __pgjobq::Unkept>() {}
            const _: () = __unkept::<#unkept>();
        }
    });
    quote! {
        fn __returns<R: __pgjobq::JobReturn #written>() {}

        async fn __call<T: for<'de> __pgjobq::serde::Deserialize<'de>>(
            job: __pgjobq::NewJob<T>,
            client: &__pgjobq::Client,
        ) -> ::core::result::Result<T, __pgjobq::CallError> {
            job.call(client).await
        }

        #unkept
    }
}
