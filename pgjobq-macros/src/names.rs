//! The names of kinds and queues, and names that were mistyped.

use std::cmp::Reverse;

/// What is wrong with the name of a kind or a queue. Such names are stored, filtered by, and shown in paths of a
/// dashboard, so that they are kept plain.
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

/// The candidate that a word was probably meant to be.
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

/// How many characters must be inserted, removed or replaced to make one word of another.
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
