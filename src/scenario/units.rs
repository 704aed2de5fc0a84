//! Quantities as people write them: `"10s"`, `"5000/s"`, `"1KiB"`. A number without its unit is refused, because nobody
//! can tell whether `30` meant seconds or milliseconds.

use std::time::Duration;

use bytesize::ByteSize;

use super::Rate;

/// No wait in a scenario is longer: it would be a slip of the pen, and sums of waits stay far from overflow.
pub const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// More than any client can send; what is meant is `"max"`.
const FASTEST_PER_SECOND: f64 = 10_000_000.0;

/// The text is no such quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAQuantity {
    /// What is wrong, as a clause that follows the quoted text: "has no unit".
    pub what: String,
    /// How to write it.
    pub help: String,
}

fn refuse<T>(what: impl Into<String>, help: impl Into<String>) -> Result<T, NotAQuantity> {
    Err(NotAQuantity { what: what.into(), help: help.into() })
}

fn is_bare_number(text: &str) -> bool {
    !text.is_empty() && text.trim().parse::<f64>().is_ok()
}

/// `10s`, `500ms`, `1m 30s`: whole milliseconds, at most a week.
pub fn duration(text: &str) -> Result<Duration, NotAQuantity> {
    const UNITS: &str = "durations carry their unit: \"500ms\", \"10s\", \"2m\", \"1m 30s\"";
    if is_bare_number(text) {
        return refuse("has no unit", format!("write \"{}s\" for seconds, or \"{0}ms\" for milliseconds", text.trim()));
    }
    let Ok(duration) = humantime::parse_duration(text) else {
        return refuse("is not a duration", UNITS);
    };
    if duration > LONGEST {
        return refuse("is longer than a week", "no part of a run takes that long");
    }
    if duration.subsec_nanos() % 1_000_000 != 0 {
        return refuse("is finer than a millisecond", "write whole milliseconds, such as \"1ms\"");
    }
    Ok(duration)
}

/// `5000/s`, `0.5/s` or `max`.
pub fn rate(text: &str) -> Result<Rate, NotAQuantity> {
    const FORMS: &str = "rates are records a second, \"5000/s\", or \"max\" for as fast as it goes";
    let text = text.trim();
    if text == "max" {
        return Ok(Rate::Max);
    }
    if is_bare_number(text) {
        return refuse("has no unit", format!("write \"{text}/s\" for records a second"));
    }
    let Some(per_second) = text.strip_suffix("/s").and_then(|number| number.trim().parse::<f64>().ok()) else {
        return refuse("is not a rate", FORMS);
    };
    if per_second <= 0.0 || !per_second.is_finite() {
        return refuse("sends nothing", "a producer sends at more than 0/s; leave it out if it shall not send");
    }
    if per_second > FASTEST_PER_SECOND {
        return refuse("is faster than any client", "write \"max\" for as fast as it goes");
    }
    Ok(Rate::PerSecond(per_second))
}

/// `128B`, `1KiB`, `1.5MB`.
pub fn size(text: &str) -> Result<u64, NotAQuantity> {
    if is_bare_number(text) {
        return refuse("has no unit", format!("write \"{}B\" for bytes, \"{0}KiB\" or \"{0}MiB\"", text.trim()));
    }
    match text.trim().parse::<ByteSize>() {
        Ok(size) => Ok(size.as_u64()),
        Err(_) => {
            refuse("is not a size", "sizes carry their unit: \"128B\", \"1KiB\" (1024), \"1kB\" (1000), \"2MiB\"")
        }
    }
}

/// A size, or a range of sizes with both ends included: `128B` or `128B..1KiB`.
pub fn size_range(text: &str) -> Result<(u64, u64), NotAQuantity> {
    let Some((low, high)) = text.split_once("..") else {
        return size(text).map(|size| (size, size));
    };
    let (low, high) = (size(low)?, size(high.trim_start_matches('='))?);
    if low > high {
        return refuse("runs backwards", "write the smaller size first: \"128B..1KiB\"");
    }
    Ok((low, high))
}

/// `1MiB/s` or `10mbit/s`: bytes a second, at least one.
pub fn byte_rate(text: &str) -> Result<u64, NotAQuantity> {
    const FORMS: &str = "rates of bytes are \"1MiB/s\" or \"500kB/s\", of bits \"10mbit/s\" or \"512kbit/s\"";
    if is_bare_number(text) {
        return refuse("has no unit", format!("write \"{}kB/s\"; {FORMS}", text.trim()));
    }
    let Some(amount) = text.trim().strip_suffix("/s").map(str::trim) else {
        return refuse("is not a rate of bytes", FORMS);
    };
    if is_bare_number(amount) {
        return refuse("has no unit", format!("write \"{amount}kB/s\"; {FORMS}"));
    }
    let bits = |amount: &str| {
        let prefix = amount.strip_suffix("bit")?;
        let (number, factor) = match prefix.strip_suffix('k') {
            Some(number) => (number, 1e3),
            None => match prefix.strip_suffix('m') {
                Some(number) => (number, 1e6),
                None => prefix.strip_suffix('g').map_or((prefix, 1.0), |number| (number, 1e9)),
            },
        };
        Some(number.trim().parse::<f64>().ok()? * factor / 8.0)
    };
    let bytes = bits(amount).or_else(|| amount.parse::<ByteSize>().ok().map(|size| size.as_u64() as f64));
    match bytes {
        Some(bytes) if (1.0..=1e12).contains(&bytes) => Ok(whole(bytes)),
        Some(_) => refuse("is no rate that a link has", "write a rate between 1B/s and 1TB/s"),
        None => refuse("is not a rate of bytes", FORMS),
    }
}

/// `5%` or `0.01%`, in millionths; more than none and at most all.
pub fn ratio(text: &str) -> Result<u32, NotAQuantity> {
    const FORMS: &str = "shares are written \"5%\" or \"0.1%\", from \"0.0001%\" to \"100%\"";
    if is_bare_number(text) {
        return refuse("has no unit", format!("write \"{}%\"", text.trim()));
    }
    let Some(percent) = text.trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok()) else {
        return refuse("is not a share", FORMS);
    };
    let millionths = (percent * 1e4).round();
    if !(1.0..=1e6).contains(&millionths) {
        return refuse("is not a share between nothing and all", FORMS);
    }
    Ok(u32::try_from(whole(millionths)).expect("at most a million"))
}

/// A number whose range has been looked at.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "its callers look at the range first")]
fn whole(number: f64) -> u64 {
    number as u64
}

/// `4s` or `4s..9s`: a duration, or a range of them with both ends included.
pub fn duration_range(text: &str) -> Result<(Duration, Duration), NotAQuantity> {
    let Some((low, high)) = text.split_once("..") else {
        return duration(text).map(|duration| (duration, duration));
    };
    let (low, high) = (duration(low)?, duration(high.trim_start_matches('='))?);
    if low > high {
        return refuse("runs backwards", "write the shorter duration first: \"4s..9s\"");
    }
    Ok((low, high))
}

/// A duration as these files write it: `1m 30s`, and `0s` for none.
pub fn show(duration: Duration) -> String {
    if duration.is_zero() { "0s".to_owned() } else { humantime::format_duration(duration).to_string() }
}

/// `1 broker`, `3 brokers`.
pub fn plural(count: u32, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_duration_carries_its_unit() {
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for text in ["", "10", "0", "soon", "-1s", "10 parsecs", "5us", "2weeks", "99999999999999999999s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rate_is_a_second_or_max() {
        assert_eq!(rate("5000/s"), Ok(Rate::PerSecond(5000.0)));
        assert_eq!(rate("0.5/s"), Ok(Rate::PerSecond(0.5)));
        assert_eq!(rate("max"), Ok(Rate::Max));
        for text in ["", "5000", "5000/min", "-1/s", "0/s", "inf/s", "NaN/s", "1e9/s", "/s"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rate_of_bytes_may_be_written_in_bits() {
        assert_eq!(byte_rate("1MiB/s"), Ok(1 << 20));
        assert_eq!(byte_rate("10mbit/s"), Ok(1_250_000));
        assert_eq!(byte_rate("512 kbit/s"), Ok(64_000));
        for text in ["", "1MiB", "10mbit", "0B/s", "fast/s", "10", "-1kB/s", "9999999TB/s"] {
            assert!(byte_rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_is_a_percentage() {
        assert_eq!(ratio("5%"), Ok(50_000));
        assert_eq!(ratio("0.01 %"), Ok(100));
        assert_eq!(ratio("100%"), Ok(1_000_000));
        for text in ["", "5", "0.05", "0%", "101%", "-1%", "all", "NaN%"] {
            assert!(ratio(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_duration_may_be_a_range() {
        assert_eq!(duration_range("4s..9s"), Ok((Duration::from_secs(4), Duration::from_secs(9))));
        assert_eq!(duration_range("4s"), Ok((Duration::from_secs(4), Duration::from_secs(4))));
        for text in ["", "9s..4s", "4..9", "4s..", "..", "4"] {
            assert!(duration_range(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_size_may_be_a_range() {
        assert_eq!(size_range("1KiB"), Ok((1024, 1024)));
        assert_eq!(size_range("128B..1KiB"), Ok((128, 1024)));
        for text in ["", "128", "1KiB..128B", "..", "128B..", "-1B", "big"] {
            assert!(size_range(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_shown_duration_is_read_back(millis in 1_u64..600_000_000) {
            let written = Duration::from_millis(millis);
            prop_assert_eq!(duration(&show(written)), Ok(written));
        }

        #[test]
        fn no_text_makes_a_unit_panic(text in ".{0,20}") {
            let _ = (duration(&text), rate(&text), size_range(&text));
        }
    }
}
