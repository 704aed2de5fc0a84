//! `verdict.json`: the verdict as it is, for machines that decide what happens next.

use crate::verdict::Verdict;

/// The file's bytes: pretty JSON, one trailing newline.
pub fn verdict(verdict: &Verdict) -> Vec<u8> {
    // Every map in a verdict has string keys and every number is finite, so that this cannot fail.
    let mut bytes = serde_json::to_vec_pretty(verdict).expect("a verdict is plain data");
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn the_verdict_of_a_valid_run() {
        insta::assert_snapshot!(String::from_utf8(verdict(&fixture::valid().verdict)).expect("UTF-8"));
    }

    #[test]
    fn a_verdict_survives_a_round_trip() {
        for report in [fixture::valid(), fixture::invalid(), fixture::inconclusive()] {
            let read: Verdict = serde_json::from_slice(&verdict(&report.verdict)).expect("valid JSON");
            assert_eq!(read, report.verdict);
        }
    }
}
