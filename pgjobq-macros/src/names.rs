//! The names of kinds and queues, and names that were mistyped.

use std::cmp::Reverse;

/// Returns the mistake in the name of a kind or a queue. Names are plain because they are stored, filtered by, and parts of URLs.
pub(crate) fn mistake(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("a name cannot be empty: write 1 to 100 characters".to_owned());
    }
    if name.chars().count() > 100 {
        return Some("this name is too long: write at most 100 characters".to_owned());
    }
    let stranger = name.chars().find(|c| !c.is_ascii_alphanumeric() && !"_-.:/".contains(*c))?;
    Some(format!(
        "a name cannot contain `{}`: write ASCII letters, digits, and any of `_-.:/`",
        stranger.escape_debug()
    ))
}

/// Returns the candidate that is most similar to a mistyped word, if one is similar.
pub(crate) fn nearest(word: &str, candidates: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let distance = |candidate: &str| {
        let part = candidate.contains(word) || word.contains(candidate);
        if part { 1 } else { edits(word, candidate) }
    };
    let shared = |candidate: &str| word.chars().zip(candidate.chars()).take_while(|(a, b)| a == b).count();
    let nearest = candidates.min_by_key(|candidate| (distance(candidate), Reverse(shared(candidate))))?;
    let distance = distance(nearest);
    (distance <= 3 && distance < nearest.len()).then_some(nearest)
}

/// The number of characters to insert, remove or replace to turn one word into another.
fn edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, b) in to.chars().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.chars().count()]
}
