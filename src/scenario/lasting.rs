//! A scenario that disturbs for longer, or shorter, than its file says.
//!
//! The text itself is changed, and read like any other: what the run's directory keeps is what ran.

use std::time::Duration;

use toml::de::{DeTable, DeValue};

/// The text with `chaos` for the length of its chaos phase. A text that is no TOML stays as it is; reading it says what is wrong.
pub(super) fn lasting(text: &str, chaos: Duration) -> String {
    let chaos = format!("\"{}\"", humantime::format_duration(chaos));
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return text.to_owned();
    }
    let Some(written) = table.get_ref().get("phases") else {
        return format!("{}\n\n[phases]\nchaos = {chaos}\n", text.trim_end());
    };
    // What is no table is refused when it is read.
    let DeValue::Table(phases) = written.get_ref() else { return text.to_owned() };
    if let Some(written) = phases.get("chaos") {
        let span = written.span();
        return [&text[..span.start], &chaos, &text[span.end..]].concat();
    }
    // An empty table has nothing to stand before: a `[phases]`, whose place is its header, or `{}`.
    let Some(first) = phases.keys().map(|key| key.span().start).min() else {
        let (before, after) = text.split_at(written.span().end);
        return match before.strip_suffix('}') {
            Some(open) => format!("{open}chaos = {chaos}}}{after}"),
            None => format!("{before}\nchaos = {chaos}{after}"),
        };
    };
    let line = text[..first].rfind('\n').map_or(0, |end| end + 1);
    let before = text[line..first].trim();
    match before {
        "" => format!("{}chaos = {chaos}\n{}", &text[..first], &text[first..]),
        _ if before.ends_with('.') => format!("{}phases.chaos = {chaos}\n{}", &text[..line], &text[line..]),
        _ => format!("{}chaos = {chaos}, {}", &text[..first], &text[first..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &str = "name = \"long\"\n[[topic]]\nname = \"chat\"\n";

    fn chaos(text: &str) -> Duration {
        let changed = lasting(text, Duration::from_secs(3600));
        let Ok(table) = changed.parse::<toml::Table>() else { panic!("no TOML any more: {changed}") };
        let chaos = table["phases"]["chaos"].as_str().map(ToOwned::to_owned).expect("a duration");
        humantime::parse_duration(&chaos).expect("a duration")
    }

    #[test]
    fn the_chaos_phase_gets_its_length_wherever_and_however_the_phases_are_written() {
        let hour = Duration::from_secs(3600);
        for phases in [
            "",
            "[phases]\n",
            "# [phases]\n[phases] # by default\n",
            "[phases]\nwarmup = \"2s\" # short\nchaos = '30s' # as long as it takes\ndrain = \"9s\"\n",
            "[phases]\n  warmup = \"2s\"\n",
            "[phases]\nwarmup = \"2s\"\n[expect]\nduplicate = \"allowed\"\n",
        ] {
            assert_eq!(chaos(&format!("{REST}{phases}")), hour, "{phases}");
        }
        assert_eq!(chaos(&format!("phases = {{ warmup = \"2s\", chaos = \"30s\" }}\n{REST}")), hour);
        assert_eq!(chaos(&format!("phases = {{ warmup = \"2s\" }}\n{REST}")), hour);
        assert_eq!(chaos(&format!("phases = {{}}\n{REST}")), hour);
        assert_eq!(chaos(&format!("phases.warmup = \"2s\"\n{REST}")), hour);
    }

    #[test]
    fn nothing_else_is_changed() {
        let text = "# a comment\nname = \"long\"\n[phases]\nwarmup = \"2s\" # short\nchaos = \"30s\" # why\n";
        assert_eq!(lasting(text, Duration::from_secs(90)), text.replace("30s", "1m 30s"));
        assert_eq!(lasting("name = \n", Duration::from_secs(90)), "name = \n");
    }
}
