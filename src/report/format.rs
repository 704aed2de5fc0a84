//! Numbers and times for people: thousands separated, durations in the unit that fits.

/// A count with its thousands separated: `1,234,567`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun: `1 record`, `2,000 records`.
pub fn counted(value: u64, noun: &str) -> String {
    let ending = if value == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(value))
}

/// A duration of milliseconds, rounded: `340 ms`, `9.1 s`, `2 min 05 s`, `1 h 05 min`.
pub fn duration_ms(ms: u64) -> String {
    let (tenths, seconds, minutes) = ((ms + 50) / 100, (ms + 500) / 1_000, (ms + 30_000) / 60_000);
    match (ms, tenths, seconds) {
        (0..1_000, ..) => format!("{ms} ms"),
        (_, 0..600, _) => format!("{}.{} s", tenths / 10, tenths % 10),
        (.., 0..3_600) => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", minutes / 60, minutes % 60),
    }
}

/// A duration of microseconds: `0.41 ms`, `4.2 ms`, then as [`duration_ms`].
pub fn duration_us(us: u32) -> String {
    match us {
        0..1_000 => format!("{:.2} ms", f64::from(us) / 1e3),
        1_000..10_000 => format!("{:.1} ms", f64::from(us) / 1e3),
        _ => duration_ms((u64::from(us) + 500) / 1_000),
    }
}

/// A moment of the run, for people, rounded: `12.3 s`. Never carries minutes, so that it can be found on a chart's axis.
pub fn moment_ms(ms: u64) -> String {
    let tenths = (ms + 50) / 100;
    format!("{}.{} s", count(tenths / 10), tenths % 10)
}

/// A value that may be missing, as a word for people.
pub fn or_dash<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "–".to_owned(), show)
}

/// A word that a POSIX shell takes as one argument, quoted only where it must be.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+@%,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Text that cannot move a terminal's cursor or change its colours: control characters become visible.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated_from_the_right() {
        let shown: Vec<_> = [0, 999, 1_000, 12_345, 1_234_567].into_iter().map(count).collect();
        assert_eq!(shown, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn durations_take_the_unit_that_fits() {
        let shown: Vec<_> = [0, 340, 1_000, 59_999, 60_000, 125_000, 3_600_000].into_iter().map(duration_ms).collect();
        assert_eq!(shown, ["0 ms", "340 ms", "1.0 s", "1 min 00 s", "1 min 00 s", "2 min 05 s", "1 h 00 min"]);
        let shown: Vec<_> = [7, 412, 4_240, 34_100, 9_100_000].into_iter().map(duration_us).collect();
        assert_eq!(shown, ["0.01 ms", "0.41 ms", "4.2 ms", "34 ms", "9.1 s"]);
    }

    #[test]
    fn a_path_with_a_space_or_a_quote_stays_one_argument() {
        assert_eq!(shell_word("reports/kill-one/scenario.toml"), "reports/kill-one/scenario.toml");
        assert_eq!(shell_word("my runs/it's"), r"'my runs/it'\''s'");
    }

    #[test]
    fn control_characters_are_made_visible() {
        assert_eq!(visible("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
    }
}
