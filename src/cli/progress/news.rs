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
    use crate::fault::{Moment, Observation, Probe, ProcessState};
    use crate::history::event::FaultStage;

    fn look(target: i32, probe: Probe) -> EventKind {
        let observation = Observation { process: ProcessState::Unwatched, probe, standing: None, sights: Vec::new() };
        let fault = FaultId("cut".to_owned());
        EventKind::Proof { fault, moment: Moment::During, target: BrokerId(target), observation }
    }

    #[test]
    fn what_looks_as_it_did_is_told_once_and_again_after_something_was_done() {
        let mut news = News::default();
        let mut told = |event: EventKind| news.tell(&event).is_some();
        assert!(told(look(1, Probe::Silent)));
        assert!(!told(look(1, Probe::Silent)));
        assert!(told(look(2, Probe::Silent)));
        assert!(told(look(1, Probe::Refused)));
        assert!(told(look(1, Probe::Silent)));
        assert!(told(EventKind::Heal { fault: FaultId("cut".to_owned()), stage: FaultStage::Ok }));
        assert!(told(look(1, Probe::Silent)));
    }
}
