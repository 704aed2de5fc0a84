//! The clauses of faults that Kafka's own protocol brings about: what a partition, a setting, a log's start and the controller
//! were before, meanwhile and after.

use super::Case;
use crate::fault::lever::{Moved, Reign, shown};
use crate::fault::{Moment, Sight};
use crate::kafka::levers::{ConfigState, OwnValue};
use crate::kafka::{BrokerId, LeaderEpoch, Offset, PartitionView};

impl Case<'_> {
    /// The last look before the injection must show a broker that answers, and runs as far as an engine can tell.
    pub fn answered_before(&mut self) {
        if !self.before.last().is_some_and(|look| look.seen.works()) {
            self.misses("a broker that answered before the fault");
        }
    }

    /// The partition, at every look of a moment that showed it.
    pub fn partition(&self, moment: Moment) -> Vec<PartitionView> {
        self.sights(moment, |sight| match sight {
            Sight::Partition(view) => Some(view.clone()),
            _ => None,
        })
    }

    /// The settings, at every look of a moment that showed them.
    pub fn settings(&self, moment: Moment) -> Vec<Vec<ConfigState>> {
        self.sights(moment, |sight| match sight {
            Sight::Settings { states } => Some(states.clone()),
            _ => None,
        })
    }

    /// The log's start, at every look of a moment that showed it.
    pub fn log_starts(&self, moment: Moment) -> Vec<Offset> {
        self.sights(moment, |sight| match sight {
            Sight::LogStart { log_start } => Some(*log_start),
            _ => None,
        })
    }

    /// Who led the controllers, at every look of a moment that showed it.
    pub fn reigns(&self, moment: Moment) -> Vec<Reign> {
        self.sights(moment, |sight| match sight {
            Sight::Controller(reign) => Some(*reign),
            _ => None,
        })
    }

    fn sights<T>(&self, moment: Moment, of: impl Fn(&Sight) -> Option<T>) -> Vec<T> {
        self.looks(moment).iter().flat_map(|look| &look.seen.sights).filter_map(of).collect()
    }

    /// The leadership went from one broker to another, in a later epoch, and brokers told so while the fault was in force.
    pub fn changed_leader(&mut self, moved: &Moved) {
        let Moved { before, after } = moved;
        if after.leader.is_none() || after.leader == before.leader {
            self.misses(format!("another leader ({} led before and after)", named(before.leader)));
            return;
        }
        if !is_later(before.leader_epoch, after.leader_epoch) {
            let epochs = (epoch(before.leader_epoch), epoch(after.leader_epoch));
            self.misses(format!("a later epoch of the leader (it was {}, then {})", epochs.0, epochs.1));
            return;
        }
        self.saw(format!(
            "leader {} in epoch {}, then {} in epoch {}",
            named(before.leader),
            epoch(before.leader_epoch),
            named(after.leader),
            epoch(after.leader_epoch)
        ));
    }

    /// Some look while the fault was in force showed the leader that the deed tells.
    pub fn was_led_by(&mut self, leader: Option<BrokerId>) {
        let seen = self.partition(Moment::During);
        if seen.iter().any(|view| view.leader == leader) {
            return;
        }
        let last = seen.last().map_or_else(|| "never seen".to_owned(), |view| format!("{} led", named(view.leader)));
        self.misses(format!("a look at {} as the leader while the fault was in force ({last})", named(leader)));
    }

    /// Some look while the fault was in force showed these replicas, in this order, and none after it showed others.
    pub fn was_placed_on(&mut self, replicas: &[BrokerId]) {
        let seen = self.partition(Moment::During);
        let Some(first) = seen.iter().position(|view| view.replicas == replicas) else {
            let last = seen.last().map_or_else(|| "never seen".to_owned(), |view| shown(&view.replicas));
            return self
                .misses(format!("a look at the replicas {} while the fault was in force ({last})", shown(replicas)));
        };
        if let Some(other) = seen[first..].iter().find(|view| view.replicas != replicas) {
            let (wanted, other) = (shown(replicas), shown(&other.replicas));
            self.misses(format!("the replicas {wanted} until the heal (somebody made them {other})"));
        }
    }

    /// The last look showed the partition's replicas, their order and its leader as before.
    pub fn is_placed_as(&mut self, before: &PartitionView) {
        match self.partition(Moment::After).last() {
            Some(last) if last.replicas == before.replicas && last.leader == before.leader => {
                self.saw("then the old replicas and the old leader");
            }
            Some(last) => self.misses(format!(
                "its old replicas and leader after the heal (replicas {}, {} leads)",
                shown(&last.replicas),
                named(last.leader)
            )),
            None => self.misses("a look at its replicas after the heal"),
        }
    }
}

/// Whether a term of leadership is certainly later than another.
fn is_later(before: Option<LeaderEpoch>, after: Option<LeaderEpoch>) -> bool {
    matches!((before, after), (Some(before), Some(after)) if after > before)
}

/// A leader for people.
pub fn named(leader: Option<BrokerId>) -> String {
    leader.map_or_else(|| "nobody".to_owned(), |leader| leader.to_string())
}

fn epoch(epoch: Option<LeaderEpoch>) -> String {
    epoch.map_or_else(|| "unknown".to_owned(), |epoch| epoch.0.to_string())
}

/// A setting for people: its own value, or what counts where its owner has none.
pub fn value(state: &ConfigState) -> String {
    let effective = state.effective.as_deref().unwrap_or("hidden");
    match &state.own {
        OwnValue::Set(value) => value.clone(),
        OwnValue::Unset => format!("{effective} (not its own)"),
        OwnValue::Secret => "hidden".to_owned(),
    }
}
