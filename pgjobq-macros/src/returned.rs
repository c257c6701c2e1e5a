//! The return type of a job function.

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::spanned::Spanned;
use syn::{ReturnType, Signature, Type, TypeParamBound};

use crate::diagnostics::Diagnostics;
use crate::hygiene::at;
use crate::types::{future_output, last_segment, shown, surely_no_result, type_arguments};
use crate::{owned, usage};

/// The return type of a job function.
pub(crate) struct Returned {
    /// The type behind the arrow; `()` if there is none.
    pub(crate) ty: Type,
    /// `T`, if that type is written as `Result<T, …>`.
    pub(crate) value: Option<Type>,
}

impl Returned {
    /// Reads a return type and notes its mistakes.
    pub(crate) fn of(signature: &Signature, diagnostics: &mut Diagnostics) -> Self {
        let ReturnType::Type(_, ty) = &signature.output else {
            let unit: Type = syn::parse_quote!(());
            return Self { ty: unit.clone(), value: Some(unit) };
        };
        let result = last_segment(ty).filter(|segment| segment.ident == "Result");
        let mut arguments = result.into_iter().flat_map(type_arguments);
        let (value, error) = (arguments.next(), arguments.next());
        match &**ty {
            Type::Never(never) => diagnostics.error(never, "a job ends: return `Result<()>`, or nothing"),
            ty if future_output(ty).is_some() => {
                let message = format!("a job function is async: write `{}`", usage::suggestion(signature));
                diagnostics.error(ty, message);
            }
            ty if surely_no_result(ty) => {
                let shown = shown(ty);
                let message = format!("a job function can fail: return `Result<{shown}>`, not `{shown}`");
                diagnostics.error(ty, message);
            }
            ty => owned::check(value.unwrap_or(ty), diagnostics),
        }
        if let (Some(value), Some(error)) = (value, error)
            && stays_on_its_thread(error)
        {
            let message = format!(
                "a job's error crosses threads: write `Result<{}>`, into which any error turns, or add `+ Send + Sync`",
                shown(value)
            );
            diagnostics.error(error, message);
        }
        Self { ty: (**ty).clone(), value: value.cloned() }
    }

    /// Confirms that a type that is written as `Result<T, …>` has the value `T`. Of any other type the compiler reports elsewhere that
    /// it is no result, and once is enough.
    pub(crate) fn confirmed(&self) -> Option<TokenStream> {
        let ty = &self.ty;
        self.value.is_some().then(|| quote_spanned!(at(ty.span())=> __returns::<#ty>();))
    }
}

/// Returns whether an error is a `Box<dyn Error>` that lacks `Send` or `Sync`.
fn stays_on_its_thread(error: &Type) -> bool {
    let boxed = last_segment(error).filter(|segment| segment.ident == "Box");
    let Some(Type::TraitObject(object)) = boxed.and_then(|segment| type_arguments(segment).next()) else {
        return false;
    };
    let has = |name: &str| {
        object.bounds.iter().any(|bound| match bound {
            TypeParamBound::Trait(bound) => bound.path.segments.last().is_some_and(|last| last.ident == name),
            _ => false,
        })
    };
    has("Error") && !(has("Send") && has("Sync"))
}
