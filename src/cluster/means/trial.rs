//! A hand in a network of its own, where nothing is to be harmed: it cuts, resets and delays there, and the kernel is asked
//! whether that is in force.

use std::time::Duration;

use tokio::time::timeout;

use super::{Found, SEE_ENGINE, failed, lacking, late};
use crate::cluster::ClusterError;
use crate::cluster::engine::{Engine, NewTool};
use crate::cluster::hand::{Hand, HandError};
use crate::cluster::maker::Maker;
use crate::fault::Need;
use crate::fault::network::{Flow, Treatment, Verdict, Way};

/// When the container that holds the network ends by itself, whatever became of us.
const LIFETIME: Duration = Duration::from_secs(90);

const NO_TABLE: &str = "use a kernel with iptables' tables (CONFIG_IP_NF_FILTER, CONFIG_NETFILTER_XT_MATCH_COMMENT)";
const NO_REJECT: &str = "write mode = \"drop\", or use a kernel with REJECT (CONFIG_IP_NF_TARGET_REJECT)";
const NO_QUEUE: &str = "use a kernel with NFQUEUE (CONFIG_NETFILTER_NETLINK_QUEUE, CONFIG_NETFILTER_XT_TARGET_NFQUEUE); \
                        cutting packets works without";

/// What one trial came to.
type Tried = Result<(), HandError>;

/// What the kernel does with packets, for each of the needs that are about them.
pub(super) async fn packets(engine: &Engine, image: &str, maker: &Maker, limit: Duration) -> Vec<(Need, Found)> {
    const ABOUT: [Need; 3] = [Need::SideCar, Need::Rejection, Need::PacketQueue];
    match timeout(limit, in_a_network(engine, image, maker)).await {
        Ok(Ok(tried)) => judge(tried),
        Ok(Err(error)) => {
            let what = "no side-car works in another container's network";
            ABOUT.map(|need| (need, failed(need, what, &error, SEE_ENGINE))).into()
        }
        Err(_) => ABOUT.map(|need| (need, late("a side-car in a throw-away container", limit))).into(),
    }
}

/// What was tried in the network.
struct Trials {
    drop: Tried,
    reset: Tried,
    delay: Tried,
}

/// Makes a container that has a network to itself and nothing in it, and lets a hand try there. Both are removed.
async fn in_a_network(engine: &Engine, image: &str, maker: &Maker) -> Result<Trials, ClusterError> {
    let name = maker.name("network").await?;
    let new = NewTool {
        name: name.clone(),
        image: image.to_owned(),
        lifetime: Some(LIFETIME),
        labels: maker.labels(),
        ..NewTool::default()
    };
    let tried = async {
        engine.start_tool(&new).await?;
        let hand = Hand::start(engine, &name, &maker.name("hand").await?, &maker.labels()).await?;
        let tried = try_all(&hand).await;
        // How it ended is no matter: what it was asked is known, and its network goes with the container.
        drop(hand.close().await);
        Ok::<Trials, ClusterError>(tried)
    };
    let tried = tried.await;
    let removed = engine.remove_container(&name).await;
    let tried = tried?;
    removed?;
    Ok(tried)
}

async fn try_all(hand: &Hand) -> Trials {
    Trials {
        drop: try_cut(hand, "trial/drop", Verdict::Drop).await,
        reset: try_cut(hand, "trial/reset", Verdict::Reset).await,
        delay: try_delay(hand).await,
    }
}

fn everything() -> [Flow; 2] {
    [Flow::all(Way::In), Flow::all(Way::Out)]
}

async fn try_cut(hand: &Hand, name: &str, verdict: Verdict) -> Tried {
    hand.cut(name, &everything(), verdict).await?;
    let look = hand.look().await?;
    hand.undo(name).await?;
    in_force(look.cuts.iter().any(|cut| cut.name == name), name)
}

async fn try_delay(hand: &Hand) -> Tried {
    const NAME: &str = "trial/delay";
    let treatment = Treatment { delay_us: 1000, ..Treatment::default() };
    hand.shape(NAME, &everything(), &treatment, 1).await?;
    let look = hand.look().await?;
    hand.undo(NAME).await?;
    in_force(hand.hello().queue && look.shapes.iter().any(|shape| shape.name == NAME), NAME)
}

/// What was done and cannot be seen was not done.
fn in_force(is_seen: bool, name: &str) -> Tried {
    if is_seen {
        return Ok(());
    }
    let reason = "it took the order, and the kernel shows nothing in force".to_owned();
    Err(HandError::Refused { hand: "in a throw-away container".to_owned(), action: format!("try {name}"), reason })
}

fn judge(Trials { drop, reset, delay }: Trials) -> Vec<(Need, Found)> {
    let tell = |need, tried: Tried, seen: &str, what: &str, help| {
        let found = match tried {
            Ok(()) => Found::There { seen: seen.to_owned() },
            // The container's name means nothing to anybody; it is gone.
            Err(HandError::Refused { reason, .. }) => lacking(need, format!("{what}: {reason}"), help),
            Err(error) => failed(need, what, &error.into(), help),
        };
        (need, found)
    };
    vec![
        tell(Need::SideCar, drop, "the table `filter` drops packets", "the kernel drops no packets for us", NO_TABLE),
        tell(
            Need::Rejection,
            reset,
            "the table `filter` resets connections",
            "the kernel resets no connections for us",
            NO_REJECT,
        ),
        tell(
            Need::PacketQueue,
            delay,
            "the table `mangle` hands packets over",
            "the kernel hands no packets over to programs",
            NO_QUEUE,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Tried {
        let reason = "`iptables-restore --noflush` failed: no chain/target/match by that name".to_owned();
        Err(HandError::Refused { hand: "h".to_owned(), action: "shape trial/delay".to_owned(), reason })
    }

    #[test]
    fn without_a_queue_packets_are_cut_and_not_shaped() {
        let found = judge(Trials { drop: Ok(()), reset: Ok(()), delay: refused() });
        let [(_, cut), (_, reset), (need, queue)] = &found[..] else { panic!("three needs: {found:?}") };
        assert!(matches!((cut, reset), (Found::There { .. }, Found::There { .. })), "{found:?}");
        let Found::Lacking(lack) = queue else { panic!("it is missing: {queue:?}") };
        assert_eq!((lack.need, *need), (Need::PacketQueue, Need::PacketQueue));
        assert!(lack.reason.contains("by that name") && lack.help.contains("NFQUEUE"), "{lack:?}");
    }

    #[test]
    fn a_hand_that_died_in_a_trial_lacks_what_was_tried_and_one_that_is_late_says_nothing() {
        let dead = HandError::Dead { hand: "h".to_owned(), reason: "it ended with exit code 1".to_owned() };
        let late = HandError::Late { hand: "h".to_owned(), action: "look".to_owned(), limit_s: 10 };
        let found = judge(Trials { drop: Err(dead), reset: Err(late), delay: Ok(()) });
        assert!(matches!(&found[0].1, Found::Lacking(lack) if lack.reason.contains("exit code 1")), "{found:?}");
        assert!(matches!(&found[1].1, Found::Unasked { why } if why.contains("10 s")), "{found:?}");
    }

    #[test]
    fn what_the_kernel_does_not_show_was_not_done() {
        assert!(in_force(true, "trial/drop").is_ok());
        assert!(matches!(in_force(false, "trial/drop"), Err(HandError::Refused { .. })));
    }
}
