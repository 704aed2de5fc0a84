//! Proofs by hand of the faults that Kafka's own protocol brings about: each has its proof, and one thing less is none.

use std::collections::BTreeMap;

use crate::fault::kinds::alter_config::AlterConfig;
use crate::fault::kinds::delete_records::DeleteRecords;
use crate::fault::kinds::elect::Elect;
use crate::fault::kinds::fail_over::FailOver;
use crate::fault::kinds::reassign::{How, Reassign};
use crate::fault::kinds::transfer_leader::TransferLeader;
use crate::fault::lever::{Configured, Deposed, ElectionHeld, Giver, Moved, RecordsDeleted, Reign};
use crate::fault::{
    Deed, FaultKind, Look, Moment, Observation, Probe, ProcessState, Sight, Target, Testimony, Times, Victim,
};
use crate::kafka::levers::{ConfigOwner, ConfigState, Elected, Election, LogBounds, OwnValue};
use crate::kafka::{BrokerId, LeaderEpoch, Offset, PartitionView, TimeNs, TopicPartition};

use super::proof::{Proof, prove};

fn chat() -> TopicPartition {
    TopicPartition::new("chat", 0)
}

fn ids(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

fn view(leader: Option<i32>, epoch: i32, replicas: &[i32]) -> PartitionView {
    PartitionView {
        partition: chat(),
        leader: leader.map(BrokerId),
        leader_epoch: Some(LeaderEpoch(epoch)),
        replicas: ids(replicas),
        isr: ids(replicas),
    }
}

/// One fault's evidence, of which a test takes something away.
struct Evidence {
    kind: FaultKind,
    deed: Option<Deed>,
    before: Option<Sight>,
    during: Option<Sight>,
    /// A later look at the fault in force.
    later: Option<Sight>,
    after: Option<Sight>,
}

impl Evidence {
    fn proof(self) -> Proof {
        let during = [self.during, self.later].into_iter().flatten().map(|sight| (Moment::During, Some(sight)));
        let looks = [(Moment::Before, self.before)].into_iter().chain(during).chain([(Moment::After, self.after)]);
        let looks: Vec<Look> = looks
            .map(|(moment, sight)| Look {
                time: TimeNs(1),
                moment,
                target: BrokerId(1).into(),
                seen: Observation {
                    // Nobody named its container: the proof must do without an engine.
                    process: ProcessState::Unwatched,
                    probe: Probe::Answered { elapsed_ms: 1 },
                    standing: None,
                    sights: sight.into_iter().collect(),
                },
            })
            .collect();
        let deeds = self.deed.into_iter().map(|deed| (Victim::Broker(BrokerId(1)), deed)).collect();
        let seen = Testimony { looks, deeds, ..Testimony::default() };
        prove(&self.kind, &seen, &[BrokerId(1).into()], Times::default())
    }
}

#[track_caller]
fn assert_missing(evidence: Evidence, missing: &str) {
    let proof = evidence.proof();
    assert!(!proof.proven, "{}", proof.sentence);
    assert!(proof.sentence.starts_with("missing: ") && proof.sentence.contains(missing), "{}", proof.sentence);
}

fn transfer() -> Evidence {
    let (before, after) = (view(Some(1), 5, &[1, 2, 3]), view(Some(2), 6, &[2, 1, 3]));
    Evidence {
        kind: FaultKind::TransferLeader(TransferLeader { partition: chat(), to: Target::Follower(chat()) }),
        deed: Some(Deed::Moved(Box::new(Moved { before: before.clone(), after: after.clone() }))),
        before: Some(Sight::Partition(before)),
        during: Some(Sight::Partition(after)),
        later: None,
        after: Some(Sight::Partition(view(Some(1), 7, &[1, 2, 3]))),
    }
}

#[test]
fn a_transfer_is_proven_by_leaders_epochs_and_the_way_back() {
    let proof = transfer().proof();
    assert!(proof.proven, "{}", proof.sentence);
    assert_eq!(
        proof.sentence,
        "leader broker-1 in epoch 5, then broker-2 in epoch 6; then the old replicas and the old leader; then it answered"
    );
    let moved = |after| Some(Deed::Moved(Box::new(Moved { before: view(Some(1), 5, &[1, 2, 3]), after })));
    assert_missing(Evidence { deed: None, ..transfer() }, "the transfer");
    assert_missing(Evidence { deed: moved(view(Some(1), 6, &[1, 2, 3])), ..transfer() }, "another leader");
    assert_missing(Evidence { deed: moved(view(Some(2), 5, &[2, 1, 3])), ..transfer() }, "a later epoch");
    assert_missing(Evidence { during: None, ..transfer() }, "broker-2 as the leader while the fault was in force");
    let later = |leader, epoch, replicas: &[i32]| Some(Sight::Partition(view(Some(leader), epoch, replicas)));
    let lost = Evidence { later: later(1, 7, &[2, 1, 3]), ..transfer() }.proof();
    assert!(lost.proven, "whoever leads when the new leader dies: {}", lost.sentence);
    let taken_back = Evidence { later: later(1, 7, &[1, 2, 3]), ..transfer() };
    assert_missing(taken_back, "the replicas broker-2, broker-1, broker-3 until the heal (somebody made them broker-1");
    let order = Some(Sight::Partition(view(Some(1), 7, &[2, 1, 3])));
    assert_missing(Evidence { after: order, ..transfer() }, "its old replicas and leader");
    let leader = Some(Sight::Partition(view(Some(2), 6, &[1, 2, 3])));
    assert_missing(Evidence { after: leader, ..transfer() }, "its old replicas and leader");
    assert_missing(Evidence { after: None, ..transfer() }, "a look at its replicas after the heal");
}

fn reassignment(from: Giver, before: &PartitionView, after: PartitionView) -> Evidence {
    let how = How::Move { from, to: Target::All };
    Evidence {
        kind: FaultKind::Reassign(Reassign { partition: chat(), how }),
        deed: Some(Deed::Moved(Box::new(Moved { before: before.clone(), after: after.clone() }))),
        before: Some(Sight::Partition(before.clone())),
        during: Some(Sight::Partition(after)),
        later: None,
        after: Some(Sight::Partition(before.clone())),
    }
}

#[test]
fn a_reassignment_is_proven_by_other_replicas_in_sync() {
    let before = view(Some(1), 5, &[1, 2]);
    let moved = || reassignment(Giver::Follower, &before, view(Some(1), 6, &[1, 3]));
    let proof = moved().proof();
    assert!(proof.proven, "{}", proof.sentence);
    let stayed = reassignment(Giver::Follower, &before, before.clone());
    assert_missing(stayed, "other replicas (they stayed broker-1, broker-2)");
    let out_of_sync = PartitionView { isr: ids(&[1]), ..view(Some(1), 6, &[1, 3]) };
    assert_missing(reassignment(Giver::Follower, &before, out_of_sync), "the new replicas in sync");
    let led_on = reassignment(Giver::Leader, &before, view(Some(1), 6, &[3, 2]));
    assert_missing(led_on, "another leader");
    assert_missing(Evidence { during: None, ..moved() }, "the replicas broker-1, broker-3 while");
    let taken_back = Evidence { later: Some(Sight::Partition(before.clone())), ..moved() };
    assert_missing(taken_back, "the replicas broker-1, broker-3 until the heal");
    assert_missing(Evidence { after: moved().during, ..moved() }, "its old replicas and leader");
    assert_missing(Evidence { deed: None, ..moved() }, "the reassignment");
}

fn election(election: Election, before: PartitionView, outcome: Elected, after: PartitionView) -> Evidence {
    Evidence {
        kind: FaultKind::Elect(Elect { partition: chat(), election }),
        before: Some(Sight::Partition(before.clone())),
        during: None,
        later: None,
        after: Some(Sight::Partition(after.clone())),
        deed: Some(Deed::Elected(Box::new(ElectionHeld { before, outcome, after }))),
    }
}

#[test]
fn a_preferred_election_is_proven_by_the_preferred_replica_in_a_later_epoch() {
    let replicas = [1, 2, 3];
    let held = |leader, epoch, outcome| {
        let before = view(Some(2), 5, &replicas);
        election(Election::Preferred, before, outcome, view(Some(leader), epoch, &replicas))
    };
    let proof = held(1, 6, Elected::Held).proof();
    assert!(proof.proven, "{}", proof.sentence);
    assert_missing(held(2, 5, Elected::NotNeeded), "an election that was needed");
    assert_missing(held(3, 6, Elected::Held), "the preferred replica as the leader");
    assert_missing(held(1, 5, Elected::Held), "a later epoch");
    assert_missing(Evidence { after: None, ..held(1, 6, Elected::Held) }, "a look at the elected leader");
    assert_missing(Evidence { deed: None, ..held(1, 6, Elected::Held) }, "the election");
}

#[test]
fn an_unclean_election_needs_a_partition_that_nobody_led() {
    let held = |before| {
        let before = view(before, 5, &[1, 2]);
        election(Election::Unclean, before, Elected::Held, view(Some(2), 6, &[1, 2]))
    };
    let proof = held(None).proof();
    assert!(proof.proven, "{}", proof.sentence);
    assert!(proof.sentence.starts_with("leader nobody in epoch 5, then broker-2 in epoch 6"), "{}", proof.sentence);
    assert_missing(held(Some(1)), "a partition without a leader before");
}

fn alteration() -> Evidence {
    let state = |own: OwnValue, effective: &str| {
        vec![ConfigState { key: "min.insync.replicas".to_owned(), own, effective: Some(effective.to_owned()) }]
    };
    let (before, after) = (state(OwnValue::Unset, "2"), state(OwnValue::Set("1".to_owned()), "1"));
    let set = BTreeMap::from([("min.insync.replicas".to_owned(), "1".to_owned())]);
    let owner = ConfigOwner::Topic("chat".to_owned());
    Evidence {
        kind: FaultKind::AlterConfig(AlterConfig { topic: Some("chat".to_owned()), set }),
        before: Some(Sight::Settings { states: before.clone() }),
        during: Some(Sight::Settings { states: after.clone() }),
        later: None,
        after: Some(Sight::Settings { states: before.clone() }),
        deed: Some(Deed::Configured(Configured { owner, before, after })),
    }
}

#[test]
fn changed_settings_are_proven_by_their_values_and_put_back_exactly() {
    let proof = alteration().proof();
    assert!(proof.proven, "{}", proof.sentence);
    assert_eq!(proof.sentence, "min.insync.replicas from 2 (not its own) to 1; then as before; then it answered");
    let same = alteration();
    let Some(Deed::Configured(done)) = same.deed.clone() else { panic!("it has its deed") };
    let unchanged = Configured { after: done.before.clone(), ..done };
    assert_missing(Evidence { deed: Some(Deed::Configured(unchanged)), ..same }, "another value");
    assert_missing(Evidence { during: alteration().before, ..alteration() }, "the new settings at every look");
    assert_missing(Evidence { during: None, ..alteration() }, "a look at the settings while");
    assert_missing(Evidence { after: alteration().during, ..alteration() }, "the old settings after the heal");
    // The same value, but now the topic's own: not what was there before.
    let own = ConfigState {
        key: "min.insync.replicas".to_owned(),
        own: OwnValue::Set("2".to_owned()),
        effective: Some("2".to_owned()),
    };
    let after = Some(Sight::Settings { states: vec![own] });
    assert_missing(Evidence { after, ..alteration() }, "the old settings after the heal");
}

fn deletion(before: i64, log_start: i64, after: i64) -> Evidence {
    let bounds = LogBounds { log_start: Offset(0), high_watermark: Offset(1000) };
    let deed = RecordsDeleted { partition: chat(), before: bounds, log_start: Offset(log_start) };
    Evidence {
        kind: FaultKind::DeleteRecords(DeleteRecords { partition: chat(), millionths: 500_000 }),
        deed: Some(Deed::RecordsDeleted(deed)),
        before: Some(Sight::LogStart { log_start: Offset(before) }),
        during: None,
        later: None,
        after: Some(Sight::LogStart { log_start: Offset(after) }),
    }
}

#[test]
fn a_deletion_is_proven_by_the_start_of_the_log() {
    let proof = deletion(0, 500, 500).proof();
    assert!(proof.proven, "{}", proof.sentence);
    assert_eq!(proof.sentence, "500 offsets deleted, from 0 up to 500; then it answered");
    assert_missing(deletion(0, 0, 0), "a later start of the log");
    assert_missing(deletion(500, 500, 500), "an earlier start of the log before it");
    assert_missing(deletion(0, 500, 0), "a log that still begins there");
    assert_missing(Evidence { after: None, ..deletion(0, 500, 500) }, "a look at the log's start after it");
    assert_missing(Evidence { deed: None, ..deletion(0, 500, 500) }, "the deletion");
}

fn fail_over(leader: i32, epoch: i32, told: i32) -> Evidence {
    let reign = |leader, epoch| Reign { leader: BrokerId(leader), epoch: LeaderEpoch(epoch) };
    Evidence {
        kind: FaultKind::FailOver(FailOver {}),
        deed: Some(Deed::Deposed(Deposed { before: reign(1, 5), after: reign(leader, epoch) })),
        before: Some(Sight::Controller(reign(1, 5))),
        during: None,
        later: None,
        after: Some(Sight::Controller(reign(leader, told))),
    }
}

#[test]
fn a_fail_over_is_proven_by_another_controller_in_a_later_term() {
    let proof = fail_over(2, 6, 6).proof();
    assert!(proof.proven, "{}", proof.sentence);
    assert!(
        proof.sentence.starts_with("controller broker-1 in epoch 5, then broker-2 in epoch 6"),
        "{}",
        proof.sentence
    );
    assert_missing(fail_over(1, 6, 6), "another controller in a later epoch");
    assert_missing(fail_over(2, 5, 6), "another controller in a later epoch");
    assert_missing(fail_over(2, 6, 5), "a broker that tells of it");
    assert_missing(Evidence { after: None, ..fail_over(2, 6, 6) }, "a look at the controller after it");
    assert_missing(Evidence { deed: None, ..fail_over(2, 6, 6) }, "the election of another controller");
}
