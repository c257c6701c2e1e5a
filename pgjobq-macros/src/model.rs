//! A job whose attribute and signature have been checked.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Path, Visibility};

use crate::computed::Of;
use crate::diagnostics::Diagnostics;
use crate::parse::Item;
use crate::returned::Returned;
use crate::role::{Argument, Role};
use crate::settings::Settings;
use crate::{function, names};

/// A job function and its attribute.
pub(crate) struct Job {
    pub(crate) keys: Settings,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) name: Ident,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) returned: Returned,
}

impl Job {
    /// Returns the job of an item, unless its signature is wrong. With a mistake in the attribute it is still generated, so that
    /// editors complete its functions in the meantime.
    pub(crate) fn new(keys: Settings, item: Item, diagnostics: &mut Diagnostics) -> Option<Self> {
        let (arguments, returned) = diagnostics.unless_wrong(|all| function::check(&item, all))?;
        let Item { attributes, visibility, signature, .. } = item;
        let mut job = Self { keys, attributes, visibility, name: signature.ident, arguments, returned };
        job.check_kind(diagnostics);
        job.check_aliases(diagnostics);
        job.check_redacted(diagnostics);
        job.check_limits(diagnostics);
        job.check_versions(diagnostics);
        job.check_batch(diagnostics);
        job.check_schedules(diagnostics);
        Some(job)
    }

    /// Checks the function's name as a kind. A kind in the attribute has been checked.
    fn check_kind(&self, diagnostics: &mut Diagnostics) {
        if let Some(mistake) = names::mistake(&self.kind()) {
            let message = format!("{mistake}, or give the job another name with `kind = \"…\"`");
            diagnostics.error(&self.name, message);
        }
    }

    /// Rejects a name that the job has twice: a worker would see two jobs of one kind, and not start.
    fn check_aliases(&self, diagnostics: &mut Diagnostics) {
        let mut taken = vec![self.kind()];
        for alias in &self.keys.aliases {
            if taken.contains(&alias.value()) {
                diagnostics.error(alias, "the job has this name already: remove the alias");
            }
            taken.push(alias.value());
        }
    }

    /// Rejects redacted names that are no arguments, and redacted arguments that people would see as another value of the job. (Of a
    /// unique key that is made of them the digest is stored.)
    fn check_redacted(&self, diagnostics: &mut Diagnostics) {
        let redact = &self.keys.redact;
        for name in redact {
            if !self.stored().any(|argument| argument.name == *name) {
                let message = format!("the job has no stored argument `{name}`: write the name of one");
                diagnostics.error(name, message);
            }
        }
        for computed in &self.keys.computed {
            let shown = match computed.of {
                Of::Attribute(_) => "attributes",
                Of::Key => "the key",
                Of::Weight => "the weight",
                Of::Unique => continue,
            };
            if let Some(name) = computed.places().find(|name| redact.contains(name)) {
                let message = format!(
                    "`{name}` is redacted, and {shown} of a job can be seen: write an expression that gives nothing away, or remove \
                     `{name}` from `redact`"
                );
                diagnostics.error(name, message);
            }
        }
    }

    /// The name under which the job is stored.
    pub(crate) fn kind(&self) -> String {
        self.keys.kind.as_ref().map_or_else(|| self.name.unraw().to_string(), syn::LitStr::value)
    }

    /// The path of pgjobq in the output.
    pub(crate) fn facade(&self) -> TokenStream {
        self.keys.facade.as_ref().map_or_else(|| quote!(::pgjobq), |path: &Path| quote!(#path))
    }

    /// Reports whether each attempt runs in a transaction of its own: the function takes one.
    pub(crate) fn is_transactional(&self) -> bool {
        self.arguments.iter().any(|argument| matches!(argument.role, Role::Transaction))
    }

    /// The argument that is a batch: one call takes several jobs.
    pub(crate) fn batch(&self) -> Option<&Argument> {
        self.arguments.iter().find(|argument| matches!(argument.role, Role::Batch(_)))
    }

    /// The arguments that the database holds.
    pub(crate) fn stored(&self) -> impl Iterator<Item = &Argument> {
        self.arguments.iter().filter(|argument| matches!(argument.role, Role::Stored | Role::Batch(_)))
    }

    /// The names of these.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Ident> {
        self.stored().map(|argument| &argument.name)
    }

    /// The same with their types, as the parameters of a function.
    pub(crate) fn parameters(&self) -> TokenStream {
        let parameters = self.stored().map(|Argument { name, ty, .. }| quote!(#name: #ty));
        quote!(#(#parameters),*)
    }

    /// The attributes of the function that have this name.
    pub(crate) fn attributes_named(&self, name: &str) -> impl Iterator<Item = &Attribute> {
        self.attributes.iter().filter(move |attribute| attribute.path().is_ident(name))
    }

    /// The type of the job's result, as the user wrote it if the macro can see it: documentation shows that instead of a
    /// projection. `handler::checks` has the compiler confirm it.
    pub(crate) fn value(&self) -> TokenStream {
        let returned = &self.returned.ty;
        match &self.returned.value {
            _ if self.batch().is_some() => quote_spanned!(returned.span()=> ()),
            Some(value) => quote!(#value),
            None => quote_spanned!(returned.span()=> <#returned as __pgjobq::JobReturn>::Value),
        }
    }
}
