//! Types as a macro sees them: tokens.

use quote::ToTokens;
use syn::{GenericArgument, PathArguments, PathSegment, Type, TypeParamBound};

/// The last segment of a type that is a path, seen through the brackets that a declarative macro leaves around it.
pub(crate) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        _ => None,
    }
}

/// Returns whether a type's last segment is one of these names.
pub(crate) fn is_named(ty: &Type, names: &[&str]) -> bool {
    last_segment(ty).is_some_and(|segment| names.iter().any(|name| segment.ident == name))
}

/// The types in the angle brackets of a segment.
pub(crate) fn type_arguments(segment: &PathSegment) -> impl Iterator<Item = &Type> {
    let arguments = match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => Some(&arguments.args),
        _ => None,
    };
    arguments.into_iter().flatten().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// The type behind a reference; any other type as it is.
pub(crate) fn behind(ty: &Type) -> &Type {
    if let Type::Reference(reference) = ty { &reference.elem } else { ty }
}

/// The text of a type as a person would write it: rustc puts a space between any two tokens.
pub(crate) fn shown(ty: &impl ToTokens) -> String {
    let tokens = ty.to_token_stream().to_string();
    let mut shown = String::new();
    let mut characters = tokens.chars().peekable();
    while let Some(character) = characters.next() {
        let before = shown.chars().last();
        let separates = before.is_some_and(in_word) && characters.peek().copied().is_some_and(in_word);
        if character != ' ' || separates || before == Some(',') {
            shown.push(character);
        }
    }
    shown
}

fn in_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
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
