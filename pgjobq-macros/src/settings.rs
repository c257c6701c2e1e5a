//! The settings that the attribute of one job makes.

use proc_macro2::{Ident, TokenStream};
use syn::{LitInt, LitStr, Path};

use crate::computed::Computed;
use crate::rate::Rate;
use crate::schedule::Schedule;

/// The settings that an attribute makes. A key with a mistake is treated as absent.
#[derive(Default)]
pub(crate) struct Settings {
    /// Calls that change `Policy::DEFAULT`, such as `.retries(5)`.
    pub(crate) policy: Vec<TokenStream>,
    pub(crate) kind: Option<LitStr>,
    pub(crate) aliases: Vec<LitStr>,
    /// The version of the arguments, and where it stands.
    pub(crate) version: Option<(u16, LitInt)>,
    /// The structs of older versions, oldest first.
    pub(crate) upcast_from: Vec<Path>,
    /// The value of `retain`, if completed jobs are not kept at all.
    pub(crate) keeps_nothing: Option<LitStr>,
    /// The value of `max_crashes`, if the job must not run twice.
    pub(crate) never_twice: Option<TokenStream>,
    /// The arguments that lists, views and errors hide.
    pub(crate) redact: Vec<Ident>,
    /// The values that each job computes from its arguments.
    pub(crate) computed: Vec<Computed>,
    /// The word `args`, if it makes the job unique.
    pub(crate) unique_by_all: Option<TokenStream>,
    /// The constant of `UniqueWhile`, if it is given.
    pub(crate) unique_while: Option<TokenStream>,
    pub(crate) rates: Vec<Rate>,
    /// The burst, and its number.
    pub(crate) burst: Option<(TokenStream, u32)>,
    pub(crate) schedules: Vec<Schedule>,
    /// The time zone of the patterns among them.
    pub(crate) timezone: Option<LitStr>,
    /// The constant of `Overlap`, if it is given.
    pub(crate) overlap: Option<Ident>,
    /// Calls that change each of the schedules, such as `.missed(Missed::RunOnce)`.
    pub(crate) schedule_options: Vec<TokenStream>,
    /// The path of pgjobq.
    pub(crate) facade: Option<Path>,
    /// Every key of the attribute, also with a mistake in its value.
    pub(crate) given: Vec<Ident>,
}

impl Settings {
    /// Returns the key of this name, if it is given.
    pub(crate) fn given(&self, key: &str) -> Option<&Ident> {
        self.given.iter().find(|given| *given == key)
    }
}
