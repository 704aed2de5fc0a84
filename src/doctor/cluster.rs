//! The cluster: can it be reached, do its brokers answer where they send clients, and is it whole.

use tokio::time::{Instant, timeout_at};

use super::{Check, Level, Wish, advertised, groups, how_many, topics};
use crate::cluster::reach::{self, Reached};
use crate::cluster::status::{self, Status};
use crate::cluster::view::{self, Topics};
use crate::cluster::{ClusterError, LOOK_LIMIT};
use crate::kafka::Access;

const NAME: &str = "cluster";

/// What there is to say where no cluster was named and none was found.
pub fn absent(wish: &Wish, base_port: u16) -> Vec<Check> {
    let found = format!("there is no cluster at localhost:{base_port}");
    let help = "`wiber-chaos up` starts one; --bootstrap names another";
    unseen(Check::note(NAME, found, help), wish)
}

/// Looks at a cluster that was named, or that listens here.
pub async fn examine(access: &Access, wish: &Wish, deadline: Instant) -> Vec<Check> {
    let reached = match timeout_at(deadline, reach::reach(access)).await {
        Ok(Ok(reached)) => reached,
        Ok(Err(error)) => return unseen(Check::error(NAME, Level::Problem, &error, "look at the brokers' logs"), wish),
        Err(_) => return unseen(Check::late(NAME), wish),
    };
    let peers = &reached.peers;
    let (view, strangers) =
        tokio::join!(view::ask_all(peers, Topics::All, LOOK_LIMIT), reach::strangers(peers, LOOK_LIMIT));
    let of_brokers = advertised::judge(&strangers);
    // Brokers that do not answer are told one by one; they must not hide what else is missing.
    let looked = view.map(|view| status::assess(peers, view, &[]));
    let mut checks = vec![judge(&reached, &looked)];
    checks.extend(of_brokers);
    match looked {
        Ok(status) => {
            checks.extend(topics::judge(&wish.topics, &status.view));
            checks.extend(groups::examine(peers, &status.view, &wish.groups, deadline).await);
        }
        Err(_) => checks.extend(dependents(wish)),
    }
    checks
}

fn unseen(check: Check, wish: &Wish) -> Vec<Check> {
    std::iter::once(check).chain(dependents(wish)).collect()
}

fn dependents(wish: &Wish) -> impl Iterator<Item = Check> {
    topics::not_looked_at(&wish.topics).into_iter().chain([groups::not_looked_at()])
}

fn judge(reached: &Reached, looked: &Result<Status, ClusterError>) -> Check {
    let via = &reached.via;
    match looked {
        Err(error) => Check::error(NAME, Level::Problem, error, "see `brokers`"),
        Ok(Status { missing: Some(missing), .. }) => Check::warning(
            NAME,
            format!("the cluster at {via} is not whole: {missing}"),
            "start the brokers that are down (`docker start NAME`, or `wiber-chaos up`), then wait until replicas have caught up; `wiber-chaos status` shows more",
        ),
        Ok(Status { brokers, view, .. }) => {
            let brokers = how_many(brokers.len(), "broker");
            let partitions = how_many(view.partitions.len(), "partition");
            let controller = view.controller.map(|id| format!(", {id} is the controller")).unwrap_or_default();
            let found = format!("{brokers} at {via}{controller}; {partitions}, each with its leader and its full ISR");
            Check::ok(NAME, found)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::peers::Peers;
    use crate::kafka::{BrokerId, ClusterView, Endpoint};

    fn reached() -> Reached {
        Reached { peers: Peers::plaintext(Vec::new()), via: Endpoint::new("a", 1), cluster_id: None }
    }

    fn status(missing: Option<&str>) -> Status {
        let controller = Some(BrokerId(1));
        let view = ClusterView { brokers: Vec::new(), controller, controller_epoch: None, partitions: Vec::new() };
        let missing = missing.map(str::to_owned);
        Status { brokers: Vec::new(), view, groups: Vec::new(), groups_missing: Vec::new(), missing }
    }

    #[test]
    fn a_cluster_that_is_not_whole_is_a_warning_that_says_what_is_missing() {
        let check = judge(&reached(), &Ok(status(Some("ISR not full: chat-0 2/3"))));
        assert!(check.level == Level::Warning && check.found.contains("chat-0 2/3"), "{check:?}");
        assert_eq!(judge(&reached(), &Ok(status(None))).level, Level::Ok);
    }
}
