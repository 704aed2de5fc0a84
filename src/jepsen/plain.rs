//! Numbers of Clojure's that are none of the EDN reader's: `1N`, `1.5M`, integers beyond 64 bits, `##NaN`. They stand in what is
//! not looked into, such as an exception's data, and must not cost the whole history.
//!
//! What has a value that fits is that value. What has not becomes a keyword that names it, which is a key or a value like any other,
//! and equal only to itself.

use std::borrow::Cow;

/// The text in numbers that the EDN reader reads; lines stay where they are.
pub fn plain(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut changed = String::new();
    // What of the text is in `changed` already.
    let mut done = 0;
    let mut at = 0;
    while let Some((start, token)) = next_token(text, at) {
        at = start + token.len();
        if let Some(plain) = plain_token(token) {
            changed.push_str(&text[done..start]);
            changed.push_str(&plain);
            done = at;
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    changed.push_str(&text[done..]);
    Cow::Owned(changed)
}

/// The next word that is in no string and no comment, from a place on that is in none either.
fn next_token(text: &str, from: usize) -> Option<(usize, &str)> {
    let bytes = text.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at),
            b';' => at = text[at..].find('\n').map_or(bytes.len(), |end| at + end),
            // A character, such as `\"`, is no string's beginning.
            b'\\' => at = (at + 2).min(bytes.len()),
            byte if is_word(byte) => {
                let end = (at..bytes.len()).find(|end| !is_word(bytes[*end])).unwrap_or(bytes.len());
                return Some((at, &text[at..end]));
            }
            _ => at += 1,
        }
    }
    None
}

/// The place after the string that begins here.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'#' | b'+'
                | b'-'
                | b'.'
                | b':'
                | b'/'
                | b'_'
                | b'?'
                | b'!'
                | b'*'
                | b'='
                | b'<'
                | b'>'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
        )
}

/// What a word is to the EDN reader, where that is something else.
fn plain_token(token: &str) -> Option<String> {
    if let Some(name) = token.strip_prefix("##") {
        return Some(format!(":{}", name.replace('-', "minus-")));
    }
    let digits = token.strip_prefix(['+', '-']).unwrap_or(token);
    if !digits.starts_with(|letter: char| letter.is_ascii_digit()) {
        return None;
    }
    if let Some(number) = token.strip_suffix('M').filter(|number| number.parse::<f64>().is_ok()) {
        return Some(number.to_owned());
    }
    let number = token.strip_suffix('N').unwrap_or(token);
    let is_integer = number.strip_prefix(['+', '-']).unwrap_or(number).bytes().all(|byte| byte.is_ascii_digit());
    match number.parse::<i64>() {
        _ if !is_integer => None,
        Ok(_) if number == token => None,
        Ok(_) => Some(number.to_owned()),
        Err(_) => Some(format!(":n{number}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_fit_are_themselves_and_others_are_keywords_that_name_them() {
        assert_eq!(plain("{:a 1N, :b -2N :c 1.5M}"), "{:a 1, :b -2 :c 1.5}");
        assert_eq!(
            plain("[123456789012345678901N -99999999999999999999]"),
            "[:n123456789012345678901 :n-99999999999999999999]"
        );
        assert_eq!(plain("[##NaN ##-Inf]"), "[:NaN :minus-Inf]");
    }

    #[test]
    fn nothing_else_is_changed() {
        for text in [
            "{:index 0, :f :send :value [[:send :x1N 7]]}",
            "{:m \"1N \\\" 2N\"} ; 3N\n{:c \\\" :d 4.25e3 :e 0x1F}",
            "",
            "\"open 1N",
        ] {
            assert!(matches!(plain(text), Cow::Borrowed(same) if same == text), "{text}");
        }
        assert_eq!(plain("\u{feff}{:a 1}"), "{:a 1}");
        assert_eq!(plain("{:m \"1N\" :n 1N}\n; 2N\n3N"), "{:m \"1N\" :n 1}\n; 2N\n3");
    }
}
