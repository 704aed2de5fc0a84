//! Damages against checkers: each damage sets off exactly the checks that it must, on many drawn runs; and a run without
//! damage sets off none.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;

use crate::anomaly::{CheckName, CheckResult, Validity};

use super::check_all;
use super::damage::{ALL, Damage, pass_over_another};
use super::generator::{Drawn, Shape, draw};

fn answers(drawn: &Drawn) -> Vec<CheckResult> {
    check_all(&drawn.run.history, &drawn.run.scenario, &drawn.run.plan)
}

fn not_valid(answers: &[CheckResult]) -> BTreeMap<CheckName, Validity> {
    let doubtful = answers.iter().filter(|answer| answer.validity != Validity::Valid);
    doubtful.map(|answer| (answer.check, answer.validity)).collect()
}

fn shape() -> impl Strategy<Value = Shape> {
    (1u32..4, 1u32..5, 0u32..3, 60u32..300).prop_map(|(partitions, producers, groups, sends)| Shape {
        partitions,
        producers,
        groups,
        sends,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn a_clean_run_is_valid_in_every_check(seed in any::<u64>(), shape in shape()) {
        let answers = answers(&draw(seed, shape));
        prop_assert!(not_valid(&answers).is_empty(), "{answers:#?}");
    }
}

proptest! {
    // Each case tries every damage.
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_damage_sets_off_its_checks_and_no_others(seed in any::<u64>()) {
        for Damage { name, apply, expect } in ALL {
            let mut drawn = draw(seed, Shape::SAMPLE);
            if apply(&mut drawn).is_none() {
                continue;
            }
            let answers = answers(&drawn);
            let expected: BTreeMap<_, _> = expect.iter().copied().collect();
            prop_assert_eq!(not_valid(&answers), expected, "{}: {:#?}", name, answers);
        }
    }
}

#[test]
fn a_fault_that_may_be_passed_over_takes_nothing_from_a_run_with_another() {
    let mut drawn = draw(7, Shape::SAMPLE);
    pass_over_another(&mut drawn).expect("the sample has a fault");
    let answers = answers(&drawn);
    assert!(not_valid(&answers).is_empty(), "{answers:#?}");
}

#[test]
fn every_damage_against_every_checker() {
    let mut table = format!("{:<45}", "");
    for check in CheckName::ALL {
        write!(table, " {check:<20}").expect("a string takes everything");
    }
    let mut row = |name: &str, answers: &[CheckResult]| {
        write!(table, "\n{name:<45}").expect("a string takes everything");
        for answer in answers {
            let cell = match answer.validity {
                Validity::Skipped => "skipped".to_owned(),
                Validity::Valid => "-".to_owned(),
                Validity::Unknown => "unknown".to_owned(),
                Validity::Invalid => format!("invalid ({})", answer.found),
            };
            write!(table, " {cell:<20}").expect("a string takes everything");
        }
    };
    row("no damage", &answers(&draw(7, Shape::SAMPLE)));
    for damage in ALL {
        let mut drawn = draw(7, Shape::SAMPLE);
        (damage.apply)(&mut drawn).unwrap_or_else(|| panic!("the sample has nothing for: {}", damage.name));
        row(damage.name, &answers(&drawn));
    }
    let table: Vec<&str> = table.lines().map(str::trim_end).collect();
    insta::assert_snapshot!(table.join("\n"));
}
