//! The words of a text, and mistakes in it, by their places.

use std::ops::Range;

/// A word of a text, and its place in characters.
pub(crate) struct Word<'t> {
    pub(crate) at: Range<usize>,
    pub(crate) text: &'t str,
}

/// A mistake in the text of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// The wrong part of the text, in characters.
    pub(crate) at: Range<usize>,
    pub(crate) message: String,
}

impl Mistake {
    pub(crate) fn new(at: Range<usize>, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }

    /// Returns the place as people count: the first character is number 1.
    pub(crate) fn place(&self) -> usize {
        self.at.start + 1
    }
}

/// Splits a text at white space.
pub(crate) fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut begin = None;
    for (place, (byte, c)) in text.char_indices().chain([(text.len(), ' ')]).enumerate() {
        match begin {
            None if !c.is_whitespace() => begin = Some((byte, place)),
            Some((from, first)) if c.is_whitespace() => {
                words.push(Word { at: first..place, text: &text[from..byte] });
                begin = None;
            }
            _ => {}
        }
    }
    words
}
