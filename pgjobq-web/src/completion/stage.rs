//! The end of the text of a filter, and what can stand there.

/// What can stand at a place of a filter. The names are those before it, as they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage<'t> {
    Test,
    Operator(&'t str),
    /// The parenthesis of a list.
    List(&'t str),
    Value {
        name: &'t str,
        in_list: bool,
    },
    /// A comma, or the end of a list.
    AfterItem(&'t str),
    Null,
    Connective,
}

/// The end of a text.
#[derive(Debug)]
pub(super) struct End<'t> {
    /// What can stand at `begin`.
    pub(super) stage: Stage<'t>,
    /// The place at which the last word or text begins, if it is not finished; else the end.
    pub(super) begin: usize,
}

/// A word, a text in quotes, a comparison, or a sign.
struct Token<'t> {
    text: &'t str,
    /// False if more characters could follow.
    finished: bool,
}

impl<'t> End<'t> {
    /// Reads a text. Returns `None` if it is wrong before its end.
    pub(super) fn of(text: &'t str) -> Option<Self> {
        let mut stage = Stage::Test;
        let mut begin = 0;
        loop {
            let rest = text[begin..].trim_start();
            begin = text.len() - rest.len();
            let token = Token::first(rest);
            let reaches_end = token.text.len() == rest.len();
            if reaches_end && !token.finished {
                return Some(Self { stage, begin });
            }
            stage = stage.after(token.text)?;
            begin += token.text.len();
        }
    }
}

impl<'t> Token<'t> {
    /// Returns the first token of a text that begins with one; of an empty text, an empty one that is not finished.
    fn first(text: &'t str) -> Self {
        let up_to = |end: Option<usize>| &text[..end.unwrap_or(text.len())];
        match text.chars().next() {
            Some(quote @ ('\'' | '"')) => match closing(text, quote) {
                Some(end) => Self { text: &text[..end], finished: true },
                None => Self { text, finished: false },
            },
            Some('(' | ')' | ',') => Self { text: &text[..1], finished: true },
            Some('=' | '!' | '<' | '>') => {
                Self { text: up_to(text.find(|c| !"=!<>".contains(c))), finished: true }
            }
            _ => {
                let end = text.find(|c: char| c.is_whitespace() || "'\"(),=!<>".contains(c));
                Self { text: up_to(end), finished: false }
            }
        }
    }
}

/// Returns the end of a text in quotes, in which a doubled quote is one character.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut at = 1;
    loop {
        at += text[at..].find(quote)? + 1;
        if !text[at..].starts_with(quote) {
            return Some(at);
        }
        at += 1;
    }
}

impl<'t> Stage<'t> {
    /// Returns what can stand after a token.
    fn after(self, token: &'t str) -> Option<Self> {
        let is = |word: &str| token.eq_ignore_ascii_case(word);
        let is_word = token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '"');
        let is_value = !token.starts_with(['(', ')', ',', '=', '!', '<', '>', '"']);
        match self {
            Self::Test if is("not") || token == "(" => Some(Self::Test),
            Self::Test if is("all") => Some(Self::Connective),
            Self::Test if is_word => Some(Self::Operator(token)),
            Self::Operator(name) if is("in") => Some(Self::List(name)),
            Self::Operator(_) if is("is") => Some(Self::Null),
            Self::Operator(_) if is("exists") => Some(Self::Connective),
            Self::Operator(name)
                if is("like") || is("contains") || token.starts_with(['=', '!', '<', '>']) =>
            {
                Some(Self::Value { name, in_list: false })
            }
            Self::List(name) if token == "(" => Some(Self::Value { name, in_list: true }),
            Self::Value { name, in_list: true } if is_value => Some(Self::AfterItem(name)),
            Self::Value { .. } if is_value => Some(Self::Connective),
            Self::AfterItem(name) if token == "," => Some(Self::Value { name, in_list: true }),
            Self::AfterItem(_) if token == ")" => Some(Self::Connective),
            Self::Null if is("null") => Some(Self::Connective),
            Self::Connective if is("and") || is("or") => Some(Self::Test),
            Self::Connective if token == ")" => Some(self),
            _ => None,
        }
    }
}
