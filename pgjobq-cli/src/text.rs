//! Texts, times and numbers as a terminal shows them.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

/// Returns a line without what would control a terminal: the kind, the error or the key of a job may be hostile.
pub(crate) fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for letter in line.chars() {
        if letter.is_control() || is_format(letter) {
            let _ = write!(text, "{}", letter.escape_unicode());
        } else {
            text.push(letter);
        }
    }
    text
}

/// Returns JSON without characters that would control a terminal. They stand only within its strings, where an escape is the same
/// character; line ends and tabs also stand between its values.
pub(crate) fn plain_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        if matches!(letter, '\n' | '\r' | '\t') || !letter.is_control() && !is_format(letter) {
            text.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

/// Returns whether a character reorders or hides others.
fn is_format(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Returns the first line of a text, cut to this number of characters.
pub(crate) fn first_line(text: &str, most: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= most {
        return line.to_owned();
    }
    let kept: String = line.chars().take(most.saturating_sub(1)).collect();
    kept + "…"
}

/// Returns a time as RFC 3339, to the second.
pub(crate) fn moment(at: SystemTime) -> String {
    humantime::format_rfc3339_seconds(at).to_string()
}

/// Returns a duration in its two largest units: `2h 5m`.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let Some(first) = units.iter().position(|(unit, _)| seconds >= *unit) else { return "0s".to_owned() };
    let (unit, name) = units[first];
    let largest = format!("{}{name}", seconds / unit);
    match units.get(first + 1) {
        Some((next, name)) if seconds % unit >= *next => format!("{largest} {}{name}", seconds % unit / next),
        _ => largest,
    }
}

/// Returns a count, with a mark if it is an estimate. One below ten thousand is exact.
pub(crate) fn count(count: u64, exact: bool) -> String {
    part(count, exact || count < 10_000)
}

/// Returns a number with its noun: `1 job`, `2 jobs`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Returns a count, with a mark if it is an estimate, or that of a part.
pub(crate) fn part(count: u64, exact: bool) -> String {
    format!("{}{count}", if exact { "" } else { "~" })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_controls_no_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\rc\u{202e}d"), "a\\u{1b}[2Jb\\u{d}c\\u{202e}d");
        assert_eq!(plain("plain — ünïcode 日本"), "plain — ünïcode 日本");
    }

    #[test]
    fn escaped_json_is_the_same_value() {
        let hostile = "a\u{7f}\u{9b}31m\u{202e}\u{61c}\u{e0041}\u{1b}z \" \\ ü";
        let json = serde_json::to_string_pretty(&[hostile]).unwrap();
        let escaped = plain_json(&json);
        assert!(escaped.contains(r"a\u007f\u009b31m\u202e\u061c\udb40\udc41\u001bz"), "{escaped}");
        assert!(escaped.chars().all(|letter| letter == '\n' || !letter.is_control()), "{escaped:?}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&escaped).unwrap(), [hostile]);
    }

    #[test]
    fn span_has_its_two_largest_units() {
        let of = |seconds| span(Duration::from_secs(seconds));
        assert_eq!([of(0), of(59), of(60), of(3_599)], ["0s", "59s", "1m", "59m 59s"]);
        assert_eq!([of(3_601), of(7_500), of(90_000)], ["1h", "2h 5m", "1d 1h"]);
    }

    #[test]
    fn long_line_is_cut_between_characters() {
        assert_eq!(first_line("äöüß\nnext", 4), "äöüß");
        assert_eq!(first_line("äöüßx", 4), "äöü…");
        assert_eq!(first_line("", 4), "");
    }
}
