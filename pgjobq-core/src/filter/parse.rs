//! Parses the text form of a filter.

use std::str::FromStr;

use super::check;
use super::error::{FilterError, FilterProblem};
use super::expression::{Filter, MOST_LEVELS};
use super::text;
use super::tokens::{Token, Tokens};
use super::tree::{Operation, Subject, Test};
use crate::{AttributeValue, JobState};

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        if text.trim().is_empty() {
            return Err(FilterError::at(1, FilterProblem::Empty));
        }
        let mut parser = Parser::new(text)?;
        let filter = parser.alternatives()?;
        if parser.token != Token::End {
            return Err(parser.expected("`and`, `or` or the end"));
        }
        filter.check()?;
        Ok(filter)
    }
}

struct Parser<'t> {
    tokens: Tokens<'t>,
    token: Token,
    /// The column at which the token begins.
    column: usize,
    /// The number of parentheses and negations around the token, so that the parser's own recursion is bounded.
    levels: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Result<Self, FilterError> {
        let mut tokens = Tokens::new(text);
        let (column, token) = tokens.next()?;
        Ok(Self { tokens, token, column, levels: 0 })
    }

    fn alternatives(&mut self) -> Result<Filter, FilterError> {
        let mut filter = self.conjunction()?;
        while self.skip(&Token::Keyword("or"))? {
            filter = filter.or(self.conjunction()?);
        }
        Ok(filter)
    }

    fn conjunction(&mut self) -> Result<Filter, FilterError> {
        let mut filter = self.part()?;
        while self.skip(&Token::Keyword("and"))? {
            filter = filter.and(self.part()?);
        }
        Ok(filter)
    }

    fn part(&mut self) -> Result<Filter, FilterError> {
        let column = self.column;
        let (is_negated, is_nested) = (self.skip(&Token::Keyword("not"))?, self.token == Token::Sign('('));
        if !is_negated && !is_nested {
            return if self.skip(&Token::Keyword("all"))? { Ok(Filter::all()) } else { self.test() };
        }
        self.levels += 1;
        if self.levels > MOST_LEVELS {
            return Err(FilterError::at(column, FilterProblem::TooDeep(self.levels)));
        }
        let filter = if is_negated { self.part()?.not() } else { self.nested()? };
        self.levels -= 1;
        Ok(filter)
    }

    fn nested(&mut self) -> Result<Filter, FilterError> {
        self.advance()?;
        let filter = self.alternatives()?;
        self.require(&Token::Sign(')'), "`and`, `or` or `)`")?;
        Ok(filter)
    }

    fn test(&mut self) -> Result<Filter, FilterError> {
        let column = self.column;
        let subject = match self.advance()? {
            Token::Name(name) if self.is_after_a_test() && name.parse::<JobState>().is_ok() => {
                return Err(FilterError::at(column, FilterProblem::State(name)));
            }
            Token::Name(name) => Subject::Attribute(name),
            Token::Column(column) => Subject::Column(column),
            Token::Unquoted(name) => return Err(FilterError::at(column, FilterProblem::UnquotedName(name))),
            token => return Err(expected(column, &token, "the name of an attribute or a column")),
        };
        let operator_at = self.column;
        let (value_at, operation) = self.operation(&subject)?;
        let test = Test { subject, operation };
        check::test(&test).map_err(|problem| {
            let at = match problem {
                FilterProblem::Name(_) => column,
                FilterProblem::Operator { .. } => operator_at,
                _ => value_at,
            };
            FilterError::at(at, problem)
        })?;
        Ok(Filter::test(test))
    }

    /// Returns true if the token cannot follow a subject.
    fn is_after_a_test(&self) -> bool {
        matches!(self.token, Token::End | Token::Keyword("and" | "or") | Token::Sign(')'))
    }

    /// Parses what follows the subject. Returns the column at which its value would stand.
    fn operation(&mut self, subject: &Subject) -> Result<(usize, Operation), FilterError> {
        let operator_at = self.column;
        let operator = self.advance()?;
        let value_at = self.column;
        let operation = match operator {
            Token::Compare(comparison) => Operation::Compare(comparison, self.value(subject)?),
            Token::Keyword("in") => Operation::In(self.values(subject)?),
            Token::Keyword("like") => Operation::Like(self.text()?),
            Token::Keyword("contains") => Operation::Contains(self.text()?),
            Token::Keyword("is") if self.token == Token::Keyword("not") => {
                return Err(FilterError::at(
                    operator_at,
                    FilterProblem::UnknownOperator("is not".to_owned()),
                ));
            }
            Token::Keyword("is") => {
                self.require(&Token::Keyword("null"), "`null`")?;
                Operation::IsNull
            }
            Token::Keyword("exists") => Operation::Exists,
            Token::Keyword("not") => {
                return Err(FilterError::at(operator_at, FilterProblem::UnknownOperator("not".to_owned())));
            }
            Token::Name(name) if name.eq_ignore_ascii_case("between") => {
                return Err(FilterError::at(operator_at, FilterProblem::UnknownOperator(name)));
            }
            token => return Err(expected(operator_at, &token, check::operators(subject))),
        };
        Ok((value_at, operation))
    }

    fn values(&mut self, subject: &Subject) -> Result<Vec<AttributeValue>, FilterError> {
        self.require(&Token::Sign('('), "`(`")?;
        let mut values = Vec::new();
        if self.skip(&Token::Sign(')'))? {
            return Ok(values);
        }
        loop {
            values.push(self.value(subject)?);
            if !self.skip(&Token::Sign(','))? {
                self.require(&Token::Sign(')'), "`,` or `)`")?;
                return Ok(values);
            }
        }
    }

    fn value(&mut self, subject: &Subject) -> Result<AttributeValue, FilterError> {
        let column = self.column;
        let value = match self.advance()? {
            Token::Value(value) => value,
            Token::Keyword("null") => {
                return Err(FilterError::at(column, FilterProblem::Null(text::subject(subject))));
            }
            Token::Name(text) | Token::Unquoted(text) => {
                return Err(FilterError::at(column, FilterProblem::UnquotedText(text)));
            }
            token => {
                return Err(expected(column, &token, "a number, `true`, `false` or a text in single quotes"));
            }
        };
        match subject {
            Subject::Attribute(_) => Ok(value),
            Subject::Column(of) => of.value(value).map_err(|problem| FilterError::at(column, problem)),
        }
    }

    fn text(&mut self) -> Result<String, FilterError> {
        let column = self.column;
        match self.advance()? {
            Token::Value(AttributeValue::Text(text)) => Ok(text),
            Token::Name(text) | Token::Unquoted(text) => {
                Err(FilterError::at(column, FilterProblem::UnquotedText(text)))
            }
            token => Err(expected(column, &token, "a text in single quotes")),
        }
    }

    fn skip(&mut self, token: &Token) -> Result<bool, FilterError> {
        let is_next = self.token == *token;
        if is_next {
            self.advance()?;
        }
        Ok(is_next)
    }

    fn require(&mut self, token: &Token, name: &'static str) -> Result<(), FilterError> {
        if self.skip(token)? { Ok(()) } else { Err(self.expected(name)) }
    }

    fn expected(&self, what: &'static str) -> FilterError {
        expected(self.column, &self.token, what)
    }

    /// Returns the token, and reads the next one.
    fn advance(&mut self) -> Result<Token, FilterError> {
        let (column, next) = self.tokens.next()?;
        self.column = column;
        Ok(std::mem::replace(&mut self.token, next))
    }
}

fn expected(column: usize, found: &Token, expected: &'static str) -> FilterError {
    FilterError::at(column, FilterProblem::Syntax { found: shown(found), expected })
}

fn shown(token: &Token) -> String {
    match token {
        Token::End => "the end".to_owned(),
        Token::Keyword(word) => format!("`{word}`"),
        Token::Column(column) => format!("`{}`", column.name()),
        Token::Name(name) | Token::Unquoted(name) => {
            format!("`{}`", name.chars().take(50).collect::<String>())
        }
        Token::Compare(comparison) => format!("`{}`", comparison.sign()),
        Token::Value(value) => text::literal(value).chars().take(50).collect(),
        Token::Sign(sign) => format!("`{sign}`"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::JobState;
    use crate::filter::Filter;

    fn printed(text: &str) -> String {
        text.parse::<Filter>().unwrap().to_string()
    }

    #[test]
    fn text_is_printed_with_as_few_parentheses_as_possible() {
        for (text, expected) in [
            ("tenant=42 AND NOT region LIKE 'eu-%'", "tenant = 42 and not region like 'eu-%'"),
            ("((a = 1)) or ((b <> -2.50) and (c == 'it''s'))", "a = 1 or b != -2.5 and c = 'it''s'"),
            ("(a = 1 or b = 2) and not (not c exists)", "(a = 1 or b = 2) and c exists"),
            ("not (a = 1 and b in ())", "not (a = 1 and b in ())"),
            ("\"unit price\" > 1e3 and \"kind\" is null", "\"unit price\" > 1000.0 and \"kind\" is null"),
            (
                "priority >= 'high' and id in ('01980A5C-93F4-7B2E-8D11-6B5C0F7A2E9D')",
                "priority >= 'high' and id in ('01980a5c-93f4-7b2e-8d11-6b5c0f7a2e9d')",
            ),
            ("created_at < '2027-01-31T12:00:00+01:00'", "created_at < '2027-01-31T11:00:00Z'"),
            ("all and a = true or error contains 'x'", "a = true or error contains 'x'"),
        ] {
            assert_eq!(printed(text), expected);
            assert_eq!(printed(expected), expected);
        }
    }

    fn assert_mistakes(mistakes: &[(&str, usize, &str)]) {
        for (text, column, says) in mistakes {
            let error = text.parse::<Filter>().unwrap_err();
            assert_eq!(error.column, Some(*column), "{text}: {error}");
            assert!(error.to_string().contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn habit_of_another_language_is_answered_with_what_to_write() {
        assert_mistakes(&[
            ("a = 1 or order.id = 1", 10, "the name `order.id` is no plain word"),
            ("unit-price > 1", 1, "write it in double quotes, `\"unit-price\"`"),
            ("a =~ 'x'", 3, "`=~` is no operator: write `like 'eu-%'`"),
            ("a === 'x'", 3, "`===` is no operator: write one of ="),
            ("a = 1 && b = 2", 7, "`&&` is no operator: write `and`"),
            ("a = 1 || b = 2", 7, "`||` is no operator: write `or`"),
            ("!a exists", 1, "`!` is no operator: write `not`"),
            ("a in [1]", 6, "write a list in parentheses"),
            ("a between 1 and 5", 3, "`between` is no operator: write a range as `size >= 1 and size <= 5`"),
            ("a BETWEEN 1 and 5", 3, "`BETWEEN` is no operator: write a range"),
            ("a ends 'x'", 3, "`ends` stands where one of = != < <= > >= in like is exists should"),
            ("error ends 'x'", 7, "`ends` stands where `contains` should"),
            ("id ends 'x'", 4, "`ends` stands where one of = != in should"),
            ("dead", 1, "`dead` is a state: write `state = 'dead'`"),
            ("kind = 'x' and (running or dead)", 17, "write `state = 'running'`"),
            ("dead 5", 6, "5 stands where one of"),
            (
                "01980a5c-93f4-7b2e-8d11-6b5c0f7a2e9d",
                1,
                "is an id: write `id = '01980a5c-93f4-7b2e-8d11-6b5c0f7a2e9d'`",
            ),
            ("id = f47ac10b-58cc-4372-a567-0e02b2c3d479", 6, "write `id = 'f47ac10b-"),
            (
                "id in (01980a5c-93f4)",
                8,
                "`01980a5c-93f4` is no id of a job: that is a UUID, like '01980a5c-",
            ),
            ("region = \"eu\"", 10, "`eu` is no value: a text stands in single quotes, `'eu'`"),
            ("region = eu-west", 10, "a text stands in single quotes, `'eu-west'`"),
            ("region like eu", 13, "a text stands in single quotes, `'eu'`"),
        ]);
    }

    #[test]
    fn error_lists_every_state() {
        let error = "state = 'deceased'".parse::<Filter>().unwrap_err().to_string();
        let [.., list] = error.split("it is ").collect::<Vec<_>>()[..] else { unreachable!() };
        for state in list.split([',', ' ']).filter(|word| !matches!(*word, "" | "or")) {
            assert!(format!("state = {state}").parse::<Filter>().is_ok(), "{state}");
        }
        use JobState::{
            Blocked, Cancelled, Completed, Dead, Expired, Held, Limited, Ready, Running, Scheduled,
        };
        for state in [Blocked, Scheduled, Held, Limited, Ready, Running, Completed, Dead, Cancelled, Expired]
        {
            assert!(list.contains(&format!("'{state}'")), "{state} is not in {list}");
        }
    }

    #[test]
    fn mistake_is_reported_with_its_column() {
        assert_mistakes(&[
            ("", 1, "the text is empty: write `all`"),
            (" \n", 1, "the text is empty: write `all`"),
            ("a = 1 and", 10, "the end stands where the name of an attribute or a column should"),
            ("tenant = 'eu", 10, "the quote is not closed"),
            ("é = 1", 1, "the name `é` is no plain word: write it in double quotes, `\"é\"`"),
            ("a = 1 b = 2", 7, "`b` stands where `and`, `or` or the end should"),
            ("(a = 1", 7, "the end stands where `and`, `or` or `)` should"),
            ("a in (1, 2", 11, "the end stands where `,` or `)` should"),
            ("a = null", 5, "write `a is null`"),
            ("a not in (1)", 3, "`not` is no operator: write it before the whole test, `not size in (1, 2)`"),
            ("a is not null", 3, "`is not` is no operator: write `not size is null`"),
            ("a is 5", 6, "5 stands where `null` should"),
            ("a like 5", 8, "5 stands where a text in single quotes should"),
            ("a = b", 5, "two attributes cannot be compared"),
            ("a = (", 5, "`(` stands where a number, `true`, `false` or a text in single quotes should"),
            ("a = 12x", 5, "`12x` is no number"),
            ("a = 1e999", 5, "`1e999` is no number"),
            ("a = 9999999999999999999999999999999999999999", 5, "an integer has at most 38 digits"),
            (
                "priority = 'urgent'",
                12,
                "compared with 'urgent', and it is 'low', 'normal', 'high' or 'critical'",
            ),
            ("attempts > 'x'", 12, "`attempts` is compared with 'x', and it is a number"),
            ("a = 1 and state = 'deceased'", 19, "compared with 'deceased', and it is 'blocked'"),
            ("created_at > 'yesterday'", 14, "and it is a time, like '2027"),
            ("error = 'x'", 7, "write `error contains '…'`"),
            ("a contains 'x'", 3, "write `like '%…%'`"),
            ("a like 'x\\'", 8, "ends with a backslash"),
            ("\"\" exists", 1, "and this one is empty"),
            ("state > 'dead'", 7, "it has no order"),
        ]);
        let nested = "(".repeat(100_000);
        assert_eq!(nested.parse::<Filter>().unwrap_err().column, Some(65));
        let long = vec!["a = 1"; 10_000].join(" or ");
        assert!(long.parse::<Filter>().unwrap_err().to_string().contains("this one has 10000"));
    }
}
