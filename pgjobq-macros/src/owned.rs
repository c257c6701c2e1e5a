//! Types of values that wait in a database: they own what they hold, and they have a name.

use syn::{GenericArgument, Lifetime, PathArguments, PathSegment, Type};

use crate::diagnostics::Diagnostics;
use crate::types::{is_named, last_segment, shown, type_arguments};

/// Notes every part of a type that borrows or that has no name.
pub(crate) fn check(ty: &Type, diagnostics: &mut Diagnostics) {
    match ty {
        Type::Reference(reference) => {
            let (borrowed, owned) = (shown(ty), owned(ty));
            let message =
                format!("a job outlives its caller, so it cannot borrow: write `{owned}`, not `{borrowed}`");
            diagnostics.error(reference, message);
        }
        Type::ImplTrait(unnamed) => {
            let message = format!("a stored value has one known type: write it in place of `{}`", shown(ty));
            diagnostics.error(unnamed, message);
        }
        Type::Path(path) => path.path.segments.iter().for_each(|segment| check_segment(segment, diagnostics)),
        Type::Tuple(tuple) => tuple.elems.iter().for_each(|element| check(element, diagnostics)),
        Type::Array(array) => check(&array.elem, diagnostics),
        Type::Slice(slice) => check(&slice.elem, diagnostics),
        Type::Group(group) => check(&group.elem, diagnostics),
        Type::Paren(paren) => check(&paren.elem, diagnostics),
        _ => {}
    }
}

fn check_segment(segment: &PathSegment, diagnostics: &mut Diagnostics) {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return };
    for argument in &arguments.args {
        match argument {
            GenericArgument::Type(ty) => check(ty, diagnostics),
            GenericArgument::Lifetime(lifetime) => check_lifetime(segment, lifetime, diagnostics),
            _ => {}
        }
    }
}

/// A `Cow<'static, str>` owns its text once it has been read; any other type with a lifetime borrows.
fn check_lifetime(segment: &PathSegment, lifetime: &Lifetime, diagnostics: &mut Diagnostics) {
    let name = &segment.ident;
    if name != "Cow" {
        let message = format!(
            "a job outlives its caller, so it cannot borrow: give `{name}` fields that own (`String`, not `&str`), and no lifetime"
        );
        diagnostics.error(lifetime, message);
    } else if lifetime.ident != "static" {
        diagnostics.error(lifetime, "a job outlives its caller, so it cannot borrow: write `'static`");
    }
}

/// The text of a type with an owned one in place of each reference.
pub(crate) fn owned(ty: &Type) -> String {
    let as_it_is = shown(ty);
    match ty {
        _ if !as_it_is.contains('&') => as_it_is,
        Type::Reference(reference) => owned_of(&reference.elem),
        Type::Tuple(tuple) => {
            format!("({})", tuple.elems.iter().map(owned).collect::<Vec<_>>().join(", "))
        }
        Type::Group(group) => owned(&group.elem),
        _ => match last_segment(ty) {
            Some(segment) if type_arguments(segment).next().is_some() => {
                let arguments: Vec<_> = type_arguments(segment).map(owned).collect();
                format!("{}<{}>", segment.ident, arguments.join(", "))
            }
            _ => as_it_is,
        },
    }
}

/// The owned type to write in place of a reference to this one.
fn owned_of(borrowed: &Type) -> String {
    if let Type::Slice(slice) = borrowed {
        return format!("Vec<{}>", owned(&slice.elem));
    }
    if is_named(borrowed, &["PgPool", "Pool", "Client"]) {
        return format!("State<{}>", owned(borrowed));
    }
    match shown(borrowed).as_str() {
        "str" => "String".to_owned(),
        "Path" => "PathBuf".to_owned(),
        _ => owned(borrowed),
    }
}
