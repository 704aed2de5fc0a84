//! A status as people read it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::terminal::Style;
use crate::cluster::status::{BrokerState, BrokerStatus, Status};
use crate::kafka::{BrokerId, GroupMissing, GroupView, PartitionLag, PartitionView};

/// The whole status.
pub(super) fn human(status: &Status, style: Style) -> String {
    let mut text = String::new();
    write(&mut text, status, style).expect("a String takes all that is written to it");
    text
}

fn write(out: &mut String, status: &Status, style: Style) -> std::fmt::Result {
    match &status.missing {
        None => writeln!(out, "{} brokers, {}", status.brokers.len(), style.good("whole"))?,
        Some(missing) => writeln!(out, "{} brokers, {}: {missing}", status.brokers.len(), style.bad("not whole"))?,
    }
    for broker in &status.brokers {
        write_broker(out, broker, style)?;
    }
    let mut topics: BTreeMap<&str, Vec<&PartitionView>> = BTreeMap::new();
    for partition in &status.view.partitions {
        topics.entry(&partition.partition.topic).or_default().push(partition);
    }
    let (own, others): (Vec<_>, Vec<_>) = topics.into_iter().partition(|(topic, _)| topic.starts_with("__"));
    for (topic, partitions) in others {
        writeln!(out, "\ntopic {}", style.bold(topic))?;
        out.push_str(&partitions_table(&partitions, style));
    }
    for (topic, partitions) in own {
        let thin = partitions.iter().filter(|partition| partition.isr.len() < partition.replicas.len()).count();
        let state = if thin == 0 { "all in sync".to_owned() } else { format!("{thin} under-replicated") };
        writeln!(out, "\n{}", style.dim(&format!("topic {topic}: {} partitions, {state}", partitions.len())))?;
    }
    for group in &status.groups {
        write_group(out, group, style)?;
    }
    if !status.groups_missing.is_empty() {
        writeln!(out, "\n{}", style.bad("not learnt of groups:"))?;
    }
    for GroupMissing { what, reason } in &status.groups_missing {
        writeln!(out, "  {what}: {reason}")?;
    }
    Ok(())
}

fn write_broker(out: &mut String, broker: &BrokerStatus, style: Style) -> std::fmt::Result {
    let state = match &broker.state {
        BrokerState::Up => style.good("up"),
        BrokerState::Unreachable(reason) => format!("{} ({reason})", style.bad("does not answer")),
        BrokerState::Missing => style.bad("not registered"),
    };
    let place = broker.endpoint.as_ref().map(|endpoint| format!("  {endpoint}")).unwrap_or_default();
    let role = if broker.is_controller { "  controller" } else { "" };
    writeln!(out, "  {}{place}  {state}{role}", broker.broker)
}

/// Partitions with their leaders, replicas and ISR.
pub(in crate::cli) fn partitions_table(partitions: &[&PartitionView], style: Style) -> String {
    let mut text = format!("  {}\n", style.dim("partition  leader     epoch  replicas    ISR"));
    for partition in partitions {
        let leader = partition.leader.map_or_else(|| "none".to_owned(), |leader| leader.to_string());
        let epoch = partition.leader_epoch.map_or_else(String::new, |epoch| epoch.to_string());
        let thin = partition.isr.len() < partition.replicas.len();
        let isr = ids(&partition.isr);
        let isr = if thin { style.bad(&format!("{isr}  under-replicated")) } else { isr };
        let (number, replicas) = (partition.partition.partition, ids(&partition.replicas));
        let number = number.to_string();
        writeln!(text, "  {number:<9}  {leader:<9}  {epoch:<5}  {replicas:<10}  {isr}")
            .expect("a String takes all that is written to it");
    }
    text
}

fn ids(brokers: &[BrokerId]) -> String {
    if brokers.is_empty() {
        return "none".to_owned();
    }
    let mut ids: Vec<i32> = brokers.iter().map(|broker| broker.0).collect();
    ids.sort_unstable();
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn write_group(out: &mut String, group: &GroupView, style: Style) -> std::fmt::Result {
    let members = match group.members.len() {
        0 => "no members".to_owned(),
        1 => "1 member".to_owned(),
        count => format!("{count} members"),
    };
    writeln!(out, "\ngroup {}  {}, {members}, lag {}", style.bold(&group.group), group.state, group.lag())?;
    for member in &group.members {
        let owns: Vec<String> = member.owns.iter().map(ToString::to_string).collect();
        let owns = if owns.is_empty() { "nothing".to_owned() } else { owns.join(", ") };
        writeln!(out, "  {} at {}: {owns}", member.client, member.host)?;
    }
    for offset in &group.offsets {
        let number = |offset: Option<crate::kafka::Offset>| offset.map_or_else(|| "?".to_owned(), |it| it.to_string());
        let lag = match offset.lag() {
            beyond @ PartitionLag::Beyond(_) => style.bad(&beyond.to_string()),
            lag => lag.to_string(),
        };
        let (committed, end) = (number(offset.committed), number(offset.end));
        writeln!(out, "  {}  committed {committed} of {end}, {lag}", offset.partition)?;
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::kafka::{ClusterView, Endpoint, GroupOffset, LeaderEpoch, MemberView, Missing, Offset, TopicPartition};

    /// A broker is gone, and with it what nobody else knows.
    pub(in crate::cli) fn sample() -> Status {
        let partition = |number, isr: &[i32]| PartitionView {
            partition: TopicPartition::new("chat", number),
            leader: isr.first().copied().map(BrokerId),
            leader_epoch: Some(LeaderEpoch(4)),
            replicas: vec![BrokerId(1), BrokerId(2), BrokerId(3)],
            isr: isr.iter().copied().map(BrokerId).collect(),
        };
        let broker = |id, state| BrokerStatus {
            broker: BrokerId(id),
            endpoint: Some(Endpoint::new("localhost", 9091 + u16::try_from(id).expect("small"))),
            state,
            is_controller: id == 3,
        };
        Status {
            brokers: vec![
                broker(1, BrokerState::Up),
                BrokerStatus { endpoint: None, ..broker(2, BrokerState::Missing) },
                broker(3, BrokerState::Up),
            ],
            view: ClusterView {
                brokers: vec![BrokerId(1), BrokerId(3)],
                controller: Some(BrokerId(3)),
                controller_epoch: None,
                partitions: vec![partition(0, &[1, 2, 3]), partition(1, &[3, 1]), partition(2, &[])],
            },
            groups: vec![GroupView {
                group: "chat-consumers".to_owned(),
                state: "Stable".to_owned(),
                members: vec![MemberView {
                    member: "m-1".to_owned(),
                    client: "wiber-chaos".to_owned(),
                    host: "127.0.0.1".to_owned(),
                    owns: vec![TopicPartition::new("chat", 0)],
                }],
                offsets: [(Some(5), Some(17)), (Some(5), None), (None, Some(3)), (Some(9), Some(4))]
                    .into_iter()
                    .zip(0..)
                    .map(|((committed, end), number)| GroupOffset {
                        partition: TopicPartition::new("chat", number),
                        committed: committed.map(Offset),
                        end: end.map(Offset),
                    })
                    .collect(),
            }],
            groups_missing: vec![GroupMissing {
                what: Missing::CoordinatedBy(BrokerId(2)),
                reason: "no answer within 5 s".to_owned(),
            }],
            missing: Some("not registered: broker-2".to_owned()),
        }
    }

    #[test]
    fn a_status_shows_what_is_missing_first_and_what_is_not_known() {
        insta::assert_snapshot!(human(&sample(), Style::Plain));
    }
}
