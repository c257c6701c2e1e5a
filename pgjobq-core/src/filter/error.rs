//! The errors of filters.

use std::fmt;

use crate::JobId;
use crate::enqueue::attributes::shown;

/// A filter that cannot be used: from its text form, or where it is used.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct FilterError {
    /// The column of the text at which the mistake begins, counted in characters from 1. `None` if the filter was not parsed.
    pub column: Option<usize>,
    /// The mistake.
    pub problem: FilterProblem,
}

/// A mistake in a filter: from [`FilterError::problem`].
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterProblem {
    /// The text is empty.
    #[error("the text is empty: write `all` to mean every job")]
    Empty,
    /// The text does not continue as it should.
    #[error("{found} stands where {expected} should")]
    #[allow(missing_docs)]
    Syntax { found: String, expected: &'static str },
    /// A quote is not closed.
    #[error("the quote is not closed: end it with `{0}`, and write `{0}{0}` for one inside of it")]
    UnclosedQuote(char),
    /// There is no such operator.
    #[error("`{0}` is no operator: {instead}", instead = instead_of(.0))]
    UnknownOperator(String),
    /// A name with other characters than letters, digits and underscores has no quotes.
    #[error("the name `{0}` is no plain word: write it in double quotes, `\"{0}\"`")]
    UnquotedName(String),
    /// A text has no single quotes.
    #[error("`{0}` is no value: a text stands in single quotes, `'{0}'`; two attributes cannot be compared")]
    UnquotedText(String),
    /// The id of a job has no single quotes, or is none.
    #[error("{}", about_id(.0))]
    Id(String),
    /// A state stands alone.
    #[error("`{0}` is a state: write `state = '{0}'`")]
    State(String),
    /// A number is too large, or no number.
    #[error(
        "`{0}` is no number that a filter compares with: an integer has at most 38 digits, and a float is finite"
    )]
    Number(String),
    /// The name of an attribute is one that no attribute can have.
    #[error("the name of an attribute is 1 to 100 characters without NUL, and this one is {}", shown(.0))]
    Name(String),
    /// The value is NaN or infinite.
    #[error("`{name}` is compared with {value}, which no job has: compare with a finite number")]
    #[allow(missing_docs)]
    NotFinite { name: String, value: f64 },
    /// A text has the character NUL.
    #[error("`{0}` is compared with a text that has a NUL character (\\u0000), which no job has: remove it")]
    Nul(String),
    /// A comparison with null.
    #[error(
        "`{0}` is compared with null, which is equal to nothing: write `{0} is null`, in Rust `.is_null()`"
    )]
    Null(String),
    /// The column never has such a value.
    #[error("`{name}` is compared with {found}, and it is {wants}")]
    #[allow(missing_docs)]
    Mismatch { name: &'static str, wants: &'static str, found: String },
    /// The column has no such test.
    #[error("`{name}` cannot be tested by `{operator}`: {instead}")]
    #[allow(missing_docs)]
    Operator { name: String, operator: &'static str, instead: &'static str },
    /// The filter of a worker tests what says nothing about the jobs that a worker claims.
    #[error("a worker cannot accept jobs by their `{0}`: {instead}", instead = instead_at_claim(.0))]
    AtClaim(&'static str),
    /// A pattern of `like` is too long.
    #[error("a text of {0} characters is too long for `like` and `contains`: write at most 1,000")]
    LongPattern(usize),
    /// A pattern ends with a backslash.
    #[error("the pattern ends with a backslash, which takes its meaning from the next character: write two")]
    UnfinishedPattern,
    /// The filter makes too many comparisons.
    #[error(
        "a filter has at most 1,000 terms, and this one has {0}: give the jobs an attribute that says the same"
    )]
    TooManyTerms(usize),
    /// The filter has too many patterns.
    #[error(
        "a filter searches for at most 30 patterns inside of texts, by `like` and `contains`, and this one for {0}: give the jobs an attribute that says the same"
    )]
    TooManyPatterns(usize),
    /// The filter is nested too deeply.
    #[error("a filter is nested at most 64 levels deep, and this one {0}: write it flatter")]
    TooDeep(usize),
    /// The compiled filter is too long.
    #[error(
        "the filter has {0} bytes when it is compiled, more than 65,536: compare with fewer or shorter texts"
    )]
    TooLong(usize),
}

fn instead_of(operator: &str) -> &'static str {
    match operator {
        "not" => "write it before the whole test, `not size in (1, 2)`",
        "is not" => "write `not size is null`",
        word if word.eq_ignore_ascii_case("between") => "write a range as `size >= 1 and size <= 5`",
        "&&" | "&" => "write `and`",
        "||" | "|" => "write `or`",
        "!" => "write `not` before the whole test",
        "=>" => "write `>=`",
        "=<" => "write `<=`",
        "~" | "~*" | "~~" | "=~" | "*" | "%" => "write `like 'eu-%'`",
        "[" => "write a list in parentheses, `in (1, 2)`",
        _ => "write one of = != < <= > >= in like is exists",
    }
}

fn about_id(text: &str) -> String {
    match text.parse::<JobId>() {
        Ok(id) => format!("`{id}` is an id: write `id = '{id}'`"),
        Err(_) => {
            format!("`{text}` is no id of a job: that is a UUID, like '01980a5c-93f4-7b2e-8d11-6b5c0f7a2e9d'")
        }
    }
}

fn instead_at_claim(column: &str) -> &'static str {
    match column {
        "error" => {
            "most jobs that it claims have not failed; write `attempts > 0` for those that had an attempt"
        }
        _ => "all jobs that it claims are ready; to act on jobs by their state, write `client.jobs(…)`",
    }
}

impl FilterError {
    pub(super) fn at(column: usize, problem: FilterProblem) -> Self {
        Self { column: Some(column), problem }
    }
}

impl From<FilterProblem> for FilterError {
    fn from(problem: FilterProblem) -> Self {
        Self { column: None, problem }
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            Some(column) => write!(out, "the filter is wrong at column {column}: {}", self.problem),
            None => write!(out, "the filter is wrong: {}", self.problem),
        }
    }
}

impl std::error::Error for FilterError {}

crate::debug_as_message!(FilterError, FilterProblem);
