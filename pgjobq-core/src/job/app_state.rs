//! The application's state, which a worker passes to job functions by type.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// An argument of a job function that the worker passes in: an HTTP client, a pool, a configuration.
///
/// Give the worker one value of each type with its builder's `state`. `build()` fails if a job function of this
/// program takes a type that the worker lacks. In a unit test, `State::new(value)` makes one.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use pgjobq::State;
///
/// struct Settings {
///     sender: String,
/// }
///
/// fn greeting(user: &str, settings: State<Settings>) -> String {
///     format!("From: {}\nHello, {user}.", settings.sender)
/// }
///
/// let settings = State::new(Settings { sender: "post@example.org".to_owned() });
/// assert_eq!(greeting("Ada", settings), "From: post@example.org\nHello, Ada.");
/// ```
pub struct State<T: ?Sized>(Arc<T>);

impl<T> State<T> {
    /// Makes a state for a test that calls a job function.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T: ?Sized> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: ?Sized> Clone for State<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for State<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// One state of each type.
#[derive(Clone, Debug, Default)]
#[doc(hidden)]
pub struct States(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl States {
    /// Adds a state, in place of an earlier one of its type.
    pub fn insert<T: Send + Sync + 'static>(&mut self, state: T) {
        self.0.insert(TypeId::of::<T>(), Arc::new(state));
    }

    /// Returns whether there is a state of this type.
    #[must_use]
    pub fn has(&self, wanted: StateType) -> bool {
        self.0.contains_key(&(wanted.id)())
    }

    /// Returns the state of this type.
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<State<T>> {
        let state = Arc::clone(self.0.get(&TypeId::of::<T>())?);
        state.downcast().ok().map(State)
    }
}

/// A type that a job function takes as `State<T>`.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct StateType {
    id: fn() -> TypeId,
    name: fn() -> &'static str,
}

impl StateType {
    /// The type `T`.
    #[must_use]
    pub const fn of<T: Send + Sync + 'static>() -> Self {
        Self { id: TypeId::of::<T>, name: type_name::<T> }
    }

    /// The name of the type.
    #[must_use]
    pub fn name(self) -> &'static str {
        (self.name)()
    }
}
