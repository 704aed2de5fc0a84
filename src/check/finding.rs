//! Where a checker puts what it finds, and how that becomes an answer: found makes invalid, doubt makes unknown, and
//! nothing examined is never valid.

use crate::anomaly::{Anomaly, CheckName, CheckResult, Validity};

/// How many violations of one check are kept with their witnesses. `found` counts on: a broken cluster may lose millions,
/// and nobody reads more than these.
pub const KEPT: usize = 100_000;

/// What one checker has found so far.
#[derive(Debug)]
pub struct Findings {
    check: CheckName,
    /// How many things it examined.
    pub examined: u64,
    found: u64,
    legal: u64,
    anomalies: Vec<Anomaly>,
    doubts: Vec<String>,
    remarks: Vec<String>,
}

impl Findings {
    /// Nothing found yet.
    pub fn of(check: CheckName) -> Self {
        Self { check, examined: 0, found: 0, legal: 0, anomalies: Vec::new(), doubts: Vec::new(), remarks: Vec::new() }
    }

    /// Takes a violation; its witness is made only while there is room for it.
    pub fn violation(&mut self, witness: impl FnOnce() -> Anomaly) {
        self.found += 1;
        if self.anomalies.len() < KEPT {
            self.anomalies.push(Anomaly { check: self.check, ..witness() });
        }
    }

    /// Takes so many things that would be violations if the scenario did not allow them: they are counted, and change nothing.
    pub fn legal(&mut self, count: u64) {
        self.legal += count;
    }

    /// Takes a reason why nobody can tell.
    pub fn doubt(&mut self, sentence: impl Into<String>) {
        self.doubts.push(sentence.into());
    }

    /// Takes several reasons why nobody can tell.
    pub fn doubts(&mut self, sentences: &[String]) {
        self.doubts.extend_from_slice(sentences);
    }

    /// Takes something that a reader should know and that changes nothing.
    pub fn remark(&mut self, sentence: impl Into<String>) {
        self.remarks.push(sentence.into());
    }

    /// The answer.
    pub fn finish(mut self) -> CheckResult {
        if self.found > self.anomalies.len() as u64 {
            self.remarks.push(format!(
                "Only the first {} of {} violations are listed.",
                self.anomalies.len(),
                self.found
            ));
        }
        if self.examined == 0 && self.found == 0 && self.doubts.is_empty() {
            self.doubts.push("Nothing was examined.".to_owned());
        }
        let validity = match (self.found, self.doubts.is_empty()) {
            (1.., _) => Validity::Invalid,
            (0, false) => Validity::Unknown,
            (0, true) => Validity::Valid,
        };
        self.answer(validity)
    }

    /// The answer of a check that the scenario gives nothing to examine by construction.
    pub fn not_applicable(mut self, why: &str) -> CheckResult {
        self.remarks.push(why.to_owned());
        self.answer(Validity::Valid)
    }

    /// The answer of a check that nobody could make here, whatever is true.
    pub fn skipped(mut self, why: impl Into<String>) -> CheckResult {
        self.remarks.push(why.into());
        self.answer(Validity::Skipped)
    }

    fn answer(self, validity: Validity) -> CheckResult {
        let mut notes = self.doubts;
        notes.extend(self.remarks);
        let Self { check, examined, found, legal, anomalies, .. } = self;
        CheckResult { check, validity, examined, found: found + legal, anomalies, notes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_examined_is_never_valid() {
        let answer = Findings::of(CheckName::Duplicate).finish();
        assert_eq!(answer.validity, Validity::Unknown);
        assert_eq!(answer.notes, ["Nothing was examined."]);
    }

    #[test]
    fn what_is_legal_is_counted_and_no_violation() {
        let mut findings = Findings::of(CheckName::Redelivery);
        findings.examined = 9;
        findings.legal(4);
        let answer = findings.finish();
        assert_eq!((answer.validity, answer.found), (Validity::Valid, 4));
    }

    #[test]
    fn doubt_is_unknown_whatever_was_examined() {
        let mut findings = Findings::of(CheckName::Duplicate);
        findings.examined = 9;
        findings.doubt("The light was off.");
        assert_eq!(findings.finish().validity, Validity::Unknown);
    }
}
