//! The application's state, which a worker passes to job functions by type.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// An argument of a job function that the worker passes in: an HTTP client, a pool, a configuration.
///
/// Give the worker one value of each type with its builder's `state`: the value itself, and no `Arc` of it. `build()` fails if a
/// job function of a queue that the worker serves takes a type that the worker lacks. In a unit test, `State::new(value)` makes
/// one.
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
pub struct States {
    by_type: HashMap<TypeId, (&'static str, Arc<dyn Any + Send + Sync>)>,
    /// The types of which more than one state was given.
    repeated: Vec<&'static str>,
}

impl States {
    /// Adds a state. A second one of its type is a mistake in the set-up.
    pub fn insert<T: Send + Sync + 'static>(&mut self, state: T) {
        let name = type_name::<T>();
        if self.by_type.insert(TypeId::of::<T>(), (name, Arc::new(state))).is_some() {
            self.repeated.push(name);
        }
    }

    /// Adds a state in place of an earlier one of its type. Returns it as job functions get it.
    #[cfg(feature = "testing")]
    pub fn put<T: Send + Sync + 'static>(&mut self, state: T) -> State<T> {
        let state = State::new(state);
        self.by_type.insert(TypeId::of::<T>(), (type_name::<T>(), Arc::clone(&state.0) as _));
        state
    }

    /// Returns the types of which more than one state was given.
    #[must_use]
    pub fn repeated(&self) -> &[&'static str] {
        &self.repeated
    }

    /// Returns whether there is a state of this type.
    #[must_use]
    pub fn has(&self, wanted: StateType) -> bool {
        self.by_type.contains_key(&(wanted.id)())
    }

    /// Returns the state of this type.
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<State<T>> {
        let (_, state) = self.by_type.get(&TypeId::of::<T>())?;
        Arc::clone(state).downcast().ok().map(State)
    }

    /// Returns the types, in alphabetical order, that contain the wanted one, or that it contains: `Arc<Mailer>` for `Mailer`.
    #[must_use]
    pub fn similar(&self, wanted: StateType) -> Vec<&'static str> {
        let wanted = wanted.name();
        let names = self.by_type.values().map(|(name, _)| *name);
        let mut similar: Vec<_> =
            names.filter(|name| mentions(name, wanted) || mentions(wanted, name)).collect();
        similar.sort_unstable();
        similar
    }
}

/// Returns whether the name of a type contains the whole name of another one.
fn mentions(name: &str, other: &str) -> bool {
    let in_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    name.match_indices(other)
        .any(|(at, _)| !name[..at].ends_with(in_path) && !name[at + other.len()..].starts_with(in_path))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_types_contain_the_whole_name() {
        assert!(mentions("alloc::sync::Arc<app::Mailer>", "app::Mailer"));
        assert!(mentions("&app::Mailer", "app::Mailer"));
        assert!(mentions("(u8, app::Mailer)", "app::Mailer"));
        assert!(!mentions("app::Mailers", "app::Mailer"));
        assert!(!mentions("my_app::Mailer", "app::Mailer"));
        assert!(!mentions("app::Mailer::Inner", "app::Mailer"));
    }
}
