//! What the process tells its caller. Stable: CI acts on it.

/// An exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// 0: every expectation was met.
    Pass = 0,
    /// 1: an invariant was violated, or an anomaly that the scenario requires was not seen.
    Fail = 1,
    /// 2: the command line or a scenario file is wrong. Decided for all scenarios before the first one starts, so that it
    /// never stands beside a verdict.
    Usage = 2,
    /// 3: a threshold was breached, and no invariant violated.
    Threshold = 3,
    /// 4: a fault did not bite, there was too little evidence, or the drain was incomplete.
    Inconclusive = 4,
    /// 5: no Docker, no image, or the cluster did not start.
    Environment = 5,
    /// 6: something could not be healed or cleaned up.
    Unclean = 6,
    /// 130: interrupted by Ctrl-C, after healing. It ends the suite.
    Interrupted = 130,
    /// 143: asked to terminate, after healing. It ends the suite.
    Terminated = 143,
}

impl ExitCode {
    /// Every code, the worst first.
    ///
    /// A violation is never masked by anything: 1, 6, 3, 5, 4, 0 among runs that ended. An interruption stands behind
    /// the first two, because a violation found, or a broker left frozen, before Ctrl-C still is what the caller must
    /// know; and before the rest, because the suite did not end. Usage stands behind the interruption, for completeness:
    /// it is decided before anything runs.
    const WORST_FIRST: [Self; 9] = [
        Self::Fail,
        Self::Unclean,
        Self::Interrupted,
        Self::Terminated,
        Self::Usage,
        Self::Threshold,
        Self::Environment,
        Self::Inconclusive,
        Self::Pass,
    ];

    /// The code as a number.
    pub fn as_u8(self) -> u8 {
        self as u8
    }

    /// The code of this number, or `None` when it means nothing here.
    pub fn from_u8(number: u8) -> Option<Self> {
        Self::WORST_FIRST.into_iter().find(|code| code.as_u8() == number)
    }

    /// The worst of several runs; a suite of none passes nothing and fails nothing.
    pub fn worst_of(codes: impl IntoIterator<Item = Self>) -> Self {
        let rank = |code: &Self| Self::WORST_FIRST.iter().position(|other| other == code);
        codes.into_iter().min_by_key(rank).unwrap_or(Self::Pass)
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.as_u8())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_several_scenarios_the_worst_wins() {
        let order = [1, 6, 3, 5, 4, 0].map(|number| ExitCode::from_u8(number).expect("a documented code"));
        for (index, worse) in order.iter().enumerate() {
            for better in &order[index..] {
                assert_eq!(ExitCode::worst_of([*better, *worse]), *worse);
                assert_eq!(ExitCode::worst_of([*worse, *better]), *worse);
            }
        }
    }

    #[test]
    fn an_interruption_never_hides_a_violation() {
        assert_eq!(ExitCode::worst_of([ExitCode::Interrupted, ExitCode::Fail]), ExitCode::Fail);
        assert_eq!(ExitCode::worst_of([ExitCode::Pass, ExitCode::Interrupted]), ExitCode::Interrupted);
    }

    #[test]
    fn every_code_has_its_number() {
        for code in ExitCode::WORST_FIRST {
            assert_eq!(ExitCode::from_u8(code.as_u8()), Some(code));
        }
        assert_eq!(ExitCode::from_u8(99), None);
    }
}
