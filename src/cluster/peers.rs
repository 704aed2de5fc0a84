//! The brokers of a cluster as somebody outside it can ask them: who they are, where they listen, how to connect.

use crate::cluster::wire::Security;
use crate::kafka::{Access, BrokerId, Endpoint};

/// Brokers to ask.
#[derive(Clone, Debug)]
pub struct Peers {
    /// Each broker and its client address.
    pub addresses: Vec<(BrokerId, Endpoint)>,
    /// How to connect to any of them.
    pub security: Security,
}

impl Peers {
    /// Brokers that speak plain text.
    pub fn plaintext(addresses: Vec<(BrokerId, Endpoint)>) -> Self {
        Self { addresses, security: Security::plaintext() }
    }

    /// The same, without one of them.
    #[must_use]
    pub fn without(&self, except: Option<BrokerId>) -> Self {
        let addresses = self.addresses.iter().filter(|(id, _)| Some(*id) != except).cloned().collect();
        Self { addresses, security: self.security.clone() }
    }

    /// Where a broker listens.
    pub fn endpoint(&self, broker: BrokerId) -> Option<&Endpoint> {
        self.addresses.iter().find(|(id, _)| *id == broker).map(|(_, endpoint)| endpoint)
    }

    /// The brokers' ids.
    pub fn ids(&self) -> Vec<BrokerId> {
        self.addresses.iter().map(|(id, _)| *id).collect()
    }

    /// How clients reach them, in plain text.
    pub fn access(&self) -> Access {
        Access::plaintext(self.addresses.iter().map(|(_, endpoint)| endpoint.clone()).collect())
    }
}
