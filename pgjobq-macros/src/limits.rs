//! Checks of the keys that limit jobs or make them unique, where several of them, or the arguments, must fit together.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;

use crate::computed::{Computed, Of};
use crate::diagnostics::Diagnostics;
use crate::model::Job;

/// Keys, and the key without which each of them would do nothing.
const NEEDS: [(&str, &str, &str); 3] = [
    ("on_conflict", "concurrency", "concurrency = 1"),
    ("on_retry", "concurrency", "concurrency = 1"),
    ("burst", "rate", "rate = \"100 per minute\""),
];

impl Job {
    pub(crate) fn check_limits(&mut self, diagnostics: &mut Diagnostics) {
        for (key, needed, example) in NEEDS {
            if let Some(key) = self.keys.given(key)
                && self.keys.given(needed).is_none()
            {
                diagnostics.error(key, format!("`{key}` does nothing without `{needed}`: add `{example}`"));
            }
        }
        self.check_burst(diagnostics);
        self.check_weight(diagnostics);
        self.check_computed(diagnostics);
        self.check_args(diagnostics);
    }

    fn check_burst(&self, diagnostics: &mut Diagnostics) {
        let Some((burst, number)) = &self.keys.burst else { return };
        match self.keys.rates.as_slice() {
            [rate] if *number > rate.count => {
                let message = format!(
                    "a burst of {number} is more than the rate allows in a whole window: write at most {}",
                    rate.count
                );
                diagnostics.error(burst, message);
            }
            [_, _, ..] => diagnostics.error(
                burst,
                "a burst belongs to one rate, and there are several: leave it out, or write one rate",
            ),
            _ => {}
        }
    }

    /// Rejects a weight with which no job would ever start.
    fn check_weight(&self, diagnostics: &mut Diagnostics) {
        let burst = self.keys.burst.as_ref().map(|(_, burst)| *burst);
        let Some(allowance) = self.keys.rates.iter().map(|rate| rate.count).chain(burst).min() else {
            return;
        };
        let weight = self.keys.computed.iter().find(|computed| matches!(computed.of, Of::Weight));
        let Some(number) = weight.and_then(Computed::literal) else { return };
        let fits = number.base10_parse().is_ok_and(|weight: u32| (1..=allowance).contains(&weight));
        if !fits {
            let message = format!(
                "a job of weight {number} would never start, or not count: the rate allows weights from 1 to {allowance}"
            );
            diagnostics.error(number, message);
        }
    }

    /// Rejects and removes each value that names what is no argument, or that is the same for all jobs.
    fn check_computed(&mut self, diagnostics: &mut Diagnostics) {
        let arguments: Vec<Ident> = self.names().cloned().collect();
        self.keys.computed.retain(|computed| match mistake(computed, &arguments) {
            None => true,
            Some((place, mistake)) => {
                diagnostics.error(place, mistake);
                false
            }
        });
    }

    /// Rejects the word `args` if it may mean an argument.
    fn check_args(&self, diagnostics: &mut Diagnostics) {
        if let Some(args) = &self.keys.unique_by_all
            && self.names().any(|name| name == "args")
        {
            let message = "`args` means all arguments, and the job has one of that name: write `(args)` for that one, or rename it";
            diagnostics.error(args, message);
        }
    }
}

/// Returns the mistake in a computed value, and its place.
fn mistake(computed: &Computed, arguments: &[Ident]) -> Option<(TokenStream, String)> {
    let unknown = computed.arguments().unwrap_or_default().into_iter();
    let unknown =
        unknown.map(IdentExt::unraw).find(|name| !arguments.iter().any(|other| other.unraw() == *name));
    let same_for_all = |what: &str, or: &str| {
        let message = format!(
            "the {what} is the same for all jobs: write an argument, or an expression with one; or {or}"
        );
        (!arguments.iter().any(|argument| computed.uses(argument)))
            .then(|| (computed.to_token_stream(), message))
    };
    match (&computed.of, unknown) {
        (Of::Attribute(name), Some(unknown)) if unknown == name.value() => {
            let known: Vec<_> = arguments.iter().map(|name| format!("`{}`", name.unraw())).collect();
            let one_of =
                if known.is_empty() { String::new() } else { format!("one of {}, or ", known.join(", ")) };
            let message = format!(
                "the job has no stored argument `{unknown}`: write {one_of}`{unknown} = …` with the value"
            );
            Some((name.to_token_stream(), message))
        }
        (Of::Attribute(_), _) | (Of::Weight, None) => None,
        (Of::Key | Of::Weight | Of::Unique, Some(unknown)) => Some((
            unknown.to_token_stream(),
            format!("the job has no stored argument `{unknown}`: write the name of one, or an expression"),
        )),
        (Of::Key, None) => same_for_all("key", "leave the key out"),
        (Of::Unique, None) => same_for_all("unique key", "write `unique = args`"),
    }
}
