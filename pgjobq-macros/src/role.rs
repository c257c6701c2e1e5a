//! The origin of an argument's value.

use proc_macro2::Ident;
use syn::Type;

use crate::types::{behind, is_named, last_segment, type_arguments};

/// An argument of a job function.
pub(crate) struct Argument {
    pub(crate) name: Ident,
    /// Its type; of a batch, that of an item.
    pub(crate) ty: Type,
    pub(crate) role: Role,
}

/// The origin of an argument's value when the job runs.
pub(crate) enum Role {
    /// The database: the caller of `enqueue` gave it.
    Stored,
    /// The attempt: it is the `JobContext`.
    Context,
    /// The attempt's transaction: `&mut Tx`.
    Transaction,
    /// The worker: it is a `State<T>` with this `T`.
    State(Box<Type>),
    /// The database, for each job of a call: it is a `Batch<T>` with this `T`, which is also the argument's type.
    Batch(Box<Type>),
}

impl Role {
    /// Tells the role by the last segment of the type, because a macro cannot resolve names.
    pub(crate) fn of(ty: &Type) -> Self {
        if matches!(ty, Type::Reference(reference) if reference.mutability.is_some())
            && is_named(behind(ty), &["Tx"])
        {
            return Self::Transaction;
        }
        let Some(segment) = last_segment(ty) else { return Self::Stored };
        match type_arguments(segment).next() {
            _ if segment.ident == "JobContext" => Self::Context,
            Some(state) if segment.ident == "State" => Self::State(Box::new(state.clone())),
            Some(item) if segment.ident == "Batch" => Self::Batch(Box::new(item.clone())),
            _ => Self::Stored,
        }
    }
}

/// Returns whether the user wrote a type for the attempt's transaction that is not `&mut Tx`. A `Transaction` by value and
/// without a lifetime may be any type of the user's, so it is not.
pub(crate) fn is_meant_as_transaction(ty: &Type) -> bool {
    let has_lifetime = |ty: &Type| {
        last_segment(ty).is_some_and(|segment| match &segment.arguments {
            syn::PathArguments::AngleBracketed(arguments) => {
                arguments.args.iter().any(|argument| matches!(argument, syn::GenericArgument::Lifetime(_)))
            }
            _ => false,
        })
    };
    let inner = behind(ty);
    let borrowed = matches!(ty, Type::Reference(_));
    is_named(inner, &["Tx", "PgTransaction", "PgConnection"])
        || (is_named(inner, &["Transaction"]) && (borrowed || has_lifetime(inner)))
}
