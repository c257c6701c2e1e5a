//! Splits the text form of a filter into tokens.

use super::column::Column;
use super::error::{FilterError, FilterProblem};
use super::tree::Comparison;
use crate::AttributeValue;

/// The words that mean something, besides the names of columns.
const KEYWORDS: [&str; 12] =
    ["and", "or", "not", "in", "like", "is", "null", "exists", "contains", "true", "false", "all"];

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A keyword, in lower case.
    Keyword(&'static str),
    Column(Column),
    /// The name of an attribute.
    Name(String),
    /// A word with other characters in it, which means something only in quotes.
    Unquoted(String),
    Compare(Comparison),
    Value(AttributeValue),
    /// A parenthesis or a comma.
    Sign(char),
    End,
}

/// Returns whether a name can be written without quotes.
pub(super) fn is_plain_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|c| c == '_' || c.is_ascii_alphabetic())
        && characters.all(is_part_of_word)
        && matches!(word(name), Token::Name(_))
}

fn is_part_of_word(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

fn word(word: &str) -> Token {
    if let Some(keyword) = KEYWORDS.iter().find(|keyword| keyword.eq_ignore_ascii_case(word)) {
        return match *keyword {
            "true" => Token::Value(true.into()),
            "false" => Token::Value(false.into()),
            keyword => Token::Keyword(keyword),
        };
    }
    let column = Column::ALL.into_iter().find(|column| column.name().eq_ignore_ascii_case(word));
    column.map_or_else(|| Token::Name(word.to_owned()), Token::Column)
}

/// The tokens of a text, each with the column at which it begins.
pub(super) struct Tokens<'t> {
    rest: &'t str,
    column: usize,
}

impl<'t> Tokens<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { rest: text, column: 1 }
    }

    /// Returns the next token; `End` from the end on.
    pub(super) fn next(&mut self) -> Result<(usize, Token), FilterError> {
        self.take(char::is_whitespace);
        let column = self.column;
        let at = |problem| FilterError::at(column, problem);
        let Some(first) = self.rest.chars().next() else { return Ok((column, Token::End)) };
        if let Some(id) = self.bare_id() {
            return Err(at(FilterProblem::Id(id.to_owned())));
        }
        let token = match first {
            '(' | ')' | ',' => {
                self.skip(1);
                Token::Sign(first)
            }
            '\'' => Token::Value(self.quoted(first).map_err(at)?.into()),
            '"' => Token::Name(self.quoted(first).map_err(at)?),
            '0'..='9' | '-' | '.' => Token::Value(self.number().map_err(at)?),
            '_' => self.word(),
            letter if letter.is_alphabetic() => self.word(),
            _ => Token::Compare(self.comparison().map_err(at)?),
        };
        Ok((column, token))
    }

    /// Returns what begins here like the id of a job: `01980a5c-93f4`. It means nothing without quotes.
    fn bare_id(&self) -> Option<&'t str> {
        let end = self.rest.find(|c: char| !is_part_of_word(c) && c != '-').unwrap_or(self.rest.len());
        let word = &self.rest[..end];
        let (start, rest) = word.split_once('-')?;
        let is_id = start.len() == 8
            && [start, rest].join("").bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
        is_id.then_some(word)
    }

    fn word(&mut self) -> Token {
        let text = self.rest;
        let end = text.char_indices().find(|(at, c)| {
            let goes_on = c.is_alphanumeric()
                || *c == '_'
                || (".-:/@".contains(*c) && text[at + 1..].starts_with(char::is_alphanumeric));
            !goes_on
        });
        let text = self.take_bytes(end.map_or(text.len(), |(at, _)| at));
        if text.chars().all(is_part_of_word) { word(text) } else { Token::Unquoted(text.to_owned()) }
    }

    fn quoted(&mut self, quote: char) -> Result<String, FilterProblem> {
        let mut text = String::new();
        loop {
            self.skip(1);
            text.push_str(self.take(|c| c != quote));
            if self.rest.is_empty() {
                return Err(FilterProblem::UnclosedQuote(quote));
            }
            self.skip(1);
            if !self.rest.starts_with(quote) {
                return Ok(text);
            }
            text.push(quote);
        }
    }

    fn number(&mut self) -> Result<AttributeValue, FilterProblem> {
        let mut before = ' ';
        let word = self.take(|c| {
            let is_part = is_part_of_word(c)
                || c == '.'
                || (c == '-' && before == ' ')
                || ("+-".contains(c) && "eE".contains(before));
            before = c;
            is_part
        });
        let digits = word.strip_prefix('-').unwrap_or(word);
        let value = if digits.bytes().all(|byte| byte.is_ascii_digit()) {
            word.parse().ok().map(AttributeValue::Integer)
        } else if digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte)) {
            word.parse().ok().filter(|value: &f64| value.is_finite()).map(AttributeValue::Float)
        } else {
            None
        };
        value.ok_or_else(|| FilterProblem::Number(word.chars().take(50).collect()))
    }

    fn comparison(&mut self) -> Result<Comparison, FilterProblem> {
        let is_operator = |c: char| c.is_ascii_punctuation() && !"()',\"_-.".contains(c);
        let sign = match self.take(is_operator) {
            "" => self.take_one(),
            sign => sign,
        };
        let sign = match sign {
            "==" => "=",
            "<>" => "!=",
            sign => sign,
        };
        let found = Comparison::ALL.into_iter().find(|comparison| comparison.sign() == sign);
        found.ok_or_else(|| FilterProblem::UnknownOperator(sign.chars().take(50).collect()))
    }

    /// Takes characters as long as `is_part` says so.
    fn take(&mut self, mut is_part: impl FnMut(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        self.take_bytes(end)
    }

    fn take_one(&mut self) -> &'t str {
        self.take_bytes(self.rest.chars().next().map_or(0, char::len_utf8))
    }

    /// Takes ASCII characters.
    fn skip(&mut self, characters: usize) {
        self.take_bytes(characters);
    }

    fn take_bytes(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.column += taken.chars().count();
        self.rest = rest;
        taken
    }
}
