//! Proofs of faults that strike clients, by hand: what each has to show, and what the sentence says when it did not.

use crate::fault::client::{ClientHome, ClientLook, ClientSeen, ClientSight, ClientState, GroupLook, StormLook};
use crate::fault::kinds::crash_client::CrashClient;
use crate::fault::kinds::fence::Fence;
use crate::fault::kinds::freeze_client::FreezeClient;
use crate::fault::kinds::rebalance_storm::RebalanceStorm;
use crate::fault::kinds::slow_consumer::SlowConsumer;
use crate::fault::{Deed, FaultKind, Handover, Moment, Testimony, Times, ToldFenced, Victim};
use crate::kafka::levers::{Fencing, ProducerIdentity, TransactionView};
use crate::kafka::{ProcessId, TimeNs};

use super::proof::{Proof, prove};

const CRASH: FaultKind = FaultKind::CrashClient(CrashClient {});
const FREEZE: FaultKind = FaultKind::FreezeClient(FreezeClient {});
const FENCE: FaultKind = FaultKind::Fence(Fence {});
const SLOW: FaultKind = FaultKind::SlowConsumer(SlowConsumer { per_record_ns: 10_000_000 });
const STORM: FaultKind = FaultKind::RebalanceStorm(RebalanceStorm { extra: 2, every_ms: 1000 });
const IS_SLOW: ClientState = ClientState::Slow { per_record_ns: 10_000_000 };

/// A look at `g/0`, which has got something done whenever it was looked at while it ran.
fn look(millis: u64, moment: Moment, state: ClientState, incarnation: u32, read: u64) -> ClientSight {
    let is_dead = state == ClientState::Crashed;
    let stopped = matches!(state, ClientState::Crashed | ClientState::Frozen);
    let seen = ClientSeen::Client(ClientLook {
        label: "g/0".to_owned(),
        home: ClientHome::Process,
        state,
        pid: (!is_dead).then_some(100 + incarnation),
        process: Some(ProcessId(incarnation)),
        incarnation,
        sent: 0,
        acked: 0,
        read,
        last_progress: Some(TimeNs::from_millis(if stopped { 9_990 } else { millis - 10 })),
    });
    ClientSight { time: TimeNs::from_millis(millis), moment, seen }
}

fn before() -> ClientSight {
    look(9_900, Moment::Before, ClientState::Running, 0, 1000)
}

/// Injected at 10 s, healed at 20 s.
fn proof(kind: &FaultKind, testimony: &Testimony, target: &str) -> Proof {
    let times = Times { injected: Some(TimeNs::from_millis(10_000)), healed: Some(TimeNs::from_millis(20_000)) };
    prove(kind, testimony, &[Victim::Client(target.to_owned())], times)
}

fn of_client(kind: &FaultKind, sights: &[ClientSight]) -> Proof {
    proof(kind, &Testimony { clients: sights.to_vec(), ..Testimony::default() }, "g/0")
}

#[track_caller]
fn assert_unproven(proof: &Proof, missing: &str) {
    assert!(!proof.proven, "{}", proof.sentence);
    assert!(proof.sentence.starts_with("missing: "), "{}", proof.sentence);
    assert!(proof.sentence.contains(missing), "{missing:?} in {}", proof.sentence);
}

#[test]
fn a_crash_is_proven_by_an_absence_and_a_later_life() {
    let died = look(10_100, Moment::During, ClientState::Crashed, 0, 1010);
    let dead = look(19_900, Moment::During, ClientState::Crashed, 0, 1010);
    let again = look(20_400, Moment::After, ClientState::Running, 1, 1500);
    let seen = of_client(&CRASH, &[before(), died.clone(), dead.clone(), again.clone()]);
    assert!(seen.proven, "{}", seen.sentence);
    assert!(seen.sentence.contains("a new process of it was at work 0.4 s after the heal"), "{}", seen.sentence);

    assert_unproven(&of_client(&CRASH, &[died.clone(), dead.clone(), again.clone()]), "a look at it before");
    let alive = look(19_900, Moment::During, ClientState::Running, 0, 5000);
    assert_unproven(&of_client(&CRASH, &[before(), alive.clone(), again.clone()]), "its death (last seen running)");
    assert_unproven(&of_client(&CRASH, &[before(), died.clone(), alive, again]), "its absence until the heal");
    let same = look(20_400, Moment::After, ClientState::Running, 0, 1500);
    assert_unproven(&of_client(&CRASH, &[before(), died.clone(), dead.clone(), same]), "a new life");
    let gone = look(20_400, Moment::After, ClientState::Crashed, 0, 1010);
    assert_unproven(&of_client(&CRASH, &[before(), died, dead, gone]), "progress after the heal (last seen crashed)");
}

#[test]
fn progress_of_before_the_heal_is_none_after_it() {
    let dead = look(10_100, Moment::During, ClientState::Crashed, 0, 1010);
    let idle = look(20_005, Moment::After, ClientState::Running, 1, 1010);
    assert_unproven(&of_client(&CRASH, &[before(), dead, idle]), "progress after the heal (last seen running)");
}

#[test]
fn a_freeze_is_proven_by_stillness_and_the_same_life() {
    let frozen = |millis, read| look(millis, Moment::During, ClientState::Frozen, 0, read);
    let after = |incarnation| look(20_400, Moment::After, ClientState::Running, incarnation, 1500);
    // What it had handed over before it stopped is counted at the second look only.
    let still = [before(), frozen(10_050, 1000), frozen(10_450, 1020), frozen(19_900, 1020)];
    let seen = of_client(&FREEZE, &[&still[..], &[after(0)]].concat());
    assert!(seen.proven, "{}", seen.sentence);
    assert!(seen.sentence.contains("it got nothing done for 9.4 s"), "{}", seen.sentence);

    assert_unproven(&of_client(&FREEZE, &[&still[..], &[after(1)]].concat()), "it was started anew");
    let busy = [before(), frozen(10_050, 1000), frozen(19_900, 3000), after(0)];
    assert_unproven(&of_client(&FREEZE, &busy), "a second in which it got nothing done");
    let woken = [before(), frozen(10_050, 1000), look(15_000, Moment::During, ClientState::Running, 0, 1000)];
    assert_unproven(
        &of_client(&FREEZE, &[&woken[..], &[frozen(19_900, 1000), after(0)]].concat()),
        "once it was running",
    );
    assert_unproven(&of_client(&FREEZE, &[before(), woken[2].clone(), after(0)]), "its freeze until the heal");
}

#[test]
fn a_slow_member_reads_less_than_half_as_fast_and_recovers() {
    let before = [(8_000, 0), (9_900, 1900)].map(|(at, read)| look(at, Moment::Before, ClientState::Running, 0, read));
    let slow = |end| [(10_600, 2000), (19_900, end)].map(|(at, read)| look(at, Moment::During, IS_SLOW, 0, read));
    let after =
        |end| [(20_100, 2900), (21_100, end)].map(|(at, read)| look(at, Moment::After, ClientState::Running, 0, read));
    let seen = of_client(&SLOW, &[before.clone(), slow(2930), after(4900)].concat());
    assert!(seen.proven, "{}", seen.sentence);
    assert_eq!(
        seen.sentence.split("; then the same").next(),
        Some("it read 1000/s before, and 100/s while it was slow; then 2000/s")
    );
    let as_fast = of_client(&SLOW, &[before.clone(), slow(9_000), after(12_000)].concat());
    assert_unproven(&as_fast, "less than half its speed");
    assert_unproven(&of_client(&SLOW, &[before.clone(), slow(2930), after(3000)].concat()), "its speed after the heal");
    assert_unproven(&of_client(&SLOW, &[slow(2930), after(4900)].concat()), "its speed before the fault");
    assert_unproven(&of_client(&SLOW, &[before, after(4900)].concat()), "a second and a half in which it was slow");
}

fn group(millis: u64, moment: Moment, storm: StormLook, last_progress: u64) -> ClientSight {
    let last_progress = Some(TimeNs::from_millis(last_progress));
    let seen = ClientSeen::Group(GroupLook { group: "g".to_owned(), storm, running: 2, read: 1, last_progress });
    ClientSight { time: TimeNs::from_millis(millis), moment, seen }
}

fn handover(millis: u64, born: u64) -> Handover {
    let [time, born] = [millis, born].map(TimeNs::from_millis);
    Handover { time, group: "g".to_owned(), process: ProcessId(0), born }
}

#[test]
fn a_storm_is_proven_by_joins_leaves_and_members_that_were_assigned_anew() {
    let storm = |joined, left, present| StormLook { joined, left, present };
    let calm = StormLook::default();
    let sights = |during, after| {
        let (before, during) =
            (group(9_900, Moment::Before, calm, 9_890), group(19_900, Moment::During, during, 19_890));
        vec![before, during, group(20_500, Moment::After, after, 20_450)]
    };
    let judged = |clients, handovers: &[Handover]| {
        proof(&STORM, &Testimony { clients, handovers: handovers.to_vec(), ..Testimony::default() }, "g")
    };
    let stirred = [handover(2_000, 1_000), handover(12_000, 1_000), handover(13_000, 12_500)];
    let seen = judged(sights(storm(4, 3, 1), storm(4, 4, 0)), &stirred);
    assert!(seen.proven, "{}", seen.sentence);
    assert!(seen.sentence.contains("4 extra members joined and 3 left"), "{}", seen.sentence);
    assert!(seen.sentence.contains("assigned anew once"), "{}", seen.sentence);

    assert_unproven(&judged(sights(storm(4, 1, 2), storm(4, 4, 0)), &stirred), "2 joins and as many leaves");
    let only_new_ones = [handover(2_000, 1_000), handover(13_000, 12_500)];
    assert_unproven(&judged(sights(storm(4, 3, 1), storm(4, 4, 0)), &only_new_ones), "a new assignment to a member");
    assert_unproven(&judged(sights(storm(4, 3, 1), storm(4, 4, 1)), &stirred), "1 extra members were left");
}

/// The coordinator knew the client in epoch 3, and gave out this one.
fn fencing(epoch: i16) -> Vec<(Victim, Deed)> {
    let producer = ProducerIdentity { producer_id: 1000, epoch: 3 };
    let before = TransactionView {
        transactional_id: "g/0".to_owned(),
        state: "Ongoing".to_owned(),
        producer,
        timeout_ms: 30_000,
        began_ms: None,
        partitions: vec![],
    };
    let fencing = Fencing { before, after: ProducerIdentity { epoch, ..producer } };
    vec![(Victim::Client("g/0".to_owned()), Deed::Fenced(Box::new(fencing)))]
}

#[test]
fn a_fencing_is_proven_by_a_later_epoch_by_who_was_told_and_by_a_later_life() {
    let told = |process| {
        let time = TimeNs::from_millis(10_200);
        vec![ToldFenced { time, process: ProcessId(process), code: "_FENCED".to_owned() }]
    };
    let lives = |incarnation| vec![before(), look(20_900, Moment::After, ClientState::Running, incarnation, 1000)];
    let judged =
        |deeds, fenced, clients| proof(&FENCE, &Testimony { deeds, clients, fenced, ..Testimony::default() }, "g/0");
    let seen = judged(fencing(4), told(0), lives(1));
    assert!(seen.proven, "{}", seen.sentence);
    let epochs = "it was producer 1000 in epoch 3; then producer 1000 in epoch 4 took its transactional id";
    assert!(seen.sentence.contains(epochs), "{}", seen.sentence);
    assert!(seen.sentence.contains("it was told so (_FENCED) after 0.2 s"), "{}", seen.sentence);

    // A fence without teeth: nothing was asked, or nothing came of it, or another one was told.
    assert_unproven(&judged(vec![], told(0), lives(1)), "a later epoch of its transactional id");
    assert_unproven(&judged(fencing(3), told(0), lives(1)), "a later epoch than 3");
    assert_unproven(&judged(fencing(4), vec![], lives(1)), "its being told that it is fenced");
    assert_unproven(&judged(fencing(4), told(7), lives(1)), "its being told that it is fenced");
    assert_unproven(&judged(fencing(4), told(0), lives(0)), "a new life after the heal");
    assert_unproven(&judged(fencing(4), told(0), vec![before()]), "progress after the heal");
}
