//! Completes the text of a filter: the field for filters offers what can stand at its end.

pub(crate) mod names;
mod offers;
mod stage;

use self::names::Names;
use self::stage::End;

/// The largest number of completions.
const MOST_COMPLETIONS: usize = 300;
/// The longest text that is completed, in bytes. Each completion repeats it.
const LONGEST_TEXT: usize = 1000;

/// Returns texts that begin with this one, and go on with one more word, value or test.
pub(crate) fn completions(text: &str, names: &Names<'_>) -> Vec<String> {
    let end = if text.len() <= LONGEST_TEXT { End::of(text) } else { None };
    let Some(End { stage, begin }) = end else { return Vec::new() };
    let (before, part) = text.split_at(begin);
    let touches = !before.is_empty() && !before.ends_with(|c: char| c.is_whitespace() || c == '(');
    let completed = |offer: String| {
        let space = if touches && !offer.starts_with([',', ')']) { " " } else { "" };
        format!("{before}{space}{offer}")
    };
    let fitting = offers::at(&stage, names).into_iter().filter(|offer| goes_on(part, offer));
    fitting.take(MOST_COMPLETIONS).map(completed).collect()
}

/// Returns whether an offer begins with a part, and is more than that.
fn goes_on(part: &str, offer: &str) -> bool {
    offer.len() > part.len() && offer.get(..part.len()).is_some_and(|start| start.eq_ignore_ascii_case(part))
}

#[cfg(test)]
mod tests {
    use pgjobq::filter::Filter;

    use super::*;

    fn completed(text: &str) -> Vec<String> {
        let names = Names { queues: vec!["default", "mail"], kinds: vec!["send_receipt", "it's"] };
        completions(text, &names)
    }

    fn assert_offered(text: &str, expected: &[&str]) {
        let offered = completed(text);
        for completion in expected {
            assert!(offered.iter().any(|offer| offer == completion), "`{text}`: {offered:?}");
        }
    }

    #[test]
    fn tests_names_states_and_operators_are_completed() {
        let all = ["state = 'dead'", "queue = 'mail'", "kind = 'it''s'", "priority ", "not "];
        assert_offered("", &all);
        assert_offered("sta", &["state ", "state = 'dead'"]);
        assert_eq!(completed("state = 'de"), ["state = 'dead'"]);
        assert_eq!(completed("state ="), completed("state = "));
        assert_eq!(completed("QUEUE = 'M"), ["QUEUE = 'mail'"]);
        assert_eq!(completed("kind in ('it''s', 's"), ["kind in ('it''s', 'send_receipt'"]);
        assert_eq!(completed("kind in ('it''s'"), ["kind in ('it''s', '", "kind in ('it''s')"]);
        assert_eq!(completed("state = 'dead'"), ["state = 'dead' and ", "state = 'dead' or "]);
        assert_eq!(completed("state = 'dead' a"), ["state = 'dead' and "]);
        assert_offered("not (queue = 'mail' or ki", &["not (queue = 'mail' or kind = 'send_receipt'"]);
        assert_offered("priority >= ", &["priority >= 'high'"]);
        assert_eq!(completed("error "), ["error contains '"]);
        assert_offered("tenant ", &["tenant = ", "tenant exists", "tenant like '"]);
        assert_offered("\"kind\" ", &["\"kind\" exists"]);
        assert_eq!(completed("key is "), ["key is null"]);
    }

    #[test]
    fn finished_and_wrong_texts_have_no_completion() {
        for text in ["all", "attempts > 3", "key = 'x", ") and", "state state state ", "= 3 ", "in (", "é = "]
        {
            assert_eq!(completed(text), [""; 0], "`{text}`");
        }
        assert_eq!(completed(&format!("key = '{}' ", "x".repeat(LONGEST_TEXT))), [""; 0]);
    }

    #[test]
    fn every_completion_begins_a_valid_filter() {
        let id = "01980a5c-93f4-7b2e-8d11-6b5c0f7a2e9d";
        let values = ["x", "high", "dead", "2027-01-31T12:00:00Z", id];
        let mut ends: Vec<String> = ["", "1", "= 1", "kind = 'x'", "contains 'x'"].map(str::to_owned).into();
        ends.extend(
            values
                .iter()
                .flat_map(|value| [format!("{value}'"), format!("> '{value}'"), format!("= '{value}'")]),
        );
        let is_filter = |text: String| text.parse::<Filter>().is_ok();
        let begins_filter = |text: &str| {
            ends.iter()
                .any(|end| ["", ")", "))"].iter().any(|close| is_filter(format!("{text}{end}{close}"))))
        };
        let mut seen = 0;
        let mut texts =
            vec!["".to_owned(), "not (".to_owned(), "tenant ".to_owned(), "created_at ".to_owned()];
        for _ in 0..3 {
            let next: Vec<_> = texts.iter().flat_map(|text| completed(text)).collect();
            for text in &next {
                assert!(begins_filter(text), "`{text}` begins no filter");
            }
            seen += next.len();
            texts = next.into_iter().step_by(3).collect();
        }
        assert!(seen > 200, "{seen}");
    }
}
