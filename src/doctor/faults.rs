//! Which faults can be injected from this machine, and by which means. The real things are asked: the engine, a side-car in a
//! throw-away container, a tool container.

use std::collections::BTreeSet;
use std::path::Path;

use tokio::time::Instant;

use super::{Check, in_words};
use crate::cluster::engine::Engine;
use crate::cluster::means::{self, Found, Judgement, Means};
use crate::fault::{FaultFacts, FaultKind, Need};

const NAME: &str = "faults";

/// The kernel's list of packet queues; there where it was built with them, or has loaded them.
const PACKET_QUEUES: &str = "/proc/net/netfilter/nfnetlink_queue";

/// There where the kernel can load what it was not built with.
const KERNEL_MODULES: &str = "/proc/modules";

const ASK_AGAIN: &str = "ask again; what is asked may be frozen or overloaded";

/// Whether anybody could be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// The engine was, and what it runs.
    Engine,
    /// There is none. From here the kernel's packet queues may be seen all the same.
    Nobody { queue: Guess },
}

/// What this machine's own kernel lets suppose, while nobody can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guess {
    Probably,
    ProbablyNot,
}

/// One finding for each thing that faults need, and one for each kind of fault.
pub async fn examine(engine: Option<&Engine>, state: &Path, deadline: Instant) -> Vec<Check> {
    let Some(engine) = engine else {
        return judge(&Means::unasked("no engine"), Asked::Nobody { queue: guess_queue() });
    };
    let needs = BTreeSet::from(Need::ALL);
    let limit = deadline.saturating_duration_since(Instant::now());
    judge(&means::ask(engine, state, &needs, limit).await, Asked::Engine)
}

fn judge(means: &Means, asked: Asked) -> Vec<Check> {
    // The engine has a check of its own.
    let needs = Need::ALL.into_iter().filter(|need| *need != Need::Engine);
    let needs = needs.map(|need| judge_need(need, means.of(need), asked));
    needs.chain(FaultKind::ALL.iter().map(|facts| judge_kind(facts, means, asked))).collect()
}

fn judge_need(need: Need, found: Found, asked: Asked) -> Check {
    let name = need.name();
    match (found, asked) {
        (Found::There { seen }, _) => Check::ok(name, seen),
        (Found::Lacking(lack), _) => Check::warning(name, lack.reason, lack.help),
        (Found::Unasked { .. }, Asked::Nobody { queue }) if need == Need::PacketQueue => {
            let guess = match queue {
                Guess::Probably => "this machine's own kernel seems to have them",
                Guess::ProbablyNot => "this machine's own kernel seems to have none",
            };
            Check::not_looked_at(name, &format!("no engine; {guess}"), "see `engine`")
        }
        (Found::Unasked { .. }, Asked::Nobody { .. }) => Check::without_engine(name),
        (Found::Unasked { why }, Asked::Engine) => Check::warning(name, format!("not known: {why}"), ASK_AGAIN),
    }
}

fn judge_kind(facts: &FaultFacts, means: &Means, asked: Asked) -> Check {
    let FaultFacts { name, means: by, needs, .. } = facts;
    match (means.judge(needs), asked) {
        (Judgement::Here(_), _) => Check::ok(NAME, format!("{name} ({by})")),
        (Judgement::Lacking(lack), _) => {
            Check::warning(NAME, format!("{name} cannot be injected: {}", lack.reason), lack.help)
        }
        (Judgement::Unasked(_), Asked::Nobody { .. }) => {
            let needed = in_words(needs.iter().map(|need| need.words()));
            Check::note(NAME, format!("{name} ({by}) needs {needed}; not asked: no engine"), "see `engine`")
        }
        (Judgement::Unasked(why), Asked::Engine) => {
            Check::warning(NAME, format!("{name} ({by}): nobody knows whether it can be injected: {why}"), ASK_AGAIN)
        }
    }
}

/// What can be seen of packet queues without a side-car, on this machine, which need not be an engine's.
fn guess_queue() -> Guess {
    let is_there = |path| Path::new(path).exists();
    if is_there(PACKET_QUEUES) || is_there(KERNEL_MODULES) { Guess::Probably } else { Guess::ProbablyNot }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::means::Lack;
    use crate::doctor::Level;

    fn there(needs: &[Need]) -> Means {
        let one = |need: &Need| (*need, Found::There { seen: format!("{} is there", need.words()) });
        Means::new(needs.iter().map(one).collect(), "it was not asked for")
    }

    /// All is there but one thing.
    fn without(need: Need) -> Means {
        let lack = Lack { need, reason: "the machine has none".to_owned(), help: "use another".to_owned() };
        let found = |one: &Need| {
            let there = Found::There { seen: format!("{} is there", one.words()) };
            (*one, if *one == need { Found::Lacking(lack.clone()) } else { there })
        };
        Means::new(Need::ALL.iter().map(found).collect(), "it was not asked for")
    }

    fn level(name: &str, means: &Means) -> Level {
        judge_kind(FaultFacts::named(name).expect("a kind of fault"), means, Asked::Engine).level
    }

    fn text(checks: &[Check]) -> String {
        let line = |check: &Check| {
            let help = check.help.as_ref().map(|help| format!("\n    help: {help}")).unwrap_or_default();
            format!("{:?} {}: {}{help}\n", check.level, check.name, check.found)
        };
        checks.iter().map(line).collect()
    }

    #[test]
    fn a_machine_that_has_everything_names_the_means_of_every_fault() {
        let checks = judge(&there(&Need::ALL), Asked::Engine);
        assert!(checks.iter().all(|check| check.level == Level::Ok), "{checks:?}");
        assert!(checks.iter().any(|check| check.found == "pause (engine: freezer)"), "{checks:?}");
    }

    #[test]
    fn a_fault_is_missing_with_what_it_needs_and_no_other_is() {
        let (freezer, queue, side_car) = (without(Need::Freezer), without(Need::PacketQueue), without(Need::SideCar));
        assert_eq!((level("kill", &freezer), level("pause", &freezer)), (Level::Ok, Level::Warning));
        assert_eq!((level("partition", &queue), level("degrade", &queue)), (Level::Ok, Level::Warning));
        assert_eq!((level("partition", &side_car), level("kill", &side_car)), (Level::Warning, Level::Ok));
        assert_eq!(level("disk-slow", &without(Need::Throttling)), Level::Warning);
    }

    #[test]
    fn what_is_missing_brings_help() {
        insta::assert_snapshot!(text(&judge(&without(Need::PacketQueue), Asked::Engine)));
    }

    #[test]
    fn without_an_engine_all_is_not_asked_and_the_packet_queue_a_guess() {
        let asked = Asked::Nobody { queue: Guess::ProbablyNot };
        insta::assert_snapshot!(text(&judge(&Means::unasked("no engine"), asked)));
    }

    #[test]
    fn an_engine_that_does_not_answer_in_time_leaves_it_unknown() {
        let means = Means::unasked("waited 14 s for a tool container to answer");
        let checks = judge(&means, Asked::Engine);
        let kill = checks.iter().find(|check| check.found.starts_with("kill ")).expect("a finding");
        assert!(kill.level == Level::Warning && kill.found.contains("waited 14 s"), "{kill:?}");
    }
}
