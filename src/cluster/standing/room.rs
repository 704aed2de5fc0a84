//! What a standing cluster needs before it starts: names, volumes and ports that are nobody else's.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};

use super::{BROKERS, STANDING_LABEL, Standing, Wish, volume};
use crate::cluster::broker::Member;
use crate::cluster::engine::ContainerFacts;
use crate::cluster::{ClusterError, holder};
use crate::fault::ProcessState;
use crate::kafka::BrokerId;

/// Brokers have addresses behind this one: the first of a range is its gateway's.
const FIRST_ADDRESS: u32 = 10;

impl Standing {
    /// Broker by broker its container, or `None` where there is none. A container of that name that is somebody else's is
    /// an error: to start or remove it is not ours.
    pub(super) async fn brokers(&self) -> Result<Vec<Option<ContainerFacts>>, ClusterError> {
        let mut found = Vec::new();
        for number in 1..=BROKERS {
            let facts = self.engine.container(&self.container(number)).await?;
            if let Some(facts) = &facts {
                let help = "remove it (`make compose-down` for the compose file's), or give this cluster another name with --name";
                self.refuse_strangers(&format!("container {}", facts.name), &facts.labels, help)?;
            }
            found.push(facts);
        }
        Ok(found)
    }

    fn refuse_strangers(
        &self,
        thing: &str,
        labels: &BTreeMap<String, String>,
        help: &'static str,
    ) -> Result<(), ClusterError> {
        match whose(&self.name, labels) {
            None => Ok(()),
            Some(whose) => {
                Err(ClusterError::Another { reason: format!("{thing} is there already, and {whose}"), help })
            }
        }
    }

    /// Every port must be free, but those of brokers that run; and volumes of brokers that have to be made must be ours, for
    /// in somebody else's a broker would write over what it finds.
    pub(super) async fn check_room(
        &self,
        members: &[Member],
        found: &[Option<ContainerFacts>],
    ) -> Result<(), ClusterError> {
        for (member, facts) in members.iter().zip(found) {
            let port = member.endpoint.port;
            if !facts.as_ref().is_some_and(holds_its_port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
                let holder = holder::of(port, Some(&self.engine)).await.unwrap_or(holder::Holder::Somebody);
                return Err(ClusterError::Another {
                    reason: format!("port {port}, which {} needs, is taken by {holder}", member.name),
                    help: "end that, or choose other ports with --base-port",
                });
            }
            if facts.is_none() {
                let volume = volume(member);
                if let Some(labels) = self.engine.volume_labels(&volume).await? {
                    let help = "remove it if nobody needs it (`docker volume rm`), or give this cluster another name with --name";
                    self.refuse_strangers(&format!("volume {volume}"), &labels, help)?;
                }
            }
        }
        Ok(())
    }

    /// Makes the network and the volumes, where they are not there yet.
    pub(super) async fn make_room(&self, members: &[Member]) -> Result<(), ClusterError> {
        let there = self.engine.carrying(&self.label()).await?;
        let network = self.network();
        if !there.networks.contains(&network) {
            self.engine.create_network_of_own_range(&network, &self.labels()).await?;
        }
        for member in members {
            // An engine leaves a volume alone that is there.
            self.engine.create_volume(&volume(member), &self.labels()).await?;
        }
        Ok(())
    }
}

/// What to say to wishes about brokers that are there already: what a container was made from stays with it.
pub(super) fn unheard(wish: &Wish, found: &[Option<ContainerFacts>]) -> Option<&'static str> {
    let wished = wish.image.is_some() || wish.heap_bytes.is_some();
    (wished && found.iter().any(Option::is_some))
        .then_some("brokers that are there keep their image and heap; to change them, `wiber-chaos down` first")
}

/// Whose something is; `None` where it is this cluster's.
fn whose(name: &str, labels: &BTreeMap<String, String>) -> Option<String> {
    let standing = labels.get(STANDING_LABEL);
    if standing.is_some_and(|standing| standing == name) {
        return None;
    }
    Some(match (labels.get("com.docker.compose.project"), standing) {
        (Some(project), _) => format!("it belongs to the compose project `{project}`"),
        (None, Some(other)) => format!("it belongs to the cluster `{other}` of `wiber-chaos up`"),
        (None, None) => "`wiber-chaos up` did not make it".to_owned(),
    })
}

/// Whether its port is taken by itself. One that was made and never started, or that ended, holds none.
fn holds_its_port(facts: &ContainerFacts) -> bool {
    matches!(facts.state, ProcessState::Running { .. } | ProcessState::Paused { .. })
}

/// A broker's own address in its network's range. Without one, brokers that are started in another order than they were
/// stopped in get one another's addresses; and whoever was not stopped goes on talking to the wrong one, for good, because
/// it answers.
pub(super) fn address(range: &str, broker: BrokerId) -> Option<Ipv4Addr> {
    let first: Ipv4Addr = range.split('/').next()?.parse().ok()?;
    let number = u32::try_from(broker.0).ok()?;
    Some(Ipv4Addr::from(u32::from(first).checked_add(FIRST_ADDRESS + number)?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scenario::TopicSpec;

    fn facts(state: ProcessState) -> ContainerFacts {
        let (name, image) = ("kafka-1".to_owned(), "apache/kafka:4.2.0".to_owned());
        ContainerFacts {
            id: String::new(),
            name,
            image,
            state,
            ports: vec![9092],
            labels: BTreeMap::new(),
            environment: Vec::new(),
            mounted_at: Vec::new(),
        }
    }

    #[test]
    fn a_broker_has_an_address_of_its_own_in_its_networks_range() {
        let of = |range: &str, broker| address(range, BrokerId(broker)).map(|address| address.to_string());
        assert_eq!(of("172.18.0.0/16", 2), Some("172.18.0.12".to_owned()));
        assert_eq!(of("nonsense", 1), None);
    }

    #[test]
    fn only_what_carries_this_clusters_label_is_its_own() {
        let labelled = |labels: &[(&str, &str)]| {
            let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            whose("wiber", &labels)
        };
        assert_eq!(labelled(&[(STANDING_LABEL, "wiber")]), None);
        assert!(labelled(&[]).is_some_and(|told| told.contains("did not make it")));
        assert!(labelled(&[(STANDING_LABEL, "other")]).is_some_and(|told| told.contains("`other`")));
        let compose = labelled(&[("com.docker.compose.project", "docker")]);
        assert!(compose.is_some_and(|told| told.contains("compose project `docker`")));
    }

    #[test]
    fn a_container_that_does_not_run_holds_no_port() {
        let started_at = String::new;
        assert!(holds_its_port(&facts(ProcessState::Running { started_at: started_at() })));
        assert!(holds_its_port(&facts(ProcessState::Paused { started_at: started_at() })));
        assert!(!holds_its_port(&facts(ProcessState::Exited { exit_code: 137 })));
        assert!(!holds_its_port(&facts(ProcessState::Missing)), "made and never started");
    }

    fn wish(image: Option<&str>, heap_bytes: Option<u64>) -> Wish {
        let config = BTreeMap::new();
        let topic = TopicSpec { name: "chat".to_owned(), partitions: 3, replication_factor: 3, config };
        Wish { base_port: None, image: image.map(str::to_owned), heap_bytes, limit: Duration::from_secs(1), topic }
    }

    #[test]
    fn wishes_that_brokers_which_are_there_cannot_grant_are_answered() {
        let there = facts(ProcessState::Exited { exit_code: 0 });
        let one_of_two = [Some(there), None];
        assert!(unheard(&wish(None, Some(1 << 30)), &one_of_two).is_some_and(|told| told.contains("down")));
        assert!(unheard(&wish(Some("kafka"), None), &one_of_two).is_some());
        assert_eq!(unheard(&wish(None, None), &one_of_two), None, "nothing was wished for");
        assert_eq!(unheard(&wish(Some("kafka"), Some(1 << 30)), &[None, None]), None, "nothing is there");
    }
}
