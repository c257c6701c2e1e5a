//! The settings that the attribute of one job makes.

use proc_macro2::{Ident, TokenStream};
use syn::{LitStr, Path};

use crate::computed::Computed;

/// The settings that an attribute makes. A key with a mistake is treated as absent.
#[derive(Default)]
pub(crate) struct Settings {
    /// Calls that change `Policy::DEFAULT`, such as `.retries(5)`.
    pub(crate) policy: Vec<TokenStream>,
    pub(crate) kind: Option<LitStr>,
    pub(crate) aliases: Vec<LitStr>,
    /// The value of `retain`, if completed jobs are not kept at all.
    pub(crate) keeps_nothing: Option<LitStr>,
    /// The arguments that lists, views and errors hide.
    pub(crate) redact: Vec<Ident>,
    /// The attributes of each job, which it computes from its arguments.
    pub(crate) attributes: Vec<Computed>,
    /// The path of pgjobq.
    pub(crate) facade: Option<Path>,
}
