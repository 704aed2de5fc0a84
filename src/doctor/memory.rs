//! Memory: enough for the brokers that would be started.

use super::{Check, how_many};
use crate::cluster::docker::{available_mib, needed_mib};
use crate::cluster::standing::BROKERS;
use crate::scenario::DEFAULT_HEAP_BYTES;

const NAME: &str = "memory";

/// `running` brokers of the standing cluster have theirs already.
pub fn examine(running: u32) -> Vec<Check> {
    vec![judge(running, available_mib())]
}

fn judge(running: u32, available_mib: Option<u64>) -> Check {
    let wanted = u32::from(BROKERS).saturating_sub(running);
    let needed_mib = needed_mib(wanted, DEFAULT_HEAP_BYTES);
    let brokers = how_many(wanted as usize, if running == 0 { "broker" } else { "more broker" });
    let heap_mib = DEFAULT_HEAP_BYTES >> 20;
    match available_mib {
        _ if wanted == 0 => Check::ok(NAME, "the standing cluster's brokers have theirs"),
        None => Check::note(
            NAME,
            format!("this host does not tell how much is available; {needed_mib} MiB are needed for {brokers}"),
            "see to it that where the engine runs there is as much",
        ),
        Some(available_mib) if available_mib < needed_mib => Check::problem(
            NAME,
            format!(
                "{available_mib} MiB are available, and {brokers} with {heap_mib} MiB heap need about {needed_mib} MiB"
            ),
            "free some, or set a smaller `heap` under [cluster]",
        ),
        Some(available_mib) => Check::ok(
            NAME,
            format!("{available_mib} MiB are available, and about {needed_mib} MiB are needed for {brokers}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn only_brokers_that_are_yet_to_start_need_memory() {
        assert_eq!(judge(0, Some(4000)).level, Level::Ok);
        assert_eq!(judge(0, Some(700)).level, Level::Problem);
        assert_eq!(judge(2, Some(700)).level, Level::Ok);
        assert_eq!(judge(3, Some(0)).level, Level::Ok);
    }

    #[test]
    fn a_host_that_does_not_tell_is_only_noted() {
        assert_eq!(judge(0, None).level, Level::Note);
    }
}
