//! The patterns of `like`: `%` is any text, `_` any character, and a backslash takes such a meaning away.

use super::error::FilterProblem;

const MAX_PATTERN: usize = 1000;

/// A pattern. It never has two `Many` in a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Character(char),
    One,
    Many,
}

/// The cheapest way to test a text by a pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Test {
    Equals(String),
    StartsWith(String),
    /// A regular expression of PostgreSQL, with `.` for every character.
    Matches(String),
}

pub(super) fn check_length(text: &str) -> Result<(), FilterProblem> {
    match text.chars().count() {
        0..=MAX_PATTERN => Ok(()),
        length => Err(FilterProblem::LongPattern(length)),
    }
}

impl Pattern {
    pub(super) fn new(text: &str) -> Result<Self, FilterProblem> {
        check_length(text)?;
        let (mut pieces, mut characters) = (Vec::new(), text.chars());
        while let Some(c) = characters.next() {
            pieces.push(match c {
                '%' => Piece::Many,
                '_' => Piece::One,
                '\\' => Piece::Character(characters.next().ok_or(FilterProblem::UnfinishedPattern)?),
                c => Piece::Character(c),
            });
        }
        pieces.dedup_by(|next, piece| (*next, *piece) == (Piece::Many, Piece::Many));
        Ok(Self(pieces))
    }

    pub(super) fn test(&self) -> Test {
        let plain: String = self.0.iter().map_while(|piece| piece.character()).collect();
        match &self.0[plain.chars().count()..] {
            [] => Test::Equals(plain),
            [Piece::Many] => Test::StartsWith(plain),
            _ => Test::Matches(self.regex()),
        }
    }

    /// Every character that could mean something is escaped, so that the text is neither a director nor an option of PostgreSQL's
    /// regular expressions.
    fn regex(&self) -> String {
        let mut regex = String::new();
        let ends = |piece: Option<&Piece>| piece == Some(&Piece::Many);
        if !ends(self.0.first()) {
            regex.push('^');
        }
        for (at, piece) in self.0.iter().enumerate() {
            match piece {
                Piece::Character(c) if c.is_ascii_punctuation() => regex.extend(['\\', *c]),
                Piece::Character(c) => regex.push(*c),
                Piece::One => regex.push('.'),
                Piece::Many if at == 0 || at == self.0.len() - 1 => {}
                Piece::Many => regex.push_str(".*"),
            }
        }
        if !ends(self.0.last()) {
            regex.push('$');
        }
        regex
    }

    /// Returns whether a text is like the pattern. After a `Many` it tries the shortest text first, and never goes back to an earlier one.
    pub(super) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut piece, mut retry) = (0, 0, None);
        loop {
            match self.0.get(piece) {
                None if at == text.len() => return true,
                Some(Piece::Many) => {
                    piece += 1;
                    retry = Some((at + 1, piece));
                    continue;
                }
                Some(Piece::One) if at < text.len() => {}
                Some(Piece::Character(c)) if text.get(at) == Some(c) => {}
                _ => match retry {
                    Some((next, after)) if next <= text.len() => {
                        (at, piece) = (next, after);
                        retry = Some((next + 1, after));
                        continue;
                    }
                    _ => return false,
                },
            }
            (at, piece) = (at + 1, piece + 1);
        }
    }
}

impl Piece {
    fn character(self) -> Option<char> {
        match self {
            Self::Character(c) => Some(c),
            Self::One | Self::Many => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn pattern_is_tested_in_the_cheapest_way() {
        let test = |pattern| Pattern::new(pattern).unwrap().test();
        assert_eq!(test(r"50\% \\ a.b"), Test::Equals(r"50% \ a.b".to_owned()));
        assert_eq!(test("eu-%%"), Test::StartsWith("eu-".to_owned()));
        assert_eq!(test("%"), Test::StartsWith(String::new()));
        assert_eq!(test(r"a.b_%(c)"), Test::Matches(r"^a\.b..*\(c\)$".to_owned()));
        assert_eq!(test("%***:b%"), Test::Matches(r"\*\*\*\:b".to_owned()));
    }

    #[test]
    fn pattern_matches_whole_texts() {
        let matches = |pattern: &str, text: &str| Pattern::new(pattern).unwrap().matches(text);
        for text in ["ab", "aXb", "aabb", "a\nb"] {
            assert!(matches("a%b", text), "{text:?}");
        }
        assert!(matches("%_%é_", "xéy") && !matches("%_%é_", "éy"));
        assert!(!matches("a%b", "abc") && !matches("", "a") && matches("", "") && matches("%", ""));
        assert!(matches(r"\%\_", "%_") && !matches(r"\%", "x"));
        assert!(!matches(&"%a".repeat(500), &"ab".repeat(400)), "without going back again and again");
    }
}
