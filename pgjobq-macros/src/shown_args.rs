//! The stored arguments of a job, as the assertions of the test kit see them.

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::ext::IdentExt;

use crate::hygiene::{at, local};
use crate::model::Job;

/// Returns the names of the arguments, and the function that decodes them for a worker. Only the output of `assert_enqueued!` names the
/// two.
pub(crate) fn shown_args(job: &Job) -> TokenStream {
    let args = local("args");
    let names = job.names().map(|name| name.unraw().to_string());
    let types: Vec<_> = job.stored().map(|argument| &argument.ty).collect();
    quote_spanned! {at(job.name.span())=>
        #[doc(hidden)]
        pub const __ARGS: &'static [&'static str] = &[#(#names),*];

        #[doc(hidden)]
        pub fn __args(
            #args: &__pgjobq::StoredArgs<'_>,
        ) -> ::core::result::Result<__Args<#(#types),*>, __pgjobq::JobError> {
            __decode(#args)
        }
    }
}
