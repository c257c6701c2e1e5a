//! The part of a job's public API that needs no database: `KIND`, `job`, `step`, `schedule`, `handle`.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::computed::{Computed, Of};
use crate::hygiene::{at, local};
use crate::model::Job;
use crate::role::Argument;

/// Returns that part. All code that mentions the user's return type has the span of that type, because only then the compiler
/// merges its errors about the type.
pub(crate) fn constructors(job: &Job) -> TokenStream {
    let (kind, value, id, text) = (job.kind(), job.value(), local("id"), local("text"));
    let (parameters, inputs, names) = (job.parameters(), inputs(job), job.names().collect::<Vec<_>>());
    let title = job.name.unraw();
    let about_job = format!("Makes a `{title}` job, which has options and is not enqueued yet.");
    let about_step = format!(
        "Makes a `{title}` step of a workflow. Each argument is a value, or comes from another step: its `output()` or `result()`."
    );
    let about_schedule = format!(
        "Makes a schedule of `{title}` jobs with these arguments: from a cron pattern, such as `0 9 * * MON-FRI`, or an interval, such as `every 10m`."
    );
    let about_handle = format!("Returns the handle of the `{title}` job with this id.");
    let (new_job, new_step) = (new_job(job), new_step(job));
    let new_schedule = quote_spanned! {value.span()=>
        __pgjobq::NewSchedule {
            __pgjobq::NewSchedule::new(#text, Self::job(#(#names),*))
        }
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

        #[doc = #about_schedule]
        pub fn schedule(
            #text: impl ::core::convert::Into<::std::string::String>,
            #parameters
        ) -> #new_schedule

        #[doc = #about_handle]
        #[must_use]
        pub fn handle(#id: impl ::core::convert::Into<__pgjobq::JobId>) -> #handle
    }
}

/// The return type of `job`, and its body. The computed values come first, because the arguments are moved then.
fn new_job(job: &Job) -> TokenStream {
    let (value, names) = (job.value(), job.names());
    let types = job.stored().map(|argument| &argument.ty);
    let computed = &job.keys.computed;
    let (values, locals) = (computed.iter().map(Computed::value), locals(computed.len()));
    let calls = computed.iter().zip(&locals).map(|(computed, local)| computed.of_job(local));
    quote_spanned! {value.span()=>
        __pgjobq::NewJob<#value> {
            #(let #locals = #values;)*
            __stored::<#value, #(#types),*>().0(&__Args { #(#names),* }) #(#calls)*
        }
    }
}

/// The return type of `step`, and its body.
fn new_step(job: &Job) -> TokenStream {
    let value = job.value();
    let computed: Vec<_> =
        job.keys.computed.iter().filter(|computed| !matches!(computed.of, Of::Unique)).collect();
    let is_used = |argument: &&Argument| computed.iter().any(|computed| computed.uses(&argument.name));
    let given = job
        .stored()
        .filter(is_used)
        .map(|Argument { name, ty, .. }| quote!(let #name = __pgjobq::Input::<#ty>::given(#name);));
    let locals = locals(computed.len());
    let values = computed.iter().zip(&locals).map(|(computed, local)| {
        let used = job.names().filter(|name| computed.uses(name)).collect::<Vec<_>>();
        if_known(computed, &used, local)
    });
    let sources = job.stored().map(|argument| {
        let Argument { name, ty, .. } = argument;
        let stored = name.unraw().to_string();
        match is_used(&argument) {
            true => quote!(#name.source(#stored)),
            false => quote!(__pgjobq::Input::<#ty>::source(#name, #stored)),
        }
    });
    let calls = computed.iter().zip(&locals).map(|(computed, local)| computed.of_step(local));
    quote_spanned! {value.span()=>
        __pgjobq::NewStep<#value> {
            #(#given)*
            #(#values)*
            __pgjobq::NewStep::new(Self::KIND, &__POLICY, [#(#sources),*]) #(#calls)*
        }
    }
}

/// Computes a value if each argument that it uses is known, and not the output of another step.
fn if_known(computed: &Computed, used: &[&Ident], local: &Ident) -> TokenStream {
    let value = computed.value();
    if used.is_empty() {
        return quote!(let #local = ::core::option::Option::Some(#value););
    }
    let encode: Vec<_> = (0..used.len()).map(|at| crate::hygiene::local(&format!("encode_{at}"))).collect();
    let known = quote!(#(__pgjobq::Given::Value(#used, #encode),)*);
    quote! {
        let (#(#used,)* #local) = match (#(#used,)*) {
            (#known) => {
                let #local = ::core::option::Option::Some(#value);
                (#known #local)
            }
            (#(#used,)*) => (#(#used,)* ::core::option::Option::None),
        };
    }
}

/// The variables that hold the computed values.
fn locals(count: usize) -> Vec<Ident> {
    (0..count).map(|at| local(&format!("computed_{at}"))).collect()
}

/// The arguments of `step`: values of the arguments' types, or what other steps give.
fn inputs(job: &Job) -> TokenStream {
    let inputs = job.stored().map(|Argument { name, ty, .. }| quote!(#name: impl __pgjobq::Input<#ty>));
    quote!(#(#inputs),*)
}
