//! What of the events is news to somebody who watches. A look at a broker that differs from the one before only in what is not told
//! (how many packets were held by now) is recorded each time, and told once.

use std::collections::BTreeMap;

use super::words;
use crate::fault::FaultId;
use crate::history::EventKind;
use crate::kafka::BrokerId;

/// What was told last of each fault's targets.
#[derive(Default)]
pub(super) struct News {
    looks: BTreeMap<(FaultId, BrokerId), String>,
}

impl News {
    /// An event in a few words, or `None` where it is no news.
    pub(super) fn tell(&mut self, event: &EventKind) -> Option<String> {
        let text = words::tell(event)?;
        match event {
            // What is seen after something was done is news, also where it is what was seen before.
            EventKind::Inject { fault, .. } | EventKind::Heal { fault, .. } => {
                self.looks.retain(|(of, _), _| of != fault);
            }
            EventKind::Proof { fault, target, .. } => {
                let before = self.looks.insert((fault.clone(), *target), text.clone());
                if before.as_ref() == Some(&text) {
                    return None;
                }
            }
            _ => {}
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Moment, Observation, Probe, ProcessState, RulesSeen, Sight};
    use crate::history::event::FaultStage;

    fn look(target: i32, probe: Probe, packets: u64) -> EventKind {
        let seen =
            RulesSeen { broker: BrokerId(target), packets: Some(packets), unseen: None, shape: None, renewed: 0 };
        let sights = vec![Sight::Rules { holders: vec![seen] }];
        let observation = Observation { process: ProcessState::Unwatched, probe, standing: None, sights };
        let fault = FaultId("cut".to_owned());
        EventKind::Proof { fault, moment: Moment::During, target: BrokerId(target), observation }
    }

    #[test]
    fn what_looks_as_it_did_is_told_once_and_again_after_something_was_done() {
        let mut news = News::default();
        let mut told = |event: EventKind| news.tell(&event).is_some();
        assert!(told(look(1, Probe::Silent, 5)));
        assert!(!told(look(1, Probe::Silent, 9)));
        assert!(told(look(2, Probe::Silent, 5)));
        assert!(told(look(1, Probe::Refused, 10)));
        assert!(told(look(1, Probe::Silent, 11)));
        let fault = || FaultId("cut".to_owned());
        assert!(told(EventKind::Heal { fault: fault(), stage: FaultStage::Ok }));
        assert!(told(look(1, Probe::Silent, 12)));
        assert!(told(EventKind::Inject { fault: fault(), stage: FaultStage::Ok }));
        assert!(told(look(1, Probe::Silent, 13)));
    }
}
