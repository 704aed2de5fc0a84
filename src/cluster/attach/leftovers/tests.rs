//! What ledgers leave to be undone.

use serde_json::json;

use super::*;
use crate::cluster::engine::fake::{Answer, Fake};
use crate::kafka::levers::ConfigOwner;
use crate::kafka::{BrokerId, Endpoint};

fn attached() -> Entry {
    let named = |broker, name: &str| NamedContainer {
        broker: BrokerId(broker),
        name: name.to_owned(),
        id: format!("id of {name}"),
    };
    Entry::Attach {
        bootstrap: vec![Endpoint::new("localhost", 9092)],
        client: BTreeMap::new(),
        cluster_id: Some("wiber".to_owned()),
        engine: None,
        containers: vec![named(1, "kafka-1"), named(2, "kafka-2")],
    }
}

fn inject(fault: &str, targets: &[i32]) -> Entry {
    let remedies = targets.iter().map(|id| Remedy { broker: BrokerId(*id), undo: Undo::Thaw }).collect();
    let targets = targets.iter().map(|id| BrokerId(*id).into()).collect();
    Entry::Inject { fault: FaultId(fault.to_owned()), kind: "pause".to_owned(), targets, remedies }
}

fn make(object: Object, name: &str) -> Entry {
    Entry::Make { object, name: name.to_owned() }
}

#[test]
fn a_fault_that_was_not_healed_is_left_and_a_healed_one_is_not() {
    let heal = Entry::Heal { fault: FaultId("a".to_owned()) };
    let left = find(&[attached(), inject("a", &[1]), heal, inject("b", &[1, 2])]);
    assert_eq!(left.names(), ["container kafka-1, struck by `b`", "container kafka-2, struck by `b`"]);
}

#[test]
fn faults_are_undone_in_the_opposite_order_of_the_ledger_whatever_their_names() {
    let healed = Entry::Heal { fault: FaultId("c".to_owned()) };
    let left = find(&[attached(), inject("b", &[1]), inject("c", &[2]), inject("a", &[1]), healed, inject("d", &[2])]);
    let order: Vec<&str> = left.latest_first().map(|struck| struck.fault.0.as_str()).collect();
    assert_eq!(order, ["d", "a", "b"]);
}

#[test]
fn a_broker_that_was_told_to_end_is_started_after_that_life_and_one_that_was_not_is_left_to_run() {
    let fault = FaultId("restart".to_owned());
    let remedies = [1, 2].map(|id| Remedy { broker: BrokerId(id), undo: Undo::Start }).to_vec();
    let targets = remedies.iter().map(|remedy| remedy.broker.into()).collect();
    let inject = Entry::Inject { fault: fault.clone(), kind: "rolling".to_owned(), targets, remedies };
    let ending = |life: &str| Entry::Ending { fault: fault.clone(), broker: BrokerId(1), life: life.to_owned() };
    let undone = |entries: &[Entry]| -> Vec<Undo> {
        find(entries).struck[0].remedies.iter().map(|(_, undo)| undo.clone()).collect()
    };
    let revive = |life: &str| Undo::Revive { life: life.to_owned() };
    assert_eq!(undone(&[attached(), inject.clone()]), [Undo::Start, Undo::Start], "nobody was told anything");
    let told = [attached(), inject, ending("one"), ending("two")];
    assert_eq!(undone(&told[..3]), [revive("one"), Undo::Start]);
    assert_eq!(undone(&told), [revive("two"), Undo::Start], "the last life that was told");
    assert!(find(&[&told[..], &[Entry::Heal { fault: fault.clone() }]].concat()).is_empty());
}

#[test]
fn what_an_older_ledger_says_is_understood() {
    let line = r#"{"entry":"inject","fault":"a","kind":"stop","targets":[1],"remedies":[{"broker":1,"undo":"start"}]}"#;
    let remedies = vec![Remedy { broker: BrokerId(1), undo: Undo::Start }];
    let targets = vec![BrokerId(1).into()];
    let inject = Entry::Inject { fault: FaultId("a".to_owned()), kind: "stop".to_owned(), targets, remedies };
    assert_eq!(serde_json::from_str::<Entry>(line).ok(), Some(inject));
}

#[test]
fn a_target_without_a_named_container_is_nobodys_to_heal() {
    let left = find(&[attached(), inject("a", &[3, 9])]);
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_was_changed_through_kafka_needs_no_container_to_be_left() {
    let undo = Undo::Configure { owner: ConfigOwner::Broker(BrokerId(3)), before: Vec::new() };
    let (fault, kind) = (FaultId("a".to_owned()), "alter-config".to_owned());
    let remedies = vec![Remedy { broker: BrokerId(3), undo }];
    let targets = vec![BrokerId(3).into()];
    let inject = Entry::Inject { fault: fault.clone(), kind, targets, remedies };
    let left = find(&[attached(), inject.clone()]);
    assert_eq!(left.names(), ["settings of broker-3, changed by `a`"]);
    assert!(find(&[attached(), inject, Entry::Heal { fault }]).is_empty());
}

#[test]
fn topics_and_groups_are_left_until_they_are_deleted() {
    let made = Entry::Made { topic: "chaos-chat".to_owned(), id: Some(Uuid::from_u128(7)) };
    let mut entries = vec![attached(), make(Object::Topic, "chaos-chat"), made, make(Object::Group, "readers")];
    assert_eq!(find(&entries).names(), ["topic chaos-chat", "group readers"]);
    for (object, name) in [(Object::Topic, "chaos-chat"), (Object::Group, "readers")] {
        entries.push(Entry::Unmade { object, name: name.to_owned() });
    }
    assert!(find(&entries).is_empty(), "nothing is undone twice");
}

#[test]
fn a_topic_that_may_be_somebody_elses_is_told_and_not_undone() {
    let left = find(&[attached(), make(Object::Topic, "chaos-chat")]);
    assert!(left.topics.is_empty() && left.names()[0].contains("left alone"), "{left:?}");
    let leave = Entry::Leave { object: Object::Topic, name: "chaos-chat".to_owned() };
    assert!(find(&[attached(), make(Object::Topic, "chaos-chat"), leave]).is_empty());
}

#[test]
fn a_cluster_of_containers_leaves_nothing_here() {
    assert!(find(&[make(Object::Network, "n")]).is_empty());
}

/// An engine with a frozen broker, and a tool container that a dead run left.
fn engine_with_a_tool(removal: Answer) -> Fake {
    Fake::start(move |request| match request.split('?').next().unwrap_or_default() {
        "GET /containers/json" if request.contains("wiber-chaos.tool") => (200, json!([{ "Names": ["/run-tool-1"] }])),
        "GET /containers/json" | "GET /networks" => (200, json!([])),
        "GET /volumes" => (200, json!({ "Volumes": [] })),
        "GET /containers/kafka-1/json" => {
            (200, json!({ "Id": "id of kafka-1", "State": { "Status": "paused", "StartedAt": "1" } }))
        }
        "DELETE /containers/run-tool-1" => removal.clone(),
        _ => (204, json!(null)),
    })
}

#[tokio::test]
async fn what_is_still_at_work_in_a_tool_container_is_ended_before_anything_is_undone() {
    let fake = engine_with_a_tool((204, json!(null)));
    let left = find(&[attached(), inject("a", &[1])]);
    heal_on(&fake.engine, "run", &left.struck[0]).await.expect("healed");
    let orders = fake.orders();
    assert_eq!(orders.len(), 2, "{orders:?}");
    assert!(orders[0].starts_with("DELETE /containers/run-tool-1") && orders[1].ends_with("/unpause"), "{orders:?}");
}

#[tokio::test]
async fn nothing_is_undone_while_a_tool_container_will_not_go() {
    let fake = engine_with_a_tool((500, json!({ "message": "it is stuck" })));
    let left = find(&[attached(), inject("a", &[1])]);
    heal_on(&fake.engine, "run", &left.struck[0]).await.expect_err("the tool is at work");
    assert!(fake.orders().iter().all(|order| !order.ends_with("/unpause")), "{:?}", fake.orders());
}
