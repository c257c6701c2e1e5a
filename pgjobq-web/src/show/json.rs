//! JSON, for people.

/// The most bytes of one JSON text that a page shows.
const MOST_BYTES: usize = 64 << 10;

/// Indents JSON text as it is: a number keeps every digit. Text that is no JSON is only indented strangely. Returns whether it was cut as
/// well, because it is too long for a page.
pub(crate) fn pretty(json: &str) -> (String, bool) {
    let (mut out, mut depth, mut in_text, mut escaped) = (String::new(), 0_usize, false, false);
    let mut rest = json.chars().peekable();
    while let Some(sign) = rest.next() {
        if out.len() > MOST_BYTES {
            return (out, true);
        }
        if in_text {
            out.push(sign);
            (in_text, escaped) = (escaped || sign != '"', !escaped && sign == '\\');
            continue;
        }
        match sign {
            '"' => {
                in_text = true;
                out.push(sign);
            }
            '{' | '[' => {
                out.push(sign);
                while rest.next_if(|next| next.is_whitespace()).is_some() {}
                if let Some(end) = rest.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(sign);
            }
            ',' => {
                out.push(sign);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            sign if sign.is_whitespace() => {}
            sign => out.push(sign),
        }
    }
    (out, false)
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth.min(40)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_and_keeps_every_digit() {
        let json = r#"{"id": 9223372036854775808, "a": [1.10, {"b": "x, \"{y}\" "}], "c": {}, "d": [ ]}"#;
        let expected = r#"{
  "id": 9223372036854775808,
  "a": [
    1.10,
    {
      "b": "x, \"{y}\" "
    }
  ],
  "c": {},
  "d": []
}"#;
        assert_eq!(pretty(json), (expected.to_owned(), false));
    }

    #[test]
    fn long_json_is_cut() {
        let (shown, cut) = pretty(&format!("\"{}\"", "ü".repeat(MOST_BYTES)));
        assert!(cut && shown.len() < MOST_BYTES + 10);
        let (deep, _) = pretty(&"[".repeat(100_000));
        assert!(deep.len() < 2 * MOST_BYTES);
    }
}
