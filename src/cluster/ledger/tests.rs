//! Ledgers of living and dead runs, whole and torn.

use super::*;
use crate::cluster::undo::Undo;

#[test]
fn a_living_run_is_alive_and_a_dropped_one_is_dead() {
    let state = tempfile::tempdir().expect("a directory");
    let ledger = Ledger::begin(state.path(), "r1", Path::new("reports/x")).expect("a ledger");
    ledger.write(&Entry::Make { object: Object::Network, name: "r1".to_owned() }).expect("written");
    let alive = survey(state.path()).expect("a survey");
    assert_eq!((alive.alive, alive.dead.len()), (vec!["r1".to_owned()], 0));

    drop(ledger); // What a SIGKILL does: the lock goes, the file stays.
    let mut dead = survey(state.path()).expect("a survey").dead;
    let dead = dead.pop().expect("one dead run");
    assert_eq!((dead.label.as_str(), dead.directory.as_deref()), ("r1", Some(Path::new("reports/x"))));
    dead.close().expect("closed");
    assert!(survey(state.path()).expect("a survey").dead.is_empty());
}

#[test]
fn a_run_that_ended_in_order_leaves_no_ledger() {
    let state = tempfile::tempdir().expect("a directory");
    Ledger::begin(state.path(), "r1", Path::new("x")).expect("a ledger").close().expect("closed");
    let after = survey(state.path()).expect("a survey");
    assert!(after.dead.is_empty() && after.alive.is_empty());
}

#[test]
fn every_entry_is_read_back_as_it_was_written() {
    let state = tempfile::tempdir().expect("a directory");
    let ledger = Ledger::begin(state.path(), "r1", Path::new("x")).expect("a ledger");
    let fault = FaultId("kill".to_owned());
    let written = [
        Entry::Attach {
            bootstrap: vec![Endpoint::new("localhost", 9092)],
            client: BTreeMap::from([("sasl.password".to_owned(), "${SECRET}".to_owned())]),
            cluster_id: Some("wiber".to_owned()),
            engine: None,
            containers: vec![NamedContainer { broker: BrokerId(1), name: "kafka-1".to_owned(), id: "4f1c".to_owned() }],
        },
        Entry::Make { object: Object::Topic, name: "chaos-chat".to_owned() },
        Entry::Made { topic: "chaos-chat".to_owned(), id: Some(Uuid::from_u128(7)) },
        Entry::Unmade { object: Object::Topic, name: "chaos-chat".to_owned() },
        Entry::Inject {
            fault: fault.clone(),
            kind: "kill".to_owned(),
            targets: vec![BrokerId(1).into()],
            remedies: vec![Remedy { broker: BrokerId(1), undo: Undo::Start }],
        },
        Entry::Ending { fault: fault.clone(), broker: BrokerId(1), life: "2026-11-23T22:00:00Z".to_owned() },
        Entry::Heal { fault },
    ];
    for entry in &written {
        ledger.write(entry).expect("written");
    }
    assert_eq!(ledger.entries().expect("read")[1..], written);
    assert!(!ledger.made_something(), "a topic is not the engine's");
}

#[test]
fn a_line_that_makes_no_sense_is_an_error_and_a_torn_last_one_is_not() {
    let state = tempfile::tempdir().expect("a directory");
    let ledger = Ledger::begin(state.path(), "r1", Path::new("x")).expect("a ledger");
    let append = |text: &str| {
        let mut file = OpenOptions::new().append(true).open(&ledger.path).expect("opened");
        file.write_all(text.as_bytes()).expect("written");
    };
    append("{\"entry\":\"ma");
    assert_eq!(ledger.entries().expect("read").len(), 1);
    append("\n{}\n");
    assert!(ledger.entries().expect_err("nonsense").to_string().contains("line 2"));
}

#[test]
fn a_ledger_that_makes_no_sense_keeps_no_other_from_being_found() {
    let state = tempfile::tempdir().expect("a directory");
    for label in ["good", "odd"] {
        drop(Ledger::begin(state.path(), label, Path::new("x")).expect("a ledger"));
    }
    let odd = ledgers(state.path()).join("odd.jsonl");
    fs::write(&odd, "{\"entry\":\"from-the-future\"}\n{}\n").expect("written");
    // As below: the lock may be shared for a moment by a process that another test starts.
    let surveys = std::iter::repeat_with(|| survey(state.path()).expect("a survey"));
    let found = surveys.take(1000).find(|found| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        found.dead.len() == 1 && found.unreadable.len() == 1
    });
    let found = found.expect("both are found");
    assert_eq!(found.dead[0].label, "good");
    assert!(found.unreadable[0].to_string().contains("odd.jsonl"), "{}", found.unreadable[0]);
}

#[test]
fn two_sweeps_never_hold_the_same_dead_run() {
    let state = tempfile::tempdir().expect("a directory");
    drop(Ledger::begin(state.path(), "r1", Path::new("x")).expect("a ledger"));
    // A process that another test starts at this moment shares the dropped lock until it executes its program.
    let surveys = std::iter::repeat_with(|| survey(state.path()).expect("a survey"));
    let first = surveys.take(1000).find(|first| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        !first.dead.is_empty()
    });
    let first = first.expect("the run's lock is dropped");
    let second = survey(state.path()).expect("a survey");
    assert_eq!((first.dead.len(), second.dead.len()), (1, 0));
}
