//! Sentences in which names stand between backticks.

use askama::filters::{Html, escape};

/// Returns a sentence as HTML: escaped, and with the names between backticks as code.
pub(crate) fn prose(text: &str) -> String {
    let parts: Vec<_> = text.split('`').collect();
    let mut html = String::with_capacity(text.len() + 16);
    for (place, part) in parts.iter().enumerate() {
        let Ok(part) = escape(part, Html);
        match place % 2 == 1 {
            true if place + 1 < parts.len() => html.push_str(&format!("<code>{part}</code>")),
            true => html.push_str(&format!("`{part}")),
            false => html.push_str(&part.to_string()),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_code_and_signs_are_escaped() {
        assert_eq!(prose("the queue `a<b` is paused"), "the queue <code>a&#60;b</code> is paused");
        assert_eq!(prose("`<i>` and `\"x"), "<code>&#60;i&#62;</code> and `&#34;x");
    }
}
