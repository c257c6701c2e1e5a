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
        let why = match number.base10_parse::<u32>() {
            Ok(0) => "would not count",
            Ok(weight) if weight <= allowance => return,
            _ => "would never start",
        };
        let message = format!(
            "a job of weight {number} {why}: the rate and its burst allow weights from 1 to {allowance}"
        );
        diagnostics.error(number, message);
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
    let constant = |what: &str, or: &str| {
        (!arguments.iter().any(|argument| computed.uses(argument)))
            .then(|| (computed.to_token_stream(), same_for_all(what, or, computed, arguments)))
    };
    match (&computed.of, unknown) {
        (Of::Attribute(name), Some(unknown)) if unknown == name.value() => {
            let or = format!("`{unknown} = …` with the value");
            Some((name.to_token_stream(), no_argument(&unknown, arguments, &or)))
        }
        (Of::Attribute(_), _) | (Of::Weight, None) => None,
        (Of::Key | Of::Weight | Of::Unique, Some(unknown)) => {
            let message = no_argument(&unknown, arguments, "an expression");
            Some((unknown.to_token_stream(), message))
        }
        (Of::Key, None) => constant("key", "leave the key out"),
        (Of::Unique, None) => constant("unique key", "write `unique = args`"),
    }
}

/// The message for a value that is the same for all jobs.
fn same_for_all(what: &str, or: &str, computed: &Computed, arguments: &[Ident]) -> String {
    let text = computed.text().unwrap_or_default();
    let quoted = arguments.iter().map(|name| name.unraw().to_string());
    let quoted = quoted.into_iter().find(|name| text == *name || text.contains(&format!("{{{name}}}")));
    match quoted {
        Some(name) if text == name => {
            format!("the {what} is the text `{text}`, the same for all jobs: write `{name}`, without quotes")
        }
        Some(_) => format!("the {what} is this text, the same for all jobs: write `format!({text:?})`"),
        None => format!(
            "the {what} uses {}, so it is the same for all jobs: write one, or an expression with one; or {or}",
            match list(arguments) {
                Some(list) => format!("none of the stored arguments ({list})"),
                None => "no argument of the job".to_owned(),
            }
        ),
    }
}

/// The message for a name that is no argument.
fn no_argument(unknown: &Ident, arguments: &[Ident], or: &str) -> String {
    match list(arguments) {
        Some(list) => format!("the job has no stored argument `{unknown}`: write one of {list}, or {or}"),
        None => format!("the job has no stored argument `{unknown}`, and no other: write {or}"),
    }
}

fn list(arguments: &[Ident]) -> Option<String> {
    let names: Vec<_> = arguments.iter().map(|name| format!("`{}`", name.unraw())).collect();
    (!names.is_empty()).then(|| names.join(", "))
}
