//! Code as its author would write it, for messages: the compiler prints `Plan :: Pro { seats : 3 }`.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// Returns the code as text.
pub(crate) fn written(tokens: TokenStream) -> String {
    let mut text = String::new();
    let mut glued = true; // No space before the first token.
    let mut operator = String::new();
    for token in tokens {
        let piece = match &token {
            TokenTree::Punct(punct) => {
                operator.push(punct.as_char());
                if punct.spacing() == Spacing::Joint && punct.as_char() != '&' {
                    continue;
                }
                std::mem::take(&mut operator)
            }
            TokenTree::Group(group) => {
                let inner = written(group.stream());
                match group.delimiter() {
                    Delimiter::Parenthesis => format!("({inner})"),
                    Delimiter::Bracket => format!("[{inner}]"),
                    Delimiter::Brace if inner.is_empty() => "{}".to_owned(),
                    Delimiter::Brace => format!("{{ {inner} }}"),
                    Delimiter::None => inner,
                }
            }
            other => other.to_string(),
        };
        let is_called = piece.starts_with(['(', '['])
            && text.ends_with(|c: char| c.is_alphanumeric() || "_!)]".contains(c));
        let is_attached = matches!(&*piece, "," | ";" | ":" | "." | "?" | "::" | "!") || is_called;
        if !glued && !is_attached {
            text.push(' ');
        }
        glued = matches!(&*piece, "." | "&" | "!" | "::" | "*");
        text.push_str(&piece);
    }
    text + &operator
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::written;

    #[test]
    fn code_is_spaced_as_people_do() {
        for (code, text) in [
            (quote!(user == "a : b"), r#"user == "a : b""#),
            (quote!(plan: Plan::Pro { .. }), "plan: Plan::Pro { .. }"),
            (quote!(plan: Plan::Pro { seats: 2..=4, .. }), "plan: Plan::Pro { seats: 2 ..= 4, .. }"),
            (quote!(at <= self.names(1, x)[0].len()), "at <= self.names(1, x)[0].len()"),
            (quote!(user == &*name), "user == &*name"),
        ] {
            assert_eq!(written(code), text);
        }
    }
}
