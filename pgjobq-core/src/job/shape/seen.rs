//! What the readings of a type have shown, and what the next reading shall be like.

use std::collections::{BTreeMap, BTreeSet};

/// The number of samples that a leaf gets in turn.
pub(super) const SAMPLES: usize = 14;

/// What a type has read at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A value without parts, such as `i64` or `string`.
    Leaf(&'static str),
    Optional,
    List,
    Map,
    Tuple(usize),
    Object(&'static [&'static str]),
    Choice(&'static [&'static str]),
    /// A type that holds itself.
    Again(&'static str),
}

/// What the readings have shown. A place is the path to it: `/size/width`.
#[derive(Debug, Default)]
pub(super) struct Seen {
    places: BTreeMap<String, Place>,
    /// The number of samples that each leaf has refused.
    refused: BTreeMap<String, usize>,
    /// Options, lists and maps that have to be empty from now on.
    empty: BTreeSet<String>,
    /// The variants of each choice that were read, or cannot be.
    done: BTreeMap<String, BTreeSet<usize>>,
    unreadable: BTreeMap<String, BTreeSet<usize>>,
    /// The variants of this reading.
    chosen: Vec<(String, usize)>,
    /// The place that was read last: the likely cause of an error.
    last: String,
}

impl Seen {
    pub(super) fn note(&mut self, path: &str, place: Place) {
        path.clone_into(&mut self.last);
        self.places.insert(path.to_owned(), place);
    }

    /// Returns which sample a leaf shall read.
    pub(super) fn sample(&self, path: &str) -> usize {
        self.refused.get(path).copied().unwrap_or_default()
    }

    pub(super) fn is_empty(&self, path: &str) -> bool {
        self.empty.contains(path)
    }

    /// Chooses a variant: the first of which something is not known yet, or else the first that can be read.
    pub(super) fn choose(&mut self, path: &str, count: usize) -> usize {
        let is_new = |at: &usize| {
            let done = self.done.get(path).is_some_and(|done| done.contains(at));
            !done || self.is_unfinished(&format!("{path}/{at}"))
        };
        let readable = |at: &usize| !self.unreadable.get(path).is_some_and(|some| some.contains(at));
        let chosen =
            (0..count).filter(readable).find(is_new).or_else(|| (0..count).find(readable)).unwrap_or(0);
        self.chosen.push((path.to_owned(), chosen));
        chosen
    }

    /// Returns whether a choice at or below this place has variants that were not read.
    fn is_unfinished(&self, path: &str) -> bool {
        self.places.range(path.to_owned()..).take_while(|(at, _)| at.starts_with(path)).any(|(at, place)| {
            let done = self.done.get(at).map_or(0, BTreeSet::len);
            matches!(place, Place::Choice(variants) if done < variants.len())
        })
    }

    /// Takes the end of a reading. Returns whether another one will show more.
    pub(super) fn goes_on(&mut self, is_read: bool) -> bool {
        let chosen = std::mem::take(&mut self.chosen);
        if is_read {
            for (path, variant) in chosen {
                self.done.entry(path).or_default().insert(variant);
            }
            return self.is_unfinished("");
        }
        let last = std::mem::take(&mut self.last);
        if matches!(self.places.get(&last), Some(Place::Leaf(_))) {
            let refused = self.refused.entry(last.clone()).or_default();
            *refused += 1;
            if *refused < SAMPLES {
                return true;
            }
        }
        self.pass_over(&last, &chosen)
    }

    /// Lets the next reading pass over a place that cannot be read: the nearest option, list or map around it is empty then, or the
    /// nearest choice is another one. Returns false if there is none.
    fn pass_over(&mut self, path: &str, chosen: &[(String, usize)]) -> bool {
        let mut around = path;
        while let Some((outer, _)) = around.rsplit_once('/') {
            around = outer;
            match self.places.get(outer) {
                Some(Place::Optional | Place::List | Place::Map) if self.empty.insert(outer.to_owned()) => {
                    return true;
                }
                Some(Place::Choice(variants)) => {
                    let Some((_, variant)) = chosen.iter().find(|(at, _)| at == outer) else { continue };
                    self.done.entry(outer.to_owned()).or_default().insert(*variant);
                    let unreadable = self.unreadable.entry(outer.to_owned()).or_default();
                    unreadable.insert(*variant);
                    if unreadable.len() < variants.len() {
                        return true;
                    }
                }
                _ => {}
            }
        }
        false
    }

    /// Describes what was read at a place and below it. `…` was not reached. Fields and variants are in the order of their names, because
    /// the order in the code is no part of the stored form.
    pub(super) fn describe(&self, path: &str) -> String {
        let part = |name: &str| self.describe(&format!("{path}/{name}"));
        let list = |parts: Vec<String>| parts.join(", ");
        let sorted = |mut parts: Vec<String>| {
            parts.sort_unstable();
            parts
        };
        match self.places.get(path) {
            None => "…".to_owned(),
            Some(Place::Leaf(name) | Place::Again(name)) => (*name).to_owned(),
            Some(Place::Optional) => format!("{}?", part("some")),
            Some(Place::List) => format!("[{}]", part("item")),
            Some(Place::Map) => format!("{{{}: {}}}", part("key"), part("value")),
            Some(Place::Tuple(count)) => {
                format!("({})", list((0..*count).map(|at| part(&at.to_string())).collect()))
            }
            Some(Place::Object(names)) => {
                let fields = names.iter().map(|name| format!("{name}: {}", part(name))).collect();
                format!("{{ {} }}", list(sorted(fields)))
            }
            Some(Place::Choice(names)) => {
                let variants =
                    names.iter().enumerate().map(|(at, name)| match part(&at.to_string()).as_str() {
                        "unit" => (*name).to_owned(),
                        inside if inside.starts_with(['(', '{']) => format!("{name} {inside}"),
                        inside => format!("{name} ({inside})"),
                    });
                sorted(variants.collect()).join(" | ")
            }
        }
    }
}
