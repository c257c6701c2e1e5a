//! The code with which a worker runs the job: the stored arguments, the policy, the handler, and the registration.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::batch;
use crate::computed::Computed;
use crate::hygiene::{at, local, moved};
use crate::model::Job;
use crate::role::{Argument, Role};
use crate::types::shown;
use crate::versions;

/// Returns that code, to stand inside the unnamed constant.
pub(crate) fn handler(job: &Job) -> TokenStream {
    let (arguments, decode) = (arguments(job), versions::decode(job));
    let parts = [arguments, decode, policy(job), implementation(job), registration(job), checks(job)];
    quote!(#(#parts)*)
}

/// The stored arguments: a JSON object with the arguments' names as keys, so that SQL can read and write it, and so that the order of
/// the arguments may change.
///
/// It is public for the assertions of the test kit, which look at its fields. Nothing can name it.
///
/// The struct is generic, and so is the one function that needs the types to be storable. Therefore the compiler reports a type that is
/// not storable once, where the user wrote it, and not all over the derived code.
fn arguments(job: &Job) -> TokenStream {
    let names = job.stored().map(|argument| &argument.name);
    let types: Vec<_> = (0..job.stored().count()).map(|index| format_ident!("__{index}")).collect();
    let shapes = job.stored().zip(&types).map(|(Argument { name, ty, .. }, generic)| {
        let (name, ty) = (name.unraw().to_string(), shown(ty));
        quote!(__pgjobq::ArgumentShape { name: #name, ty: #ty, inside: __pgjobq::shape_of!(#generic) })
    });
    quote! {
        #[derive(__pgjobq::serde::Serialize, __pgjobq::serde::Deserialize)]
        #[serde(crate = "__pgjobq::serde")]
        #[doc(hidden)]
        pub struct __Args<#(#types),*> {
            #(pub #names: #types),*
        }

        type __NewJob<__T, __A> = fn(&__A) -> __pgjobq::NewJob<__T>;
        type __Decode<__A> =
            fn(&__pgjobq::StoredArgs<'_>) -> ::core::result::Result<__A, __pgjobq::JobError>;
        type __Shape = fn() -> ::std::vec::Vec<__pgjobq::ArgumentShape>;

        fn __stored<__T, #(#types: __pgjobq::Argument),*>()
        -> (__NewJob<__T, __Args<#(#types),*>>, __Decode<__Args<#(#types),*>>, __Shape) {
            (
                |args| __pgjobq::NewJob::new(__Job::KIND, &__POLICY, args),
                |args| args.decode(),
                || ::std::vec![#(#shapes),*],
            )
        }
    }
}

fn policy(job: &Job) -> TokenStream {
    let calls = &job.keys.policy;
    let transactional = job.is_transactional().then(|| quote!(.transactional()));
    let computed = job.keys.computed.iter().filter_map(Computed::of_policy);
    let version = versions::of_policy(job);
    quote! {
        const __POLICY: __pgjobq::Policy =
            __pgjobq::Policy::DEFAULT #(#calls)* #(#computed)* #version #transactional;
    }
}

/// The handler. It has no variable with the name of a user's argument, because that could hide the function.
fn implementation(job: &Job) -> TokenStream {
    let name = &job.name;
    let (context, args) = (local("context"), local("args"));
    let tx = local("tx");
    let passed = |argument: &Argument| passed(argument, &context, &args, &tx);
    if let Some(batch) = job.batch() {
        return batch::handlers(job, batch, passed);
    }
    let passed = job.arguments.iter().map(passed);
    let implementing = implementing(job);
    let returned = &job.returned.ty;
    let function = moved(name, returned.span());
    let called = quote_spanned!(at(returned.span())=> #function(#(#passed),*).await);
    let output = quote_spanned!(returned.span()=> <#returned as __pgjobq::JobReturn>::encode(#called));
    let (begun, encoded) = if job.is_transactional() {
        let begun = quote!(let mut #tx = #context.begin().await?;);
        let encoded = quote!({
            let output = #output;
            __pgjobq::finish_transactional(&#context, #tx, output).await
        });
        (Some(begun), encoded)
    } else {
        (None, output)
    };
    let confirmed = job.returned.confirmed();
    quote_spanned! {at(name.span())=>
        async fn __run(
            #context: __pgjobq::JobContext,
            #args: &__pgjobq::serde_json::value::RawValue,
        ) -> ::core::result::Result<::std::boxed::Box<__pgjobq::serde_json::value::RawValue>, __pgjobq::JobError> {
            let #args = __decode(&#context.stored(#args))?;
            #confirmed
            #begun
            #encoded
        }

        #implementing
    }
}

/// The implementation of the trait, which calls the function `__run`.
fn implementing(job: &Job) -> TokenStream {
    let reading = versions::reading(job);
    quote_spanned! {at(job.name.span())=>
        const _: () = {
            use ::std::boxed::Box; // async_trait writes `Box`, which may be another one where the job stands.

            #[doc(hidden)]
            #[__pgjobq::async_trait]
            impl __pgjobq::Handler for __Job {
                async fn run(
                    &self,
                    context: __pgjobq::JobContext,
                    args: &__pgjobq::serde_json::value::RawValue,
                ) -> ::core::result::Result<Box<__pgjobq::serde_json::value::RawValue>, __pgjobq::JobError> {
                    __run(context, args).await
                }

                #reading
            }
        };
    }
}

/// The expression that is passed to the function for an argument.
fn passed(argument: &Argument, context: &Ident, args: &Ident, tx: &Ident) -> TokenStream {
    let Argument { name, ty, role } = argument;
    let context = moved(context, ty.span());
    match role {
        Role::Stored => quote!(#args.#name),
        Role::Batch(_) => local("batch").into_token_stream(),
        Role::Transaction => quote_spanned!(at(ty.span())=> &mut #tx),
        Role::Context | Role::State(_) => {
            quote_spanned!(at(ty.span())=> <#ty as __pgjobq::HandedIn>::of(&#context)?)
        }
    }
}

fn registration(job: &Job) -> TokenStream {
    let aliases = &job.keys.aliases;
    let states = job.arguments.iter().filter_map(|argument| match &argument.role {
        Role::State(state) => Some(quote!(__pgjobq::StateType::of::<#state>())),
        _ => None,
    });
    let none = || quote!(::core::option::Option::None);
    let batch = job.batch().map_or_else(none, |_| quote!(::core::option::Option::Some(&__Job {})));
    let scheduled = match job.is_scheduled() {
        true => quote!(::core::option::Option::Some(|| __Job::job().into_row())),
        false => none(),
    };
    quote! {
        __pgjobq::inventory::submit! {
            __pgjobq::JobDescriptor {
                kind: __Job::KIND,
                aliases: &[#(#aliases),*],
                policy: __POLICY,
                scheduled: #scheduled,
                handler: &__Job {},
                batch: #batch,
                states: &[#(#states),*],
                module: ::core::module_path!(),
                file: ::core::file!(),
                line: ::core::line!(),
            }
        }
    }
}

/// Checks that only the compiler can make: bounds on functions that are called with the user's types.
fn checks(job: &Job) -> TokenStream {
    let returns = job.returned.value.as_ref().map(|value| {
        quote! {
            fn __returns<R: __pgjobq::JobReturn<Value = #value>>() {}
        }
    });
    let unkept = job.keys.keeps_nothing.as_ref().map(|retain| {
        let (value, unkept) = (job.value(), format_ident!("__Value", span = at(retain.span())));
        quote_spanned! {at(retain.span())=>
            type #unkept = #value;
            const fn __unkept<T: __pgjobq::Unkept>() {}
            const _: () = __unkept::<#unkept>();
        }
    });
    quote! {
        #returns

        async fn __call<T: __pgjobq::StoredResult>(
            job: __pgjobq::NewJob<T>,
            client: &__pgjobq::Client,
        ) -> ::core::result::Result<T, __pgjobq::CallError> {
            job.call(client).await
        }

        #unkept
    }
}
