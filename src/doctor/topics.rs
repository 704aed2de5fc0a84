//! The topics that were named: are they there, and can they be used.

use super::{Check, how_many};
use crate::kafka::{ClusterView, PartitionView};
use crate::scenario::suggest::nearest;

const NAME: &str = "topics";

/// What there is to say of topics that could not be looked at; nothing when none was named.
pub fn not_looked_at(wanted: &[String]) -> Option<Check> {
    (!wanted.is_empty()).then(|| Check::not_looked_at(NAME, "no cluster", "see `cluster`"))
}

/// Judges each by metadata of all topics.
pub fn judge(wanted: &[String], view: &ClusterView) -> Vec<Check> {
    wanted.iter().map(|topic| judge_one(topic, view)).collect()
}

fn judge_one(topic: &str, view: &ClusterView) -> Check {
    let partitions: Vec<&PartitionView> =
        view.partitions.iter().filter(|partition| partition.partition.topic == topic).collect();
    if partitions.is_empty() {
        let known = view.partitions.iter().map(|partition| partition.partition.topic.as_str());
        let meant = nearest(topic, known).map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
        let help =
            format!("{meant}`wiber-chaos topics create {topic}` makes it; a client may also not be allowed to see it");
        return Check::problem(NAME, format!("there is no topic `{topic}`"), help);
    }
    let many = how_many(partitions.len(), "partition");
    let leaderless = partitions.iter().filter(|partition| partition.leader.is_none()).count();
    let thin = partitions.iter().filter(|partition| partition.isr.len() < partition.replicas.len()).count();
    if leaderless > 0 {
        let found =
            format!("`{topic}` has {many}, {leaderless} of them without a leader: it cannot be written or read there");
        return Check::problem(NAME, found, "start a broker that has a replica in sync; see `cluster`");
    }
    if thin > 0 {
        let found = format!("`{topic}` has {many}, {thin} of them without their full ISR");
        return Check::warning(NAME, found, "start the brokers that are down, or wait until replicas have caught up");
    }
    Check::ok(NAME, format!("`{topic}` has {many}, each with its leader and its full ISR"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;
    use crate::kafka::{BrokerId, TopicPartition};

    fn view(leader: Option<i32>, isr: &[i32]) -> ClusterView {
        ClusterView {
            brokers: vec![BrokerId(1), BrokerId(2)],
            controller: None,
            controller_epoch: None,
            partitions: vec![PartitionView {
                partition: TopicPartition::new("chat", 0),
                leader: leader.map(BrokerId),
                leader_epoch: None,
                replicas: vec![BrokerId(1), BrokerId(2)],
                isr: isr.iter().copied().map(BrokerId).collect(),
            }],
        }
    }

    #[test]
    fn a_topic_that_is_not_there_is_a_problem_with_the_one_that_was_meant() {
        let check = judge_one("chatt", &view(Some(1), &[1, 2]));
        let help = check.help.expect("help");
        assert_eq!(check.level, Level::Problem);
        assert!(help.contains("did you mean `chat`?") && help.contains("topics create chatt"), "{help}");
        assert!(!judge_one("zebra", &view(Some(1), &[1, 2])).help.expect("help").contains("did you mean"));
    }

    #[test]
    fn a_topic_is_well_only_with_leaders_and_full_isrs() {
        assert_eq!(judge_one("chat", &view(Some(1), &[1, 2])).level, Level::Ok);
        assert_eq!(judge_one("chat", &view(Some(1), &[1])).level, Level::Warning);
        assert_eq!(judge_one("chat", &view(None, &[1])).level, Level::Problem);
    }
}
