//! From brokers, clients and planes to addresses and ports.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::Containers;
use crate::cluster::ClusterError;
use crate::fault::network::Flow;
use crate::fault::{Ends, Link, Plane, Wire};
use crate::kafka::BrokerId;

/// The port of each broker's listener for each plane, inside its container.
pub type Listeners = BTreeMap<Plane, u16>;

impl Containers {
    /// Which packets a broker's wires are.
    pub(super) async fn flows(&self, broker: BrokerId, wires: &[Wire]) -> Result<Vec<Flow>, ClusterError> {
        let mut flows = Vec::new();
        for Wire { way, ends, plane } in wires {
            let (peers, except) = match ends {
                Ends::Brokers(peers) => (self.addresses_of(peers).await?, Vec::new()),
                Ends::Clients => (Vec::new(), self.addresses_of(&self.brokers()).await?),
                Ends::Everybody => (Vec::new(), Vec::new()),
            };
            let ports = match (plane, ends) {
                (None, _) => Vec::new(),
                // The port is that of whoever listens: the broker itself, or the other broker.
                (Some(plane), Ends::Brokers(peers)) => {
                    let mut ports = vec![self.port(broker, *plane).await?];
                    for peer in peers {
                        ports.push(self.port(*peer, *plane).await?);
                    }
                    ports.sort_unstable();
                    ports.dedup();
                    ports
                }
                (Some(plane), _) => vec![self.port(broker, *plane).await?],
            };
            flows.push(Flow { way: *way, peers, except, ports });
        }
        Ok(flows)
    }

    /// Where a link goes.
    pub(super) async fn end_of(&self, link: Link) -> Result<SocketAddrV4, ClusterError> {
        let address = self.addresses_of(&[link.to]).await?;
        let none = || ClusterError::Engine {
            action: format!("find the address of {}", link.to),
            reason: "it is in no network now, and never was when somebody looked".to_owned(),
        };
        Ok(SocketAddrV4::new(*address.first().ok_or_else(none)?, self.port(link.to, link.plane).await?))
    }

    /// The brokers' addresses. One that does not run now has those that it had last, which it keeps where it may.
    async fn addresses_of(&self, brokers: &[BrokerId]) -> Result<Vec<Ipv4Addr>, ClusterError> {
        let mut found = Vec::new();
        for broker in brokers {
            let now = self.engine.addresses(self.name(*broker)?).await?;
            let now: Vec<Ipv4Addr> = now.into_iter().map(|place| place.address).collect();
            let mut known = self.addresses.lock().await;
            if !now.is_empty() {
                known.insert(*broker, now);
            }
            found.extend(known.get(broker).into_iter().flatten());
        }
        Ok(found)
    }
}
