//! The shape in which the arguments of a job are stored, as far as its code shows it.

#[cfg(feature = "testing")]
mod seen;
#[cfg(feature = "testing")]
mod tracer;

#[cfg(feature = "testing")]
pub use tracer::trace;

/// An argument: its name, its type as the code writes it, and a function that describes the stored form.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct ArgumentShape {
    pub name: &'static str,
    pub ty: &'static str,
    /// `None` without the feature `testing`, so that nobody else compiles it.
    pub inside: Option<fn() -> String>,
}

/// Returns the function that describes the stored form of a type, in a program with the feature `testing`.
#[cfg(feature = "testing")]
#[doc(hidden)]
#[macro_export]
macro_rules! shape_of {
    ($type:ty) => {
        ::core::option::Option::Some($crate::__private::trace::<$type>)
    };
}

/// Returns the function that describes the stored form of a type, in a program with the feature `testing`.
#[cfg(not(feature = "testing"))]
#[doc(hidden)]
#[macro_export]
macro_rules! shape_of {
    ($type:ty) => {
        ::core::option::Option::None
    };
}
