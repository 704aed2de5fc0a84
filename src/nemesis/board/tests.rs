//! What lives tell each other by the board: who may strike, who was struck, and when all of it is over.

use std::thread;
use std::time::Duration;

use tokio::time::timeout;

use super::{Board, State};
use crate::fault::kinds::freeze_client::FreezeClient;
use crate::fault::kinds::kill::Kill;
use crate::fault::kinds::limit::Limit;
use crate::fault::kinds::rolling::{Exit, Rolling};
use crate::fault::kinds::wipe::Wipe;
use crate::fault::{FaultId, FaultKind, Hold, Scene, Signal, Target, Victim};
use crate::kafka::BrokerId;
use crate::plan::{EmptyTarget, Plan, PlannedPhases, PlannedSafety, PlannedStart, SCHEMA_VERSION, Series, Step};

const KILL: FaultKind = FaultKind::Kill(Kill { signal: Signal::Kill });
const LIMIT: FaultKind = FaultKind::Limit(Limit { cpu_millis: Some(200), memory_bytes: None });
const ROLLING: FaultKind = FaultKind::Rolling(Rolling { exit: Exit::By { signal: Signal::Kill }, down_ms: 1000 });
const WIPE: FaultKind = FaultKind::Wipe(Wipe {});
const FREEZE_CLIENT: FaultKind = FaultKind::FreezeClient(FreezeClient {});

fn id(name: &str) -> FaultId {
    FaultId(name.to_owned())
}

fn brokers(ids: &[i32]) -> Vec<Victim> {
    ids.iter().map(|id| Victim::Broker(BrokerId(*id))).collect()
}

fn step(name: &str, kind: FaultKind) -> Step {
    Step {
        fault: id(name),
        kind,
        target: Target::All,
        draw: vec![1, 2, 3],
        start: PlannedStart::AtMs(0),
        duration_ms: 1000,
        seed: 0,
        series: None,
    }
}

/// One time of a fault that strikes again and again.
fn time_of(origin: &str, name: &str) -> Step {
    Step { series: Some(Series { of: id(origin), behind: None }), ..step(name, KILL) }
}

fn board(max_unavailable: Option<u32>, steps: Vec<Step>) -> Board {
    Board::new(&Plan {
        schema_version: SCHEMA_VERSION,
        scenario: "s".to_owned(),
        seed: 42,
        phases: PlannedPhases { warmup_ms: 0, chaos_ms: 1000, recovery_limit_ms: 1000, drain_limit_ms: 1000 },
        steps,
        safety: PlannedSafety { max_unavailable, ..PlannedSafety::default() },
        clients: Vec::new(),
    })
}

/// Lets a fault strike these, on a cluster of eight.
fn admit(board: &Board, fault: &str, targets: Vec<Victim>) -> Result<(), String> {
    let kind = &board.places[board.index[&id(fault)]].0.kind;
    let all: Vec<BrokerId> = (1..=8).map(BrokerId).collect();
    let (to, reachable) = (all.clone(), all.clone());
    let scene = Scene { fault: id(fault), targets: targets.clone(), to, all, reachable, seed: 0 };
    board.admit(&id(fault), targets, Hold::of(kind, &scene))
}

fn state(board: &Board, fault: &str) -> State {
    board.follow(&id(fault)).borrow().clone()
}

fn kills(max_unavailable: Option<u32>) -> Board {
    board(max_unavailable, vec![step("a", KILL), step("b", KILL)])
}

#[test]
fn without_a_bound_everybody_may_strike_everybody() {
    let board = kills(None);
    assert_eq!(admit(&board, "a", brokers(&[1, 2, 3])), Ok(()));
    assert_eq!(admit(&board, "b", brokers(&[1, 2, 3])), Ok(()));
    assert_eq!(state(&board, "a"), State::InForce(brokers(&[1, 2, 3])));
}

#[test]
fn whoever_would_be_one_too_many_is_told_beside_whom_and_stays_out() {
    let board = kills(Some(1));
    admit(&board, "a", brokers(&[1])).expect("it is the first");
    let refused = admit(&board, "b", brokers(&[2]));
    assert_eq!(refused, Err("2 brokers would be away, beside `a`, and `max-unavailable` is 1".to_owned()));
    assert_eq!(state(&board, "b"), State::Waiting);
}

#[test]
fn one_that_would_be_too_many_by_itself_is_told_so() {
    let refused = admit(&kills(Some(1)), "a", brokers(&[1, 2]));
    assert_eq!(refused, Err("2 brokers would be away, and `max-unavailable` is 1".to_owned()));
}

#[test]
fn a_broker_counts_until_it_is_whole_again_and_for_good_where_it_is_stuck() {
    let board = kills(Some(1));
    admit(&board, "a", brokers(&[1])).expect("it is the first");
    board.enter(&id("a"), State::Healed(brokers(&[1])));
    assert!(admit(&board, "b", brokers(&[2])).is_err(), "healed is not whole");
    board.enter(&id("a"), State::Whole(brokers(&[1])));
    assert_eq!(admit(&board, "b", brokers(&[2])), Ok(()));

    let board = kills(Some(1));
    admit(&board, "a", brokers(&[1])).expect("it is the first");
    board.stick(&id("a"), "the engine is gone".to_owned());
    assert!(admit(&board, "b", brokers(&[2])).is_err(), "nobody brought it back");
}

#[test]
fn a_broker_that_two_faults_keep_away_is_one_broker() {
    let board = kills(Some(1));
    admit(&board, "a", brokers(&[1])).expect("it is the first");
    assert_eq!(admit(&board, "b", brokers(&[1])), Ok(()));
}

#[test]
fn what_keeps_no_broker_away_is_not_counted_and_not_held_back() {
    let board = board(Some(1), vec![step("slow", LIMIT), step("dead", KILL), step("client", FREEZE_CLIENT)]);
    assert_eq!(admit(&board, "slow", brokers(&[1, 2, 3])), Ok(()));
    assert_eq!(admit(&board, "dead", brokers(&[1])), Ok(()));
    assert_eq!(admit(&board, "client", vec![Victim::Client("p/0.0".to_owned())]), Ok(()));
}

#[test]
fn of_a_bridge_those_count_that_it_cuts_from_one_another() {
    let bridge: FaultKind = serde_json::from_str(r#"{"bridge": {"mode": "drop"}}"#).expect("a kind");
    let board = |bound| board(Some(bound), vec![step("bridge", bridge.clone()), step("kill", KILL)]);
    let refused = admit(&board(6), "bridge", brokers(&[1]));
    assert_eq!(refused, Err("7 brokers would be away, and `max-unavailable` is 6".to_owned()));
    let beside = board(7);
    admit(&beside, "bridge", brokers(&[1])).expect("it holds seven away");
    assert_eq!(admit(&beside, "kill", brokers(&[2])), Ok(()), "it is away already");
    let refused = admit(&beside, "kill", brokers(&[1]));
    assert_eq!(refused, Err("8 brokers would be away, beside `bridge`, and `max-unavailable` is 7".to_owned()));
}

#[test]
fn only_what_other_faults_hold_away_now_is_nobodys_to_wait_for() {
    let board = board(None, vec![step("a", KILL), step("b", KILL), step("slow", LIMIT)]);
    let away = |fault| {
        let held = board.held_by_others(&id(fault));
        held.iter().flat_map(Hold::brokers).map(|broker| broker.0).collect::<Vec<i32>>()
    };
    assert_eq!(away("a"), [0; 0], "nobody has struck");
    admit(&board, "a", brokers(&[1])).expect("nothing bounds it");
    admit(&board, "b", brokers(&[2])).expect("nothing bounds it");
    admit(&board, "slow", brokers(&[3])).expect("nothing bounds it");
    assert_eq!((away("a"), away("b"), away("slow")), (vec![2], vec![1], vec![1, 2]));
    board.enter(&id("a"), State::Healed(brokers(&[1])));
    assert_eq!(away("b"), [0; 0], "what is healed comes back by itself");
    board.stick(&id("b"), "the engine is gone".to_owned());
    assert_eq!(away("a"), [2], "what is stuck does not");
}

#[test]
fn a_rolling_fault_counts_as_one_whoever_it_is_at_the_moment() {
    let rolling = |bound| board(Some(bound), vec![step("roll", ROLLING), step("kill", KILL)]);
    let alone = rolling(1);
    assert_eq!(admit(&alone, "roll", brokers(&[1, 2, 3])), Ok(()));
    // It may be any other that it has down when the second strikes.
    assert!(admit(&alone, "kill", brokers(&[1])).is_err());
    let beside = rolling(2);
    admit(&beside, "roll", brokers(&[1, 2, 3])).expect("it is one");
    assert_eq!(admit(&beside, "kill", brokers(&[1])), Ok(()));
}

#[test]
fn of_many_that_ask_at_once_as_many_strike_as_may() {
    let names: Vec<String> = (1..=8).map(|number| format!("f{number}")).collect();
    let board = board(Some(3), names.iter().map(|name| step(name, KILL)).collect());
    let admitted: Vec<bool> = thread::scope(|scope| {
        let ask = |(broker, name): (i32, &String)| {
            let (board, name) = (&board, name.clone());
            scope.spawn(move || admit(board, &name, brokers(&[broker])).is_ok())
        };
        let asking: Vec<_> = (1..).zip(&names).map(ask).collect();
        asking.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(admitted.iter().filter(|admitted| **admitted).count(), 3);
    for (name, admitted) in names.iter().zip(admitted) {
        assert_eq!(matches!(state(&board, name), State::InForce(_)), admitted, "{name}");
    }
}

#[test]
fn whom_a_fault_struck_is_remembered_beyond_its_end() {
    let board = kills(None);
    assert_eq!(board.struck_by(&id("a")), None, "nobody yet");
    admit(&board, "a", brokers(&[2])).expect("nothing bounds it");
    for state in [State::Healed(brokers(&[2])), State::Whole(brokers(&[2]))] {
        board.enter(&id("a"), state);
        assert_eq!(board.struck_by(&id("a")), Some(brokers(&[2])));
    }
    for nobody in [State::Skipped, State::PassedOver] {
        board.enter(&id("b"), nobody);
        assert_eq!(board.struck_by(&id("b")), None);
    }
    assert_eq!(board.struck_by(&id("zebra")), None, "of a fault that there is not");
}

#[test]
fn of_a_fault_that_strikes_again_the_latest_time_that_struck_anybody_counts() {
    let board = board(None, vec![time_of("a", "a-1"), time_of("a", "a-2"), time_of("a", "a-3")]);
    board.enter(&id("a-1"), State::Whole(brokers(&[1])));
    board.enter(&id("a-2"), State::InForce(brokers(&[2])));
    assert_eq!(board.struck_by(&id("a")), Some(brokers(&[2])));
    board.enter(&id("a-3"), State::Skipped);
    assert_eq!(board.struck_by(&id("a")), Some(brokers(&[2])));
    assert_eq!(board.struck_by(&id("a-1")), Some(brokers(&[1])), "by its own name");
}

#[test]
fn what_cannot_be_undone_keeps_whom_it_struck_and_why() {
    let board = kills(None);
    assert_eq!(board.stuck(), []);
    admit(&board, "a", brokers(&[1])).expect("nothing bounds it");
    board.stick(&id("a"), "the engine is gone".to_owned());
    board.stick(&id("b"), "a bug".to_owned());
    let why = |name, reason: &str| (id(name), reason.to_owned());
    assert_eq!(board.stuck(), [why("a", "the engine is gone"), why("b", "a bug")]);
    assert_eq!(state(&board, "a"), State::Stuck(brokers(&[1]), "the engine is gone".to_owned()));
    assert_eq!(state(&board, "b"), State::Stuck(Vec::new(), "a bug".to_owned()), "it had struck nobody");
    assert_eq!(board.struck_by(&id("a")), Some(brokers(&[1])));
}

#[test]
fn what_is_over_and_what_has_ended_follow_a_faults_life() {
    let of = |state: State| (state.is_over(), state.has_ended());
    assert_eq!(of(State::Waiting), (false, false));
    assert_eq!(of(State::InForce(brokers(&[1]))), (false, false));
    assert_eq!(of(State::Healed(brokers(&[1]))), (true, false), "nothing is in force, but nobody may follow yet");
    for end in [State::Whole(Vec::new()), State::Skipped, State::PassedOver, State::Stuck(Vec::new(), String::new())] {
        assert_eq!(of(end.clone()), (true, true), "{end:?}");
    }
}

#[tokio::test]
async fn the_wait_for_all_of_them_ends_with_the_last_one_and_not_before() {
    let board = kills(None);
    let is_over = async || timeout(Duration::from_millis(20), board.all_over()).await.is_ok();
    board.enter(&id("a"), State::Whole(brokers(&[1])));
    assert!(!is_over().await, "the other has not had its turn");
    admit(&board, "b", brokers(&[2])).expect("nothing bounds it");
    assert!(!is_over().await, "the other is in force");
    let waiting = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        board.enter(&id("b"), State::Healed(brokers(&[2])));
    };
    let (over, ()) = tokio::join!(timeout(Duration::from_secs(10), board.all_over()), waiting);
    assert!(over.is_ok(), "who waits already is told");
}

#[test]
fn whether_a_target_may_be_nobody_is_the_plans_to_say() {
    assert_eq!(kills(None).empty_target(), EmptyTarget::Fail);
}

#[test]
fn a_majority_is_never_wiped_at_once() {
    let board = board(None, vec![step("one", WIPE), step("other", WIPE), step("kill", KILL)]);
    assert!(admit(&board, "one", brokers(&[1, 2])).expect_err("two of three").contains("2 of 3 brokers"));
    admit(&board, "one", brokers(&[1])).expect("one of three");
    board.enter(&id("one"), State::Healed(brokers(&[1])));
    assert!(admit(&board, "other", brokers(&[2])).is_err(), "broker-1 is not whole yet");
    admit(&board, "kill", brokers(&[2])).expect("who is killed remembers");
    board.enter(&id("one"), State::Whole(brokers(&[1])));
    admit(&board, "other", brokers(&[2])).expect("broker-1 has learned everything again");
}
