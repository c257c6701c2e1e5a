//! Several outputs as one argument.

use std::fmt;
use std::marker::PhantomData;

use crate::Failure;
use crate::tuples::for_tuples;
use crate::workflow::reference::Reference;
use crate::workflow::step::{Output, StepResult};

/// Several outputs as one argument of a step: from [`gather`].
pub struct Gathered<V> {
    parts: Vec<Reference>,
    values: PhantomData<fn() -> V>,
}

/// Makes one argument of several outputs. An array, a `Vec` or an iterator of outputs of one type is a `Vec` of the values, in the same
/// order; a tuple of two to eight outputs is a tuple.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # mod fetch { pub fn step(_: &str) -> pgjobq_core::NewStep<String> { unimplemented!() } }
/// # mod count { pub fn step(_: impl pgjobq_core::Input<String>) -> pgjobq_core::NewStep<u64> { unimplemented!() } }
/// # mod sum { pub fn step(_: impl pgjobq_core::Input<Vec<u64>>) -> pgjobq_core::NewStep<u64> { unimplemented!() } }
/// # mod show { pub fn step(_: impl pgjobq_core::Input<(String, u64)>) -> pgjobq_core::NewStep<()> { unimplemented!() } }
/// use pgjobq::{Step, Workflow, gather};
///
/// let mut flow = Workflow::new("word count");
/// let pages: Vec<Step<String>> = ["a", "b", "c"].map(|name| flow.add(fetch::step(name))).into();
/// let counts: Vec<Step<u64>> = pages.iter().map(|page| flow.add(count::step(page.output()))).collect();
/// let total = flow.add(sum::step(gather(counts.iter().map(Step::output))));
/// flow.add(show::step(gather((pages[0].output(), total.output()))));
/// ```
///
/// To gather nothing is an error of the enqueue.
pub fn gather<Shape, G: Gather<Shape>>(outputs: G) -> Gathered<G::Values> {
    Gathered { parts: outputs.parts(), values: PhantomData }
}

/// The types that [`gather`] takes.
#[diagnostic::on_unimplemented(
    message = "`gather` cannot take `{Self}`",
    label = "not outputs of steps",
    note = "write `gather([a.output(), b.output()])` for a `Vec`, or `gather((a.output(), b.output()))` for a tuple of two to eight"
)]
pub trait Gather<Shape> {
    /// The type of the argument.
    type Values;

    #[doc(hidden)]
    fn parts(self) -> Vec<Reference>;
}

/// A part of a [`Gathered`]: an output, a result, or gathered ones.
#[diagnostic::on_unimplemented(
    message = "`gather` cannot take `{Self}`",
    label = "not an output of a step",
    note = "write the `output()` or the `result()` of a step"
)]
pub trait Part {
    /// The type of its value.
    type Value;

    #[doc(hidden)]
    fn part(self) -> Reference;
}

/// The shape of an argument that is gathered from a list.
#[doc(hidden)]
#[derive(Debug)]
pub enum List {}

/// The shape of an argument that is gathered from a tuple.
#[doc(hidden)]
#[derive(Debug)]
pub enum Tuple {}

#[diagnostic::do_not_recommend] // The message above names them.
impl<I: IntoIterator<Item: Part>> Gather<List> for I {
    type Values = Vec<<I::Item as Part>::Value>;

    fn parts(self) -> Vec<Reference> {
        self.into_iter().map(Part::part).collect()
    }
}

macro_rules! tuples {
    ($(($($part:ident $place:tt),*))*) => {$(
        #[diagnostic::do_not_recommend] // The message above names them.
        impl<$($part: Part),*> Gather<Tuple> for ($($part,)*) {
            type Values = ($($part::Value,)*);

            fn parts(self) -> Vec<Reference> {
                vec![$(self.$place.part()),*]
            }
        }
    )*};
}

for_tuples!(tuples);

impl<T> Part for Output<T> {
    type Value = T;

    fn part(self) -> Reference {
        self.reference()
    }
}

impl<T> Part for StepResult<T> {
    type Value = Result<T, Failure>;

    fn part(self) -> Reference {
        self.reference()
    }
}

impl<V> Part for Gathered<V> {
    type Value = V;

    fn part(self) -> Reference {
        self.reference()
    }
}

impl<V> Gathered<V> {
    pub(crate) fn reference(self) -> Reference {
        Reference::List(self.parts)
    }
}

// By hand, because a derive would ask the same of `V`, of which it holds nothing.
impl<V> Clone for Gathered<V> {
    fn clone(&self) -> Self {
        Self { parts: self.parts.clone(), values: PhantomData }
    }
}

impl<V> fmt::Debug for Gathered<V> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Gathered of {:?}", self.parts)
    }
}
