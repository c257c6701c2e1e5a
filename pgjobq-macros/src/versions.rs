//! The versions of a job's arguments: the struct of the current ones, and how older ones are lifted to it.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Path;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::diagnostics::Diagnostics;
use crate::hygiene::{at, lints, local};
use crate::model::Job;
use crate::role::Argument;

impl Job {
    /// Rejects a version without a way from the one before, and a way from versions that were never there.
    pub(crate) fn check_versions(&self, diagnostics: &mut Diagnostics) {
        let (structs, version) = (&self.keys.upcast_from, self.version());
        let older = usize::from(version) - 1;
        match (&self.keys.version, structs.first()) {
            (Some((2.., number)), None) if self.keys.given("upcast_from").is_none() => {
                let message = format!(
                    "no job of version {older} could run any more: write `upcast_from = {}V{older}`, a struct with the arguments of that version",
                    camel(&self.name)
                );
                diagnostics.error(number, message);
            }
            (None, Some(first)) if self.keys.given("version").is_none() => {
                let version = structs.len() + 1;
                diagnostics.error(
                    first,
                    format!("these arguments are older than which ones? Write `version = {version}`"),
                );
            }
            (Some((_, number)), Some(_)) if structs.len() > older => {
                let message = format!(
                    "`upcast_from` has {}, and version {version} has {older} before it: write `version = {}`",
                    if structs.len() == 1 {
                        "a struct".to_owned()
                    } else {
                        format!("{} structs", structs.len())
                    },
                    structs.len() + 1
                );
                diagnostics.error(number, message);
            }
            _ => {}
        }
    }

    /// The version of the arguments.
    fn version(&self) -> u16 {
        self.keys.version.as_ref().map_or(1, |(version, _)| *version)
    }

    /// The structs of the versions before, without those that are too many.
    fn older(&self) -> &[Path] {
        let structs = &self.keys.upcast_from;
        &structs[structs.len().saturating_sub(usize::from(self.version()) - 1)..]
    }

    /// The oldest version that can be read.
    fn reads_from(&self) -> u16 {
        self.version() - self.older().len() as u16
    }
}

/// The call that gives the policy the versions. The first one needs none.
pub(crate) fn of_policy(job: &Job) -> Option<TokenStream> {
    let (version, reads_from) = (job.version(), job.reads_from());
    (version > 1).then(|| quote!(.version(#version, #reads_from)))
}

/// The struct of the current arguments, to which older ones are lifted: `ThumbnailArgs` of `thumbnail`.
pub(crate) fn current(job: &Job) -> Option<TokenStream> {
    if job.keys.upcast_from.is_empty() {
        return None;
    }
    let (name, visibility, lints) = (name_of_current(job), &job.visibility, lints());
    let about = format!(
        "The arguments of the job `{}` in version {}, to which those of older versions are lifted.",
        job.name.unraw(),
        job.version()
    );
    let fields = job.stored().map(|Argument { name, ty, .. }| {
        let about = format!("The argument `{}`.", name.unraw());
        quote!(#[doc = #about] #visibility #name: #ty)
    });
    Some(quote_spanned! {at(job.name.span())=>
        #[doc = #about]
        #lints
        #visibility struct #name {
            #(#fields),*
        }
    })
}

/// The functions that read stored arguments. Each step between two versions is a function of its own, so that the compiler reports a
/// mistake about it once.
pub(crate) fn decode(job: &Job) -> TokenStream {
    let types: Vec<_> = job.stored().map(|argument| &argument.ty).collect();
    let (stored, args, names) = (local("stored"), local("args"), job.names().collect::<Vec<_>>());
    let current = quote!(__stored::<(), #(#types),*>().1(#stored));
    let older = job.older();
    let (lifts, body) = if older.is_empty() {
        (None, current)
    } else {
        let arms =
            older.iter().zip(job.reads_from()..).map(|(old, version)| lifted(job, old, version, &stored));
        let body = quote! {
            let #args = match #stored.version() {
                #(#arms)*
                _ => return #current,
            };
            ::core::result::Result::Ok(__Args { #(#names: #args.#names),* })
        };
        (Some(lifts(job)), body)
    };
    quote! {
        #lifts

        fn __decode(
            #stored: &__pgjobq::StoredArgs<'_>,
        ) -> ::core::result::Result<__Args<#(#types),*>, __pgjobq::JobError> {
            #body
        }
    }
}

/// The methods of the handler that read arguments and their shape, and run nothing.
pub(crate) fn reading(job: &Job) -> TokenStream {
    let types = job.stored().map(|argument| &argument.ty);
    quote! {
        fn check(&self, args: &__pgjobq::StoredArgs<'_>) -> ::core::result::Result<(), __pgjobq::JobError> {
            __decode(args).map(|_| ())
        }

        fn shape(&self) -> ::std::vec::Vec<__pgjobq::ArgumentShape> {
            __stored::<(), #(#types),*>().2()
        }
    }
}

/// The arm that reads arguments of an older version, and lifts them step by step.
fn lifted(job: &Job, old: &Path, version: u16, stored: &Ident) -> TokenStream {
    let read = quote_spanned!(at(old.span())=> #stored.decode_old::<#old>()?);
    let lifted = (version..job.version()).fold(read, |older, from| {
        let lift = format_ident!("__lift_{from}");
        quote!(#lift(#stored, #older)?)
    });
    quote!(#version => #lifted,)
}

/// The steps: from each older version to the next, and from the last of them to the current one.
fn lifts(job: &Job) -> TokenStream {
    let (older, stored, args) = (job.older(), local("stored"), local("args"));
    let current = name_of_current(job);
    let next = older.iter().skip(1).map(|next| quote!(#next)).chain([quote!(#current)]);
    let lifts = older.iter().zip(next).zip(job.reads_from()..).map(|((old, next), from)| {
        let name = format_ident!("__lift_{from}");
        quote_spanned! {at(old.span())=>
            fn #name(
                #stored: &__pgjobq::StoredArgs<'_>,
                #args: #old,
            ) -> ::core::result::Result<#next, __pgjobq::JobError> {
                #stored.lift::<#old, #next>(#args, #from)
            }
        }
    });
    quote!(#(#lifts)*)
}

fn name_of_current(job: &Job) -> Ident {
    Ident::new(&format!("{}Args", camel(&job.name)), at(job.name.span()))
}

/// The name of a function as that of a type: `send_mail` as `SendMail`.
fn camel(name: &Ident) -> String {
    let name = name.unraw().to_string();
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>())
    };
    name.split('_').filter_map(word).collect()
}
