//! Texts of unknown content, in a form that any database can store.

/// Cuts a text to at most `most` bytes, and ends it with three dots. NUL characters are replaced, because PostgreSQL
/// cannot store them.
#[must_use]
pub fn storable(text: &str, most: usize) -> String {
    let text = text.replace('\0', "\u{FFFD}");
    if text.len() <= most {
        return text;
    }
    // Not `…`: a database that is not in UTF-8 may lack it.
    format!("{}...", &text[..text.floor_char_boundary(most.saturating_sub(3))])
}

/// Returns the text in ASCII with each other character escaped, for example as `\u{2717}`, for a database whose
/// encoding lacks one of them. Returns `None` if the text is ASCII already.
#[must_use]
pub fn to_ascii(text: &str) -> Option<String> {
    let escaped = |c: char| if c.is_ascii() { c.to_string() } else { c.escape_unicode().to_string() };
    (!text.is_ascii()).then(|| text.chars().map(escaped).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(storable("a\0b", 100), "a\u{FFFD}b");
        assert_eq!(storable("ßßßßß", 10), "ßßßßß");
        assert_eq!(storable("ßßßßßß", 10), "ßßß...");
    }

    #[test]
    fn escaped_text_is_ascii() {
        assert_eq!(to_ascii("plain"), None);
        assert_eq!(to_ascii("a ✗ b").as_deref(), Some("a \\u{2717} b"));
    }
}
