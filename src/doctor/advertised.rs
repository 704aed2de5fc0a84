//! Brokers that send clients where they cannot go. One that is down and one that names a wrong address look alike to a
//! client; here they are told apart.

use super::Check;
use crate::cluster::wire::WireError;
use crate::kafka::{BrokerId, Endpoint};

const NAME: &str = "brokers";

/// A problem for each broker that cannot be reached where it tells clients to go.
pub fn judge(strangers: &[(BrokerId, Endpoint, WireError)]) -> Vec<Check> {
    strangers.iter().map(|(broker, endpoint, error)| judge_one(*broker, endpoint, error)).collect()
}

fn judge_one(broker: BrokerId, endpoint: &Endpoint, error: &WireError) -> Check {
    let (what, help) = match error {
        WireError::Refused(_) => (
            format!("is registered, but nobody listens at {endpoint}, where it sends clients: it is down"),
            "start it again (`docker start NAME`, or `wiber-chaos up`); if it runs, its advertised.listeners name a wrong port",
        ),
        WireError::Silent => (
            format!("takes connections at {endpoint} and does not answer: it is frozen or overloaded"),
            "let it run on (`docker unpause NAME`, or `wiber-chaos up`), or look at its log",
        ),
        WireError::Unresolved { .. } => (
            format!("sends clients to {endpoint}, whose name cannot be resolved from here"),
            "its advertised.listeners must name a host that clients here know; add a listener for them, or run the client where the name is known",
        ),
        WireError::Unreachable => (
            format!("sends clients to {endpoint}, to which no connection comes about from here"),
            "its advertised.listeners must name an address that clients here can reach; else a firewall stands between, or its host is down",
        ),
        WireError::Tls(_) | WireError::Sasl(_) | WireError::Closed | WireError::Protocol(_) => (
            format!("sends clients to {endpoint}, which does not take this client: {error}"),
            "its advertised.listeners must name the listener that these properties (-X) are for",
        ),
    };
    Check::problem(NAME, format!("{broker} {what}"), help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn one_that_is_down_is_told_from_one_that_advertises_a_wrong_address() {
        let endpoint = Endpoint::new("kafka-2", 29092);
        let unresolved = WireError::Unresolved { host: "kafka-2".to_owned(), reason: "unknown".to_owned() };
        let refused = WireError::Refused(std::io::ErrorKind::ConnectionRefused.into());
        let errors = [(refused, "it is down"), (WireError::Silent, "frozen"), (unresolved, "resolved")];
        for (error, word) in errors {
            let check = judge_one(BrokerId(2), &endpoint, &error);
            assert_eq!(check.level, Level::Problem);
            let found = &check.found;
            assert!(found.contains("broker-2") && found.contains("kafka-2:29092") && found.contains(word), "{found}");
        }
        let help = judge_one(BrokerId(2), &endpoint, &WireError::Unreachable).help;
        assert!(help.is_some_and(|help| help.contains("advertised.listeners")));
    }
}
