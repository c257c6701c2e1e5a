//! Numbers as people read them.

/// Three digits, with commas between thousands.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => grouped(value.round() as i64),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 || value == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_or_commas() {
        let texts = [0.0, 0.0123, 0.5, 1.234, 12.34, 123.4, 1234.0, 103_803.4, 10_000_000.0].map(short);
        assert_eq!(texts, ["0.00", "0.012", "0.50", "1.23", "12.3", "123", "1,234", "103,803", "10,000,000"]);
    }
}
