//! The return type of a job function.

use syn::{GenericArgument, PathArguments, ReturnType, Signature, Type, TypeParamBound};

use crate::diagnostics::Diagnostics;
use crate::types::{is_named, last_segment, shown, type_arguments};
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
                let message = format!("a job function is async: write `{}`", usage::line(signature));
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
}

/// The output of `impl Future<Output = …>`, or of the same boxed.
pub(crate) fn future_output(ty: &Type) -> Option<&Type> {
    let bounds = match ty {
        Type::ImplTrait(unnamed) => &unnamed.bounds,
        Type::TraitObject(object) => &object.bounds,
        _ if is_named(ty, &["Pin", "Box"]) => {
            return type_arguments(last_segment(ty)?).find_map(future_output);
        }
        _ => return None,
    };
    bounds.iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else { return None };
        let segment = bound.path.segments.last().filter(|segment| segment.ident == "Future")?;
        let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
        arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(output) => Some(&output.ty),
            _ => None,
        })
    })
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

/// Returns whether a type is certainly no `Result`. The compiler judges the others, at more length.
pub(crate) fn surely_no_result(ty: &Type) -> bool {
    const NO_RESULTS: [&str; 20] = [
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64",
        "u128", "usize", "String", "Option", "Vec", "Box",
    ];
    match ty {
        Type::Tuple(tuple) => !tuple.elems.is_empty(),
        Type::Array(_) => true,
        _ => is_named(ty, &NO_RESULTS),
    }
}
