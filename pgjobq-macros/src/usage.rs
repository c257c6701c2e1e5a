//! The suggested signature of a job function: the first line of the errors about a wrong signature.

use syn::{FnArg, Pat, ReturnType, Signature, Type};

use crate::owned::owned;
use crate::role::is_meant_as_transaction;
use crate::types::{future_output, shown, surely_no_result};

/// Returns the signature with every mistake corrected that its tokens show.
pub(crate) fn suggestion(signature: &Signature) -> String {
    let arguments: Vec<String> = signature.inputs.iter().filter_map(argument).collect();
    format!("async fn {}({}){}", signature.ident, arguments.join(", "), arrow(&signature.output))
}

fn argument(input: &FnArg) -> Option<String> {
    let FnArg::Typed(argument) = input else { return None };
    let name = match &*argument.pat {
        Pat::Ident(name) => name.ident.to_string(),
        _ => "value".to_owned(), // A pattern has no name of its own.
    };
    let ty = if is_meant_as_transaction(&argument.ty) { "&mut Tx".to_owned() } else { owned(&argument.ty) };
    Some(format!("{name}: {ty}"))
}

fn arrow(output: &ReturnType) -> String {
    match output {
        ReturnType::Default => String::new(),
        ReturnType::Type(_, ty) => format!(" -> {}", result(ty)),
    }
}

fn result(ty: &Type) -> String {
    match ty {
        Type::Never(_) => "Result<()>".to_owned(),
        Type::Tuple(tuple) if tuple.elems.is_empty() => "Result<()>".to_owned(),
        ty => match future_output(ty) {
            Some(output) => result(output),
            None if surely_no_result(ty) => format!("Result<{}>", owned(ty)),
            None => shown(ty),
        },
    }
}
