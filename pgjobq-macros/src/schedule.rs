//! The values of the key `schedule`, and of the keys that say more of it.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, LitStr, Result, Token, bracketed, token};

use crate::parse::Entry;
use crate::schedule_text::syntax::{self, Syntax};
use crate::schedule_text::zones;
use crate::value::{self, misfit};
use crate::{instant, names};

/// A schedule of a job.
pub(crate) struct Schedule {
    /// Its name among those of the job, if there are several.
    pub(crate) name: Option<Ident>,
    pub(crate) text: LitStr,
}

impl Schedule {
    /// Returns whether it is an interval, and no pattern.
    pub(crate) fn is_interval(&self) -> bool {
        matches!(syntax::read(&self.text.value()), Ok(Syntax::Every(_)))
    }
}

/// Reads one text, or several with names, in brackets. The error names every wrong one.
pub(crate) fn schedules(entry: &Entry) -> Result<Vec<Schedule>> {
    let schedules = list.parse2(entry.value.clone()).map_err(|_| misfit(entry))?;
    if schedules.is_empty() {
        return Err(misfit(entry));
    }
    let mut mistakes: Option<Error> = None;
    for (place, schedule) in schedules.iter().enumerate() {
        let repeated = schedules[..place].iter().any(|earlier| earlier.name == schedule.name);
        let mistake = match (repeated, syntax::read(&schedule.text.value())) {
            (true, _) => Error::new_spanned(&schedule.name, "the job has a schedule of this name already"),
            (false, Err(mistake)) => {
                let text: String = schedule.text.value().chars().take(100).collect();
                let (place, message) = (mistake.place(), mistake.message);
                Error::new_spanned(&schedule.text, format!("`{text}`, at character {place}: {message}"))
            }
            (false, Ok(_)) => continue,
        };
        match &mut mistakes {
            Some(mistakes) => mistakes.combine(mistake),
            none => *none = Some(mistake),
        }
    }
    mistakes.map_or(Ok(schedules), Err)
}

fn list(input: ParseStream<'_>) -> Result<Vec<Schedule>> {
    if !input.peek(token::Bracket) {
        return Ok(vec![Schedule { name: None, text: input.parse()? }]);
    }
    let content;
    bracketed!(content in input);
    let named = |input: ParseStream<'_>| {
        let name = Ident::parse_any(input)?;
        input.parse::<Token![=]>()?;
        Ok(Schedule { name: Some(name), text: input.parse()? })
    };
    let schedules = Punctuated::<_, Token![,]>::parse_terminated_with(&content, named)?;
    Ok(schedules.into_iter().collect())
}

/// Rejects a name that no time zone has.
pub(crate) fn time_zone(name: &LitStr) -> Result<()> {
    let zone = name.value();
    if zones::all().any(|known| known == zone) {
        return Ok(());
    }
    let similar = zones::all()
        .find(|known| known.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(&zone)));
    let similar = similar.or_else(|| names::nearest(&zone, zones::all()));
    let hint = similar
        .map_or("a name of the IANA database, such as `Europe/Berlin` or `UTC`".to_owned(), |similar| {
            format!("`{similar}`, or another name of the IANA database")
        });
    Err(Error::new_spanned(name, format!("there is no time zone `{zone}`: write {hint}")))
}

/// Reads the text of a time.
pub(crate) fn time(entry: &Entry) -> Result<LitStr> {
    let at = value::text(entry)?;
    let text = at.value();
    match instant::parse(&text) {
        Some(_) => Ok(at),
        None => {
            let message = format!(
                "`{text}` is no time: write one such as `2027-01-31T09:00:00Z`, or with an offset: `+02:00`"
            );
            Err(Error::new_spanned(at, message))
        }
    }
}

/// Returns the constant of `Missed` that a text names.
pub(crate) fn missed(at: &LitStr) -> Result<TokenStream> {
    let text = at.value();
    let most = text.strip_prefix("run_all(").and_then(|rest| rest.strip_suffix(')'));
    match (text.as_str(), most.map(|most| most.trim().parse::<u16>())) {
        ("skip", _) => Ok(quote!(Skip)),
        ("run_once", _) => Ok(quote!(RunOnce)),
        (_, Some(Ok(most @ 1..=1000))) => Ok(quote!(RunAll(#most))),
        (_, Some(_)) => Err(Error::new_spanned(
            at,
            format!("`{text}`: the number is from 1 to 1000, such as `\"run_all(10)\"`"),
        )),
        _ => Err(Error::new_spanned(
            at,
            format!(
                "there is no policy of missed ticks `{text}`: write `\"skip\"`, `\"run_once\"` or `\"run_all(10)\"`"
            ),
        )),
    }
}
