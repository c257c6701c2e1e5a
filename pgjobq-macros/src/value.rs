//! The values of the attribute's keys.

use std::ops::RangeInclusive;
use std::time::Duration;

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Error, LitInt, LitStr, Path, Result, Token, bracketed};

use crate::parse::{Entry, Form};
use crate::rate::Rate;
use crate::{duration, names, rate};

/// The longest time for which a call waits for more jobs: a worker holds those that have come, and nobody else can start them.
const LONGEST_WITHIN: Duration = Duration::from_secs(5);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const YEAR: Duration = DAY.saturating_mul(365);
/// The longest retention, so that PostgreSQL can represent the time of the deletion.
const CENTURY: Duration = YEAR.saturating_mul(100);

/// The error for a value of the wrong form, or for none.
pub(crate) fn misfit(entry: &Entry) -> Error {
    let key = &entry.key;
    let Form { what, example, .. } = &entry.form;
    if entry.value.is_empty() {
        return Error::new_spanned(key, format!("`{key}` has no value: write {example}"));
    }
    Error::new_spanned(&entry.value, format!("`{key}` takes {what}: write {example}"))
}

pub(crate) fn text(entry: &Entry) -> Result<LitStr> {
    syn::parse2(entry.value.clone()).map_err(|_| misfit(entry))
}

/// The name of a kind or a queue.
pub(crate) fn name(entry: &Entry) -> Result<LitStr> {
    text(entry).and_then(plain)
}

fn plain(name: LitStr) -> Result<LitStr> {
    match names::mistake(&name.value()) {
        Some(mistake) => Err(Error::new_spanned(name, mistake)),
        None => Ok(name),
    }
}

/// Names in brackets. The error names every wrong one.
pub(crate) fn names(entry: &Entry) -> Result<Vec<LitStr>> {
    let list = |input: syn::parse::ParseStream<'_>| {
        let content;
        bracketed!(content in input);
        Punctuated::<LitStr, Token![,]>::parse_terminated(&content)
    };
    let list = list.parse2(entry.value.clone()).map_err(|_| misfit(entry))?;
    let mut names = Vec::new();
    let mut mistakes: Option<Error> = None;
    for name in list {
        match (plain(name), &mut mistakes) {
            (Ok(name), _) => names.push(name),
            (Err(error), Some(mistakes)) => mistakes.combine(error),
            (Err(error), none) => *none = Some(error),
        }
    }
    mistakes.map_or(Ok(names), Err)
}

/// A number that fits PostgreSQL's `smallint`.
pub(crate) fn number(entry: &Entry) -> Result<u16> {
    let number: LitInt = syn::parse2(entry.value.clone()).map_err(|_| misfit(entry))?;
    if !matches!(number.suffix(), "" | "u16") {
        return Err(misfit(entry));
    }
    match number.base10_parse() {
        Ok(fits @ 0..=0x7fff) => Ok(fits),
        _ => {
            let message =
                format!("`{number}` is out of range: `{}` takes a number from 0 to 32767", entry.key);
            Err(Error::new_spanned(&entry.value, message))
        }
    }
}

/// A number in this range, without a suffix.
pub(crate) fn whole(entry: &Entry, range: RangeInclusive<u32>) -> Result<LitInt> {
    let number: LitInt = syn::parse2(entry.value.clone()).map_err(|_| misfit(entry))?;
    if !number.suffix().is_empty() {
        return Err(misfit(entry));
    }
    if number.base10_parse().is_ok_and(|number| range.contains(&number)) {
        return Ok(number);
    }
    let (key, least, most) = (&entry.key, range.start(), range.end());
    let message = format!("`{number}` is out of range: `{key}` takes a number from {least} to {most}");
    Err(Error::new_spanned(&entry.value, message))
}

/// The constant of `Priority` that a word names.
pub(crate) fn priority(entry: &Entry) -> Result<Ident> {
    const PRIORITIES: [(&str, &str); 4] =
        [("low", "Low"), ("normal", "Normal"), ("high", "High"), ("critical", "Critical")];
    word(&text(entry)?, "priority", &PRIORITIES, "")
}

/// The constant of `OnConflict` that a word names.
pub(crate) fn on_conflict(entry: &Entry) -> Result<Ident> {
    const ANSWERS: [(&str, &str); 4] = [
        ("wait", "Wait"),
        ("drop", "Drop"),
        ("cancel_waiting", "CancelWaiting"),
        ("cancel_running", "CancelRunning"),
    ];
    word(&text(entry)?, "answer to a conflict", &ANSWERS, "")
}

/// The constant of `Overlap` that a word names.
pub(crate) fn overlap(entry: &Entry) -> Result<Ident> {
    const ANSWERS: [(&str, &str); 3] =
        [("allow", "Allow"), ("skip", "Skip"), ("cancel_running", "CancelRunning")];
    word(&text(entry)?, "policy of overlapping jobs", &ANSWERS, "")
}

/// A duration of at least a millisecond and at most a day.
pub(crate) fn jitter(entry: &Entry) -> Result<Duration> {
    let at = text(entry)?;
    let time = positive(&at, &at.value())?;
    if time > DAY {
        return Err(Error::new_spanned(&at, format!("`{}` is too long: write at most `1d`", at.value())));
    }
    Ok(time)
}

/// The constant of `OnRetry` that a word names.
pub(crate) fn on_retry(entry: &Entry) -> Result<Ident> {
    word(&text(entry)?, "way to wait for a retry", &[("hold", "Hold"), ("let_pass", "LetPass")], "")
}

/// The constant that one of these words names.
fn word(text: &LitStr, what: &str, words: &[(&str, &str)], or: &str) -> Result<Ident> {
    let word = text.value();
    if let Some((_, constant)) = words.iter().find(|(name, _)| *name == word) {
        return Ok(Ident::new(constant, Span::call_site()));
    }
    let names = words.iter().map(|(name, _)| format!("`\"{name}\"`")).collect::<Vec<_>>().join(", ");
    let message = format!("there is no {what} `{word}`: write one of {names}{or}");
    Err(Error::new_spanned(text, message))
}

/// One rate, or several in brackets. The error names every wrong one.
pub(crate) fn rates(entry: &Entry) -> Result<Vec<Rate>> {
    let list = |input: syn::parse::ParseStream<'_>| {
        if !input.peek(syn::token::Bracket) {
            return Ok(vec![input.parse::<LitStr>()?]);
        }
        let content;
        bracketed!(content in input);
        let rates = Punctuated::<LitStr, Token![,]>::parse_terminated(&content)?;
        Ok(rates.into_iter().collect())
    };
    let list: Vec<LitStr> = list.parse2(entry.value.clone()).map_err(|_| misfit(entry))?;
    if list.is_empty() {
        return Err(misfit(entry));
    }
    let mut rates: Vec<Rate> = Vec::new();
    let mut mistakes: Option<Error> = None;
    for text in list {
        let mistake = match rate::parse(&text.value()) {
            Some(rate) if rates.iter().any(|other| other.window == rate.window) => {
                "there is a rate for this window already: keep the lower one".to_owned()
            }
            Some(rate) => {
                rates.push(rate);
                continue;
            }
            None => format!(
                "`{}` is no rate: write a number from 1 to {} per second, minute, hour or day, such as `100 per minute`",
                text.value(),
                rate::MAX_COUNT
            ),
        };
        let mistake = Error::new_spanned(text, mistake);
        match &mut mistakes {
            Some(mistakes) => mistakes.combine(mistake),
            none => *none = Some(mistake),
        }
    }
    mistakes.map_or(Ok(rates), Err)
}

/// The time in which a unique job is the only one.
pub(crate) enum UniqueWhile {
    Live,
    Waiting,
    For(Duration),
}

pub(crate) fn unique_while(entry: &Entry) -> Result<UniqueWhile> {
    let at = text(entry)?;
    let text = at.value();
    match text.as_str() {
        "live" => Ok(UniqueWhile::Live),
        "waiting" => Ok(UniqueWhile::Waiting),
        _ if duration::parse(&text).is_some() => positive(&at, &text).map(UniqueWhile::For),
        _ => {
            let message = format!(
                "`{text}` is no time of a unique job: write `\"live\"`, `\"waiting\"`, or a duration such as `\"1h\"`"
            );
            Err(Error::new_spanned(at, message))
        }
    }
}

/// The answer to a second job with the same unique key.
pub(crate) enum OnDuplicate {
    /// The constant of this name.
    Named(Ident),
    Debounce(Duration),
}

pub(crate) fn on_duplicate(entry: &Entry) -> Result<OnDuplicate> {
    const ANSWERS: [(&str, &str); 4] = [
        ("keep", "Keep"),
        ("replace", "Replace"),
        ("replace_args", "ReplaceArgs"),
        ("replace_run_at", "ReplaceRunAt"),
    ];
    let at = text(entry)?;
    let text = at.value();
    match text.strip_prefix("debounce ") {
        Some(time) => positive(&at, time).map(OnDuplicate::Debounce),
        None => {
            word(&at, "answer to a duplicate", &ANSWERS, ", or `\"debounce 5s\"`").map(OnDuplicate::Named)
        }
    }
}

/// A duration of more than zero and at most a year.
pub(crate) fn duration(entry: &Entry) -> Result<Duration> {
    let text = text(entry)?;
    positive(&text, &text.value())
}

/// A duration of more than zero and at most five seconds.
pub(crate) fn within(entry: &Entry) -> Result<Duration> {
    let at = text(entry)?;
    let text = at.value();
    let within = positive(&at, &text)?;
    if within > LONGEST_WITHIN {
        let message = format!(
            "`{text}` is too long, because the jobs wait in a worker meanwhile: write at most `5s`, or enqueue them with a `delay`"
        );
        return Err(Error::new_spanned(at, message));
    }
    Ok(within)
}

fn positive(at: &LitStr, text: &str) -> Result<Duration> {
    let duration = any(at, text)?;
    if duration.is_zero() {
        return Err(Error::new_spanned(at, format!("`{text}` is no time at all: write at least `1ms`")));
    }
    if duration > YEAR {
        return Err(Error::new_spanned(at, format!("`{text}` is too long: write at most `365d`")));
    }
    Ok(duration)
}

fn any(at: &LitStr, text: &str) -> Result<Duration> {
    duration::parse(text).ok_or_else(|| {
        let message = format!(
            "`{text}` is no duration: write a number and its unit, such as `500ms`, `30s`, `5m`, `2h` or `7d`"
        );
        Error::new_spanned(at, message)
    })
}

/// One delay, or a first and a longest one.
pub(crate) fn backoff(entry: &Entry) -> Result<(Duration, Duration)> {
    let at = text(entry)?;
    let text = at.value();
    let (first, longest) = text.split_once("..").unwrap_or((&text, &text));
    if duration::parse(first).is_none() || duration::parse(longest).is_none() {
        let message =
            format!("`{text}` is no backoff: write one duration, such as `30s`, or two, such as `1s..6h`");
        return Err(Error::new_spanned(at, message));
    }
    let delays = (positive(&at, first)?, positive(&at, longest)?);
    if delays.0 > delays.1 {
        let message = format!("`{text}` shrinks: write the shorter delay first, `{longest}..{first}`");
        return Err(Error::new_spanned(at, message));
    }
    Ok(delays)
}

/// The retention of completed jobs, from nothing to a century, and the text that sets it.
pub(crate) fn retain(entry: &Entry) -> Result<(LitStr, Duration)> {
    let at = text(entry)?;
    let text = at.value();
    let duration = any(&at, &text)?;
    if duration > CENTURY {
        return Err(Error::new_spanned(at, format!("`{text}` is too long: write at most `36500d`")));
    }
    Ok((at, duration))
}

/// The one word that a key takes.
pub(crate) fn the_word(entry: &Entry, word: &str) -> Result<()> {
    match syn::parse2::<Ident>(entry.value.clone()) {
        Ok(written) if written == word => Ok(()),
        _ => Err(misfit(entry)),
    }
}

/// The names of arguments: one, or several in brackets.
pub(crate) fn arguments(entry: &Entry) -> Result<Vec<Ident>> {
    let list = |input: syn::parse::ParseStream<'_>| {
        if !input.peek(syn::token::Bracket) {
            return Ok(vec![Ident::parse_any(input)?]);
        }
        let content;
        bracketed!(content in input);
        let names = content.parse_terminated(Ident::parse_any, Token![,])?;
        Ok(names.into_iter().collect())
    };
    list.parse2(entry.value.clone()).map_err(|_| misfit(entry))
}

/// The paths of structs: one, or several in brackets.
pub(crate) fn structs(entry: &Entry) -> Result<Vec<Path>> {
    let list = |input: syn::parse::ParseStream<'_>| {
        if !input.peek(syn::token::Bracket) {
            return Ok(vec![input.parse::<Path>()?]);
        }
        let content;
        bracketed!(content in input);
        let structs = Punctuated::<Path, Token![,]>::parse_terminated(&content)?;
        Ok(structs.into_iter().collect())
    };
    let structs: Vec<_> = list.parse2(entry.value.clone()).map_err(|_| misfit(entry))?;
    if structs.is_empty() { Err(misfit(entry)) } else { Ok(structs) }
}

/// A path, in quotes or without.
pub(crate) fn path(entry: &Entry) -> Result<Path> {
    let path = match syn::parse2::<LitStr>(entry.value.clone()) {
        Ok(quoted) => quoted.parse_with(Path::parse_mod_style),
        Err(_) => Path::parse_mod_style.parse2(entry.value.clone()),
    };
    path.map_err(|_| misfit(entry))
}
