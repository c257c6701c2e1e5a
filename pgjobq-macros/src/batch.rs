//! Checks of jobs whose function takes several of them in one call, and the code that calls it.

use proc_macro2::TokenStream;
use quote::{format_ident, quote_spanned};
use syn::spanned::Spanned;

use crate::diagnostics::Diagnostics;
use crate::hygiene::{at, local, moved};
use crate::model::Job;
use crate::role::{Argument, Role};
use crate::types::shown;
use crate::versions;

/// Keys, and the key without which each of them would do nothing.
const NEEDS: [(&str, &str, &str); 3] = [
    ("within", "batch", "batch = 100"),
    ("batch_by", "batch", "batch = 100"),
    ("batch_by", "key", "key = tenant"),
];

impl Job {
    pub(crate) fn check_batch(&self, diagnostics: &mut Diagnostics) {
        for (key, needed, example) in NEEDS {
            if let Some(key) = self.keys.given(key)
                && self.keys.given(needed).is_none()
            {
                diagnostics.error(key, format!("`{key}` does nothing without `{needed}`: add `{example}`"));
            }
        }
        match (self.keys.given("batch"), self.batch()) {
            (None, None) => {}
            (None, Some(batch)) => {
                let message = "a `Batch<T>` holds the jobs of one call: say how many at most, with `#[job(batch = 100)]`";
                diagnostics.error(&batch.name, message);
            }
            (Some(key), None) => diagnostics.error(key, self.missing_batch()),
            (Some(_), Some(batch)) => self.check_beside(batch, diagnostics),
        }
    }

    /// The message for a job function that takes no batch.
    fn missing_batch(&self) -> String {
        let argument = self.stored().next();
        let argument = argument.map(|Argument { name, ty, .. }| format!("`{name}: Batch<{}>`", shown(ty)));
        let example = argument.unwrap_or_else(|| "`items: Batch<T>`".to_owned());
        format!("the function of a job with `batch` takes several of them: write {example}")
    }

    /// Rejects what belongs to one job and not to a call of several.
    fn check_beside(&self, batch: &Argument, diagnostics: &mut Diagnostics) {
        let (name, item) = (&batch.name, shown(&batch.ty));
        for argument in self.arguments.iter().filter(|argument| argument.name != *name) {
            let other = &argument.name;
            let message = match &argument.role {
                Role::State(_) => continue,
                Role::Context => "each job of the batch has a context of its own: remove this one, and use `item.context()`".to_owned(),
                Role::Transaction => "the jobs of a batch end by themselves, and not in one transaction: remove it, and `batch` or the `Batch`".to_owned(),
                Role::Stored | Role::Batch(_) => format!(
                    "a job with `batch` has one stored argument: put `{other}` into the items, as `{name}: Batch<({item}, {})>` or in a struct",
                    shown(&argument.ty)
                ),
            };
            diagnostics.error(other, message);
        }
        if let Some(value) = self.returned.value.as_ref().filter(|value| shown(value) != "()") {
            let message = format!(
                "each job of a batch ends by itself, so the call has no result: return `BatchResult`, and store `{}` by yourself",
                shown(value)
            );
            diagnostics.error(value, message);
        }
        if let Some(never_twice) = &self.keys.never_twice {
            let message = "a job that must not run twice does not wait for others in a worker, which may die meanwhile: write at least 1, or \
                           remove `batch`";
            diagnostics.error(never_twice, message);
        }
    }
}

/// The handlers of a job with a batch: for one call, and for what is not a run.
pub(crate) fn handlers(
    job: &Job,
    batch: &Argument,
    passed: impl Fn(&Argument) -> TokenStream,
) -> TokenStream {
    let (name, argument, item) = (&job.name, &batch.name, &batch.ty);
    let (context, local) = (local("context"), local("batch"));
    let passed = job.arguments.iter().map(passed);
    let returned = &job.returned.ty;
    let function = moved(name, returned.span());
    let called = quote_spanned!(at(returned.span())=> #function(#(#passed),*).await);
    let confirmed = job.returned.confirmed();
    let result = format_ident!("__Result", span = at(returned.span()));
    let implementations = implementations(job);
    quote_spanned! {at(name.span())=>
        type #result = <#returned as __pgjobq::JobReturn>::Value;
        const fn __no_result<T: __pgjobq::NoResult>() {}
        const _: () = __no_result::<#result>();

        fn __item(
            context: &__pgjobq::JobContext,
            args: &__pgjobq::serde_json::value::RawValue,
        ) -> ::core::result::Result<#item, __pgjobq::JobError> {
            ::core::result::Result::Ok(__decode(&context.stored(args))?.#argument)
        }

        async fn __run(
            #context: __pgjobq::JobContext,
            #local: __pgjobq::Batch<#item>,
        ) -> ::core::result::Result<(), __pgjobq::JobError> {
            let _ = &#context;
            #confirmed
            __pgjobq::JobReturn::into_result(#called)
        }

        #implementations
    }
}

fn implementations(job: &Job) -> TokenStream {
    let reading = versions::reading(job);
    quote_spanned! {at(job.name.span())=>
        const _: () = {
            use ::std::boxed::Box; // async_trait writes `Box`, which may be another one where the job stands.

            #[doc(hidden)]
            #[__pgjobq::async_trait]
            impl __pgjobq::Handler for __Job {
                #reading
            }

            #[doc(hidden)]
            #[__pgjobq::async_trait]
            impl __pgjobq::BatchHandler for __Job {
                async fn run(&self, items: ::std::vec::Vec<__pgjobq::RawItem>) {
                    __pgjobq::run_call(items, __item, __run).await
                }
            }
        };
    }
}
