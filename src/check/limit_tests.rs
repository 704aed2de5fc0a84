//! Proofs by hand of a broker that may use less: what has to be seen of its limits, by the engine and by the kernel.

use crate::fault::kinds::limit::Limit;
use crate::fault::{Allowance, FaultKind, Look, Moment, Observation, Probe, ProcessState, Sight, Testimony, Times};
use crate::kafka::{BrokerId, TimeNs};

use super::proof::{Proof, prove};

const GIB: u64 = 1 << 30;
const CPU: FaultKind = FaultKind::Limit(Limit { cpu_millis: Some(500), memory_bytes: None });
const MEMORY: FaultKind = FaultKind::Limit(Limit { cpu_millis: None, memory_bytes: Some(GIB) });
const FREE: Allowance = Allowance { cpu_millis: None, memory_bytes: None };
const HOST: Allowance = Allowance { cpu_millis: Some(2000), memory_bytes: Some(24 * GIB) };

fn cpu(millis: u32) -> Allowance {
    Allowance { cpu_millis: Some(millis), ..FREE }
}

fn memory(bytes: u64) -> Allowance {
    Allowance { memory_bytes: Some(bytes), ..FREE }
}

/// What the engine told, and what the kernel did.
fn told(engine: Allowance, group: Allowance) -> Sight {
    let Allowance { cpu_millis, memory_bytes } = engine;
    Sight::Limits { cpu_millis, memory_bytes, group: Some(group), held_back: Some(0), host: Some(HOST) }
}

fn both(allowance: Allowance) -> Sight {
    told(allowance, allowance)
}

fn held_back(allowance: Allowance, times: u64) -> Sight {
    match both(allowance) {
        Sight::Limits { cpu_millis, memory_bytes, group, host, .. } => {
            Sight::Limits { cpu_millis, memory_bytes, group, held_back: Some(times), host }
        }
        other => other,
    }
}

fn blind() -> Sight {
    Sight::Blind { reason: "the engine is gone".to_owned() }
}

fn proof(kind: &FaultKind, before: &[Sight], during: &[Sight], after: &[Sight]) -> Proof {
    let moments = [(Moment::Before, before), (Moment::During, during), (Moment::After, after)];
    let looks = moments.into_iter().flat_map(|(moment, sights)| {
        sights.iter().map(move |sight| {
            let process = ProcessState::Running { started_at: "2026-01-01T00:00:00Z".to_owned() };
            let (probe, sights) = (Probe::Answered { elapsed_ms: 1 }, vec![sight.clone()]);
            let seen = Observation { process, probe, standing: None, sights };
            Look { time: TimeNs(1), moment, target: BrokerId(1).into(), seen }
        })
    });
    let seen = Testimony { looks: looks.collect(), ..Testimony::default() };
    prove(kind, &seen, &[BrokerId(1).into()], Times::default())
}

#[track_caller]
fn assert_unproven(proof: &Proof, missing: &str) {
    assert!(!proof.proven, "{}", proof.sentence);
    assert!(proof.sentence.starts_with("missing: ") && proof.sentence.contains(missing), "{}", proof.sentence);
}

/// Half a processor, with these looks while it was in force.
fn during(during: &[Sight]) -> Proof {
    proof(&CPU, &[both(FREE)], during, &[both(FREE)])
}

#[test]
fn a_limit_is_proven_by_an_engine_that_tells_it_and_a_kernel_that_holds_it() {
    let proven = during(&[held_back(cpu(500), 3), held_back(cpu(500), 45)]);
    assert!(proven.proven, "{}", proven.sentence);
    let seen = "limited to 50% of a processor; held back 42 times; then limited as before; then it answered";
    assert_eq!(proven.sentence, seen);
    let idle = during(&[both(cpu(501)), both(cpu(499))]);
    assert!(idle.proven, "an engine rounds, and a broker may have nothing to do: {}", idle.sentence);
    let memory = proof(&MEMORY, &[both(memory(2 * GIB))], &[both(memory(GIB))], &[both(memory(2 * GIB))]);
    assert!(memory.proven, "{}", memory.sentence);
}

#[test]
fn a_limit_that_the_kernel_does_not_hold_is_no_proof() {
    let lifted =
        "its limit to 50% of a processor, at every look (the engine told 50% of a processor, and the kernel no limit)";
    assert_unproven(&during(&[both(cpu(500)), told(cpu(500), FREE)]), lifted);
    assert_unproven(&during(&[both(cpu(500)), told(cpu(500), FREE), both(cpu(500))]), lifted);
    assert_unproven(&during(&[told(cpu(500), cpu(900))]), "and the kernel 90% of a processor");
    assert_unproven(&during(&[both(FREE)]), "at every look (it had no limit)");
}

#[test]
fn a_limit_that_was_there_before_or_is_no_tighter_limits_nothing() {
    let before = |before: Allowance| proof(&CPU, &[both(before)], &[both(cpu(500))], &[both(before)]);
    assert_unproven(&before(cpu(500)), "a looser limit before the fault (it had 50% of a processor)");
    assert_unproven(&before(cpu(200)), "a looser limit before the fault (it had 20% of a processor)");
    assert!(before(cpu(900)).proven);
}

#[test]
fn more_than_the_host_has_is_no_limit() {
    let large = |bytes| {
        let kind = FaultKind::Limit(Limit { cpu_millis: None, memory_bytes: Some(bytes) });
        proof(&kind, &[both(FREE)], &[both(memory(bytes))], &[both(FREE)])
    };
    assert_unproven(
        &large(64 * GIB),
        "a limit below what its host has, which is 200% of a processor and 24.0 GiB of memory",
    );
    assert!(large(23 * GIB).proven);
}

#[test]
fn a_host_that_nobody_knows_is_none_that_has_more() {
    let of = |host: Option<Allowance>| {
        let free = |sight: Sight| match sight {
            Sight::Limits { cpu_millis, memory_bytes, group, held_back, .. } => {
                Sight::Limits { cpu_millis, memory_bytes, group, held_back, host }
            }
            other => other,
        };
        proof(&CPU, &[free(both(FREE))], &[both(cpu(500))], &[both(FREE)])
    };
    assert!(of(Some(HOST)).proven);
    for untold in [None, Some(FREE)] {
        assert_unproven(&of(untold), "what its host has, which nobody told");
    }
}

#[test]
fn a_look_that_saw_no_limits_is_no_proof() {
    assert_unproven(&during(&[both(cpu(500)), blind()]), "at every look (the engine is gone)");
    assert_unproven(&during(&[]), "at every look (never looked at)");
    let limited = [both(cpu(500))];
    let blind_to_both = proof(&CPU, &[blind()], &limited, &[blind()]);
    assert_unproven(&blind_to_both, "a looser limit before the fault (the engine is gone)");
    assert_unproven(&blind_to_both, "its old limits after the heal (the engine is gone)");
    let of_an_earlier_version =
        Sight::Limits { cpu_millis: Some(500), memory_bytes: None, group: None, held_back: None, host: None };
    assert_unproven(&during(&[of_an_earlier_version]), "nobody looked at its control group");
}

#[test]
fn a_broker_that_its_limit_ended_has_no_limit_to_be_seen_any_more() {
    let gone = Sight::NotRunning { broker: BrokerId(1) };
    assert!(during(&[both(cpu(500)), gone.clone()]).proven);
    assert_unproven(&during(&[gone]), "at every look (never looked at)");
}

#[test]
fn limits_that_are_others_after_the_heal_are_not_the_old_ones() {
    let after = |after: Sight| proof(&CPU, &[both(FREE)], &[both(cpu(500))], &[after]);
    assert_unproven(
        &after(told(FREE, cpu(500))),
        "its old limits after the heal (the engine told no limit, and the kernel",
    );
    assert_unproven(&after(both(cpu(500))), "its old limits after the heal (it had 50% of a processor)");
}
