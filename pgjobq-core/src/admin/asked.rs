//! The person or program that asks for a change, and its reason.

use crate::db::text::to_ascii;

/// The person who asks for a change, and the reason, as the caller wrote them. PostgreSQL stores no NUL character: it is dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    by: Option<String>,
    reason: Option<String>,
}

impl Asked {
    pub(crate) fn set_by(&mut self, who: String) {
        self.by = Some(who.replace('\0', ""));
    }

    pub(crate) fn set_reason(&mut self, reason: String) {
        self.reason = Some(reason.replace('\0', ""));
    }

    pub(crate) fn by(&self) -> Option<&str> {
        self.by.as_deref()
    }

    pub(crate) fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Escapes the characters that are not ASCII, for a database whose encoding lacks one of them. Returns false if there are none.
    pub(crate) fn escape(&mut self) -> bool {
        let mut has_escaped = false;
        for text in [&mut self.by, &mut self.reason].into_iter().flatten() {
            if let Some(ascii) = to_ascii(text) {
                *text = ascii;
                has_escaped = true;
            }
        }
        has_escaped
    }
}
