//! `rebalance-storm = { group, extra, every }`: extra members join the group and leave it in order, again and again, in a
//! rhythm drawn by the seed. Healed when the last of them has left.
//!
//! A deployment that goes wrong, or an autoscaler that cannot make up its mind: every member is well, and the group hands its
//! partitions on all the time.
//!
//! Proof: the group read; then extra members joined at least twice and left at least twice, and a member that had been there
//! before was given partitions anew meanwhile; then the extra ones were gone, and the group read on.

use serde::{Deserialize, Serialize};

use super::{Fault, shown};
use crate::fault::{Case, ClientAction, Keys, Need, Noted, Scene, State, Strikes, Stroke, Target};

const DEFAULT_EXTRA: u32 = 2;
/// Each extra member is a client with threads and connections of its own.
const MOST_EXTRA: u32 = 50;
const DEFAULT_EVERY_MS: u64 = 2000;

/// The parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RebalanceStorm {
    /// How many extra members there are at most.
    pub extra: u32,
    /// How long lies between two joins or leaves on average.
    pub every_ms: u64,
}

impl Fault for RebalanceStorm {
    const NAME: &'static str = "rebalance-storm";
    const KEYS: &'static [&'static str] = &["group", "extra", "every"];
    const MEANS: &'static str = "load: extra members that join and leave";
    const NEEDS: &'static [Need] = &[];
    const STRIKES: Strikes = Strikes::Groups;

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        let (group, extra, every_ms) = (keys.group("group"), keys.count("extra"), keys.millis("every"));
        let (extra, every_ms) = (extra?.unwrap_or(DEFAULT_EXTRA), every_ms?.unwrap_or(DEFAULT_EVERY_MS));
        if extra == 0 || extra > MOST_EXTRA {
            let message = format!("a storm has 1 to {MOST_EXTRA} extra members, not {extra}");
            return Err(keys.refuse(Some("extra"), message, "no such storm", "write extra = 2"));
        }
        if every_ms == 0 {
            let message = "members need time between joins and leaves".to_owned();
            return Err(keys.refuse(Some("every"), message, "no time", "write every = \"2s\""));
        }
        match group? {
            Some(group) => Ok((Self { extra, every_ms }, group)),
            None => Err(keys.missing("group", "group = \"chat-consumers\"")),
        }
    }

    fn detail(&self) -> String {
        let members = if self.extra == 1 { "member" } else { "members" };
        format!(
            "with up to {} extra {members}, one joining or leaving every {} or so",
            self.extra,
            shown(self.every_ms)
        )
    }

    fn state(&self) -> State {
        State::Up
    }

    fn strokes(&self, _scene: &Scene) -> Vec<Stroke> {
        Vec::new()
    }

    fn client_action(&self) -> Option<ClientAction> {
        Some(ClientAction::Storm { extra: self.extra, every_ms: self.every_ms })
    }

    fn prove(&self, case: &mut Case<'_>) {
        case.was_stirred();
        case.calmed_down();
    }
}
