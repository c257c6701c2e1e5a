//! The table of all keys.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt;

use crate::computed::Of;
use crate::parse::{Entry, Form, Opening};
use crate::rate::Rate;
use crate::settings::Settings;
use crate::value::{OnDuplicate, UniqueWhile};
use crate::{computed, rate, schedule, value};

/// A key of the attribute.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// The words after "`queue` takes" in an error.
    takes: &'static str,
    /// An example of its value. One in parentheses follows the key without `=`.
    example: &'static str,
    pub(crate) set: fn(&mut Settings, &Entry) -> syn::Result<()>,
}

/// Every key. A key that only changes the policy needs no other line in this crate.
pub(crate) const KEYS: &[Key] = &[
    Key {
        name: "queue",
        takes: "a name in quotes",
        example: "\"mail\"",
        set: |keys, entry| {
            let queue = value::name(entry)?;
            keys.policy(quote!(.queue(#queue)))
        },
    },
    Key {
        name: "retries",
        takes: "a whole number",
        example: "5",
        set: |keys, entry| {
            let retries = value::number(entry)?;
            keys.policy(quote!(.retries(#retries)))
        },
    },
    Key {
        name: "kind",
        takes: "a name in quotes",
        example: "\"send_mail\"",
        set: |keys, entry| {
            keys.kind = Some(value::name(entry)?);
            Ok(())
        },
    },
    Key {
        name: "aliases",
        takes: "names in brackets",
        example: "[\"old_name\"]",
        set: |keys, entry| value::names(entry).map(|names| keys.aliases = names),
    },
    Key {
        name: "version",
        takes: "a whole number",
        example: "2",
        set: |keys, entry| {
            let version = value::whole(entry, 1..=32_767)?;
            keys.version = Some((version.base10_parse()?, version));
            Ok(())
        },
    },
    Key {
        name: "upcast_from",
        takes: "a struct, or several in brackets",
        example: "ThumbnailV1",
        set: |keys, entry| value::structs(entry).map(|structs| keys.upcast_from = structs),
    },
    Key {
        name: "priority",
        takes: "a word in quotes",
        example: "\"high\"",
        set: |keys, entry| {
            let level = value::priority(entry)?;
            keys.policy(quote!(.priority(__pgjobq::Priority::#level)))
        },
    },
    Key {
        name: "timeout",
        takes: "a duration in quotes",
        example: "\"5m\"",
        set: |keys, entry| {
            let timeout = expression(value::duration(entry)?);
            keys.policy(quote!(.timeout(#timeout)))
        },
    },
    Key {
        name: "backoff",
        takes: "one duration or two in quotes",
        example: "\"1s..6h\"",
        set: |keys, entry| {
            let (first, longest) = value::backoff(entry)?;
            let (first, longest) = (expression(first), expression(longest));
            keys.policy(quote!(.backoff(__pgjobq::Backoff::exponential(#first, #longest))))
        },
    },
    Key {
        name: "max_crashes",
        takes: "a whole number",
        example: "3",
        set: |keys, entry| {
            let max_crashes = value::number(entry)?;
            keys.never_twice = (max_crashes == 0).then(|| entry.value.clone());
            keys.policy(quote!(.max_crashes(#max_crashes)))
        },
    },
    Key {
        name: "retain",
        takes: "a duration in quotes",
        example: "\"7d\"",
        set: |keys, entry| {
            let (text, duration) = value::retain(entry)?;
            keys.keeps_nothing = duration.is_zero().then_some(text);
            let retain = expression(duration);
            keys.policy(quote!(.retain(#retain)))
        },
    },
    Key {
        name: "redact",
        takes: "arguments",
        example: "[password]",
        set: |keys, entry| {
            keys.redact = value::arguments(entry)?;
            let names = keys.redact.iter().map(|name| name.unraw().to_string());
            let redact = quote!(.redact(&[#(#names),*]));
            keys.policy(redact)
        },
    },
    Key {
        name: "attributes",
        takes: "arguments, or names and expressions",
        example: "(tenant, region = region.code())",
        set: |keys, entry| {
            keys.computed.extend(computed::attributes(entry)?);
            Ok(())
        },
    },
    Key {
        name: "key",
        takes: "an argument, or an expression with one",
        example: "tenant",
        set: |keys, entry| {
            keys.computed.push(computed::expression(Of::Key, entry)?);
            Ok(())
        },
    },
    Key {
        name: "concurrency",
        takes: "a whole number",
        example: "10",
        set: |keys, entry| {
            let jobs = value::whole(entry, 1..=10_000)?;
            keys.policy(quote!(.concurrency(#jobs)))
        },
    },
    Key {
        name: "on_conflict",
        takes: "a word in quotes",
        example: "\"wait\"",
        set: |keys, entry| {
            let answer = value::on_conflict(entry)?;
            keys.policy(quote!(.on_conflict(__pgjobq::OnConflict::#answer)))
        },
    },
    Key {
        name: "on_retry",
        takes: "a word in quotes",
        example: "\"let_pass\"",
        set: |keys, entry| {
            let place = value::on_retry(entry)?;
            keys.policy(quote!(.on_retry(__pgjobq::OnRetry::#place)))
        },
    },
    Key {
        name: "rate",
        takes: "a rate in quotes, or several in brackets",
        example: "\"100 per minute\"",
        set: |keys, entry| {
            keys.rates = value::rates(entry)?;
            let rates = keys.rates.iter().map(|Rate { count, window }| {
                let window = expression(*window);
                quote!(__pgjobq::Rate::new(#count, #window))
            });
            let rates = quote!(const { &[#(#rates),*] });
            keys.policy(quote!(.rates(#rates)))
        },
    },
    Key {
        name: "burst",
        takes: "a whole number",
        example: "20",
        set: |keys, entry| {
            let burst = value::whole(entry, 1..=rate::MAX_COUNT)?;
            keys.burst = Some((entry.value.clone(), burst.base10_parse()?));
            keys.policy(quote!(.burst(#burst)))
        },
    },
    Key {
        name: "weight",
        takes: "an argument, or an expression",
        example: "1 + items.len() / 100",
        set: |keys, entry| {
            keys.computed.push(computed::expression(Of::Weight, entry)?);
            Ok(())
        },
    },
    Key {
        name: "unique",
        takes: "the word `args`, arguments in parentheses, or an expression",
        example: "args",
        set: |keys, entry| match computed::unique(entry)? {
            Some(computed) => {
                keys.computed.push(computed);
                Ok(())
            }
            None => {
                keys.unique_by_all = Some(entry.value.clone());
                keys.policy(quote!(.unique(__pgjobq::ComputedFrom::AllArguments)))
            }
        },
    },
    Key {
        name: "unique_while",
        takes: "a word or a duration in quotes",
        example: "\"live\"",
        set: |keys, entry| {
            let time = keys.unique_while.insert(match value::unique_while(entry)? {
                UniqueWhile::Live => quote!(Live),
                UniqueWhile::Waiting => quote!(Waiting),
                UniqueWhile::For(time) => {
                    let time = expression(time);
                    quote!(For(#time))
                }
            });
            let call = quote!(.unique_while(__pgjobq::UniqueWhile::#time));
            keys.policy(call)
        },
    },
    Key {
        name: "on_duplicate",
        takes: "a word in quotes",
        example: "\"keep\"",
        set: |keys, entry| {
            let answer = match value::on_duplicate(entry)? {
                OnDuplicate::Debounce(time) => {
                    let time = expression(time);
                    quote!(Debounce(#time))
                }
                OnDuplicate::Named(answer) => quote!(#answer),
            };
            keys.policy(quote!(.on_duplicate(__pgjobq::OnDuplicate::#answer)))
        },
    },
    Key {
        name: "batch",
        takes: "a whole number",
        example: "500",
        set: |keys, entry| {
            let jobs = value::whole(entry, 1..=10_000)?;
            keys.policy(quote!(.batch(#jobs)))
        },
    },
    Key {
        name: "within",
        takes: "a duration in quotes",
        example: "\"200ms\"",
        set: |keys, entry| {
            let within = expression(value::within(entry)?);
            keys.policy(quote!(.within(#within)))
        },
    },
    Key {
        name: "batch_by",
        takes: "the word `key`",
        example: "key",
        set: |keys, entry| {
            value::the_word(entry, "key")?;
            keys.policy(quote!(.batch_by_key()))
        },
    },
    Key {
        name: "schedule",
        takes: "a cron pattern or an interval in quotes, or several with names in brackets",
        example: "\"0 9 * * MON-FRI\"",
        set: |keys, entry| {
            keys.schedules = schedule::schedules(entry)?;
            Ok(())
        },
    },
    Key {
        name: "timezone",
        takes: "the name of a time zone in quotes",
        example: "\"Europe/Berlin\"",
        set: |keys, entry| {
            let zone = value::text(entry)?;
            schedule::time_zone(&zone)?;
            keys.timezone = Some(zone);
            Ok(())
        },
    },
    Key {
        name: "missed",
        takes: "a word in quotes",
        example: "\"run_once\"",
        set: |keys, entry| {
            let missed = schedule::missed(&value::text(entry)?)?;
            keys.schedule_option(quote!(.missed(__pgjobq::Missed::#missed)))
        },
    },
    Key {
        name: "overlap",
        takes: "a word in quotes",
        example: "\"skip\"",
        set: |keys, entry| {
            let overlap = keys.overlap.insert(value::overlap(entry)?);
            let call = quote!(.overlap(__pgjobq::Overlap::#overlap));
            keys.schedule_option(call)
        },
    },
    Key {
        name: "jitter",
        takes: "a duration in quotes",
        example: "\"5m\"",
        set: |keys, entry| {
            let jitter = expression(value::jitter(entry)?);
            keys.schedule_option(quote!(.jitter(#jitter)))
        },
    },
    Key {
        name: "starts",
        takes: "a time in quotes",
        example: "\"2027-01-31T09:00:00Z\"",
        set: |keys, entry| {
            schedule::time(entry).and_then(|time| keys.schedule_option(quote!(.starts(#time))))
        },
    },
    Key {
        name: "ends",
        takes: "a time in quotes",
        example: "\"2027-12-31T23:59:59Z\"",
        set: |keys, entry| schedule::time(entry).and_then(|time| keys.schedule_option(quote!(.ends(#time)))),
    },
    Key {
        name: "crate",
        takes: "the path of pgjobq",
        example: "my_crate::pgjobq",
        set: |keys, entry| {
            keys.facade = Some(value::path(entry)?);
            Ok(())
        },
    },
];

impl Settings {
    fn policy(&mut self, call: TokenStream) -> syn::Result<()> {
        self.policy.push(call);
        Ok(())
    }

    fn schedule_option(&mut self, call: TokenStream) -> syn::Result<()> {
        self.schedule_options.push(call);
        Ok(())
    }
}

/// Returns the key of this name.
pub(crate) fn known(key: &Ident) -> Option<&'static Key> {
    KEYS.iter().find(|known| key == known.name)
}

/// Returns the expected value of a key, for errors about it.
pub(crate) fn form(key: &Ident) -> Form {
    match known(key) {
        Some(Key { takes, example, .. }) if example.starts_with('(') => {
            Form { what: takes, example: format!("`{key}{example}`"), opening: Opening::Parenthesis }
        }
        Some(Key { takes, example, .. }) => {
            Form { what: takes, example: format!("`{key} = {example}`"), opening: Opening::EqualsSign }
        }
        None => Form { what: "a value", example: format!("`{key} = …`"), opening: Opening::Any },
    }
}

fn expression(duration: Duration) -> TokenStream {
    let (seconds, milliseconds) = (duration.as_secs(), duration.subsec_millis());
    if milliseconds == 0 {
        return quote!(::core::time::Duration::from_secs(#seconds));
    }
    let milliseconds = seconds * 1000 + u64::from(milliseconds);
    quote!(::core::time::Duration::from_millis(#milliseconds))
}
