//! Proofs by hand: what each kind of fault has to show, and what the sentence says when it did not.

use crate::fault::kinds::kill::Kill;
use crate::fault::kinds::pause::Pause;
use crate::fault::kinds::restart::Restart;
use crate::fault::kinds::stop::Stop;
use crate::fault::{
    FaultKind, Look, Moment, Observation, Probe, ProcessState, Signal, Standing, Testimony, Times, Victim,
};
use crate::kafka::{BrokerId, TimeNs};

use super::proof::{Proof, prove};

const KILL: FaultKind = FaultKind::Kill(Kill { signal: Signal::Kill });
const STOP: FaultKind = FaultKind::Stop(Stop { grace_ms: 1000 });
const RESTART: FaultKind = FaultKind::Restart(Restart { grace_ms: 1000 });
const FIRST_LIFE: &str = "2026-01-01T00:00:00.5Z";
const SECOND_LIFE: &str = "2026-01-01T00:00:00.51Z";
const ANSWERED: Probe = Probe::Answered { elapsed_ms: 2 };

fn running(started_at: &str) -> ProcessState {
    ProcessState::Running { started_at: started_at.to_owned() }
}

fn paused() -> ProcessState {
    ProcessState::Paused { started_at: FIRST_LIFE.to_owned() }
}

fn exited(exit_code: i64) -> ProcessState {
    ProcessState::Exited { exit_code }
}

fn look(seconds: f64, moment: Moment, process: ProcessState, probe: Probe) -> Look {
    let time = TimeNs::from_millis(std::time::Duration::from_secs_f64(seconds).as_millis().try_into().expect("short"));
    let seen = Observation { process, probe, standing: None, sights: Vec::new() };
    Look { time, moment, target: BrokerId(2).into(), seen }
}

fn before() -> Look {
    look(9.0, Moment::Before, running(FIRST_LIFE), ANSWERED)
}

fn after(life: &str) -> Look {
    look(31.0, Moment::After, running(life), ANSWERED)
}

fn standing(mut look: Look, registered: bool, in_isr_of: u32) -> Look {
    look.seen.standing = Some(Standing { registered, replica_of: 3, in_isr_of, leads: 0 });
    look
}

/// Injected at 10 s, healed at 30 s.
fn proof(kind: &FaultKind, looks: &[Look]) -> Proof {
    let times = Times { injected: Some(TimeNs::from_millis(10_000)), healed: Some(TimeNs::from_millis(30_000)) };
    prove(kind, &seen(looks), &[BrokerId(2).into()], times)
}

fn seen(looks: &[Look]) -> Testimony {
    Testimony { looks: looks.to_vec(), ..Testimony::default() }
}

#[track_caller]
fn assert_unproven(proof: &Proof, missing: &str) {
    assert!(!proof.proven, "{}", proof.sentence);
    assert!(proof.sentence.starts_with("missing: "), "{}", proof.sentence);
    assert!(proof.sentence.contains(missing), "{}", proof.sentence);
}

#[test]
fn a_kill_is_proven_by_three_witnesses() {
    let looks = [
        before(),
        look(11.0, Moment::During, exited(137), Probe::Refused),
        standing(look(16.1, Moment::During, exited(137), Probe::Refused), false, 0),
        standing(after(SECOND_LIFE), true, 1),
        standing(look(38.2, Moment::After, running(SECOND_LIFE), ANSWERED), true, 3),
    ];
    let proof = proof(&KILL, &looks);
    assert!(proof.proven);
    assert_eq!(
        proof.sentence,
        "exited 137; port refused; fenced by the controller after 6.1 s; then a new life answered; back in all its ISRs \
         8.2 s after the heal"
    );
}

#[test]
fn the_standing_of_a_broker_that_does_not_answer_yet_is_its_former_lifes() {
    let looks = [
        before(),
        standing(look(11.0, Moment::During, exited(137), Probe::Refused), true, 3),
        standing(look(30.1, Moment::After, running(SECOND_LIFE), Probe::Refused), true, 3),
        standing(look(33.0, Moment::After, running(SECOND_LIFE), Probe::Refused), false, 0),
        standing(look(35.5, Moment::After, running(SECOND_LIFE), ANSWERED), true, 3),
    ];
    let sentence = proof(&KILL, &looks).sentence;
    assert!(sentence.ends_with("back in all its ISRs 5.5 s after the heal"), "{sentence}");
}

#[test]
fn a_kill_that_did_nothing_is_not_proven() {
    let looks = [before(), look(11.0, Moment::During, running(FIRST_LIFE), ANSWERED), after(FIRST_LIFE)];
    let proof = proof(&KILL, &looks);
    for missing in [
        "its exit (last seen running and answering)",
        "a refused or unreachable port",
        "its silence (it answered after 1.0 s)",
        "a new life after the heal",
    ] {
        assert_unproven(&proof, missing);
    }
}

#[test]
fn another_exit_code_than_the_signals_proves_nothing() {
    let looks = [before(), look(11.0, Moment::During, exited(1), Probe::Refused), after(SECOND_LIFE)];
    assert_unproven(&proof(&KILL, &looks), "an exit with code 137 (it exited 1)");
}

#[test]
fn each_signal_has_its_own_exit_code() {
    for (signal, code) in [(Signal::Kill, 137), (Signal::Term, 143), (Signal::Abort, 134)] {
        let looks = [before(), look(11.0, Moment::During, exited(code), Probe::Unreachable), after(SECOND_LIFE)];
        assert!(proof(&FaultKind::Kill(Kill { signal }), &looks).proven);
    }
}

#[test]
fn a_broker_that_was_broken_before_proves_no_kill() {
    let looks = [
        look(9.0, Moment::Before, exited(137), Probe::Refused),
        look(11.0, Moment::During, exited(137), Probe::Refused),
        after(SECOND_LIFE),
    ];
    assert_unproven(&proof(&KILL, &looks), "a working broker before the fault (it was exited 137 and refusing");
}

#[test]
fn a_broker_that_never_came_back_is_not_healed() {
    let during = look(11.0, Moment::During, exited(137), Probe::Refused);
    let silent = look(31.0, Moment::After, running(SECOND_LIFE), Probe::Silent);
    assert_unproven(
        &proof(&KILL, &[before(), during.clone(), silent]),
        "a working broker after the heal (running and silent)",
    );
    assert_unproven(&proof(&KILL, &[before(), during]), "a working broker after the heal (never looked at)");
}

#[test]
fn a_stop_may_end_in_order_or_by_force() {
    for (code, words) in
        [(143, "exited 143;"), (0, "exited 0;"), (137, "exited 137, killed when its grace had run out")]
    {
        let looks = [before(), look(11.0, Moment::During, exited(code), Probe::Refused), after(SECOND_LIFE)];
        let proof = proof(&STOP, &looks);
        assert!(proof.proven);
        assert!(proof.sentence.starts_with(words), "{}", proof.sentence);
    }
}

#[test]
fn a_restart_is_proven_by_another_life() {
    assert!(proof(&RESTART, &[before(), after(SECOND_LIFE)]).proven);
    assert_unproven(&proof(&RESTART, &[before(), after(FIRST_LIFE)]), "a new life after the heal (it never went down)");
}

#[test]
fn a_pause_is_proven_by_silence_and_the_same_life() {
    let frozen = look(11.0, Moment::During, paused(), Probe::Silent);
    let proof_of = |looks: &[Look]| proof(&FaultKind::Pause(Pause {}), looks);
    let proven = proof_of(&[before(), frozen.clone(), after(FIRST_LIFE)]);
    assert!(proven.proven);
    assert_eq!(proven.sentence, "paused; connected but silent; then the same life answered");
    assert_unproven(&proof_of(&[before(), frozen.clone(), after(SECOND_LIFE)]), "the same life after the heal");
    let talks = look(12.0, Moment::During, paused(), ANSWERED);
    assert_unproven(&proof_of(&[before(), frozen, talks, after(FIRST_LIFE)]), "its silence (it answered after 2.0 s");
}

#[test]
fn one_unproven_target_makes_the_fault_unproven() {
    let mut looks = vec![before(), look(11.0, Moment::During, exited(137), Probe::Refused), after(SECOND_LIFE)];
    let targets = [2, 3].map(|id| Victim::Broker(BrokerId(id)));
    let proof = prove(&KILL, &seen(&looks), &targets, Times::default());
    assert!(!proof.proven);
    assert!(proof.sentence.contains("broker-3: missing: a look at it before the fault"), "{}", proof.sentence);
    for look in looks.clone() {
        looks.push(Look { target: BrokerId(3).into(), ..look });
    }
    assert!(prove(&KILL, &seen(&looks), &targets, Times::default()).proven);
}

#[test]
fn a_fault_without_targets_is_unproven() {
    assert!(!prove(&KILL, &seen(&[]), &[], Times::default()).proven);
}

#[test]
fn a_killed_broker_that_somebody_started_before_its_time_is_no_proof() {
    let looks = [
        before(),
        look(11.0, Moment::During, exited(137), Probe::Refused),
        look(14.0, Moment::During, running(SECOND_LIFE), Probe::Refused),
        after(SECOND_LIFE),
    ];
    assert_unproven(&proof(&KILL, &looks), "its staying down (it ran after 4.0 s)");
}
