//! `degrade = { target, to, direction, plane, latency, jitter, distribution, loss, duplicate, reorder, corrupt, bandwidth }`:
//! packets of the targets pass badly.
//!
//! What a busy switch, a long line or a broken cable do. `direction` is as the target sees it, and `out` unless said
//! otherwise, so that a round trip is longer by the latency once. `to` is `all` (the default), `rest` (other brokers),
//! `clients`, or a target; `plane` narrows it to a listener. Packets are handed to a program beside the broker, which lets
//! everything pass when it dies; which packets chance strikes is drawn by the seed.
//!
//! TCP hides most of it: what is lost, damaged or out of order is sent again, and what comes twice is thrown away. The
//! broker sees a slow network, and that is the point.
//!
//! Proof: a connection came about, whatever other faults cut; then the rules were in place at every look, the kernel handed
//! packets over, and the program took no less than half of them and did each thing that was asked for: to some of them, and
//! of a hundred and more to the share that was asked for, as far as chance strays (six standard deviations, and a tenth); with
//! a latency connections, or answers to clients, took longer by half of it at least (by medians, or every one of many than the
//! quickest before and after); then the rules are gone and a connection comes about.

use serde::{Deserialize, Serialize};

use super::Fault;
use super::cutting::{self, Direction};
use super::partition::To;
use crate::fault::network::{Distribution, PartsPerMillion, Treatment};
use crate::fault::{
    Action, Case, Ends, Keys, Link, Moment, Need, Noted, Plane, Question, Scene, State, Stroke, Target, Wire,
};
use crate::kafka::BrokerId;

/// How much a rate holds back at most: what a second lets pass, and some packets at least.
const BACKLOG_BYTES_MIN: u64 = 64 << 10;

/// Longer delays would look like a cut to whoever probes.
const DELAY_MS_MAX: u64 = 900;

/// The parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Degrade {
    /// The other end of the packets.
    pub to: To,
    /// Which packets.
    pub direction: Direction,
    /// Only what goes to this plane's listeners or comes from them.
    pub plane: Option<Plane>,
    /// What becomes of them.
    pub treatment: Treatment,
}

impl Fault for Degrade {
    const NAME: &'static str = "degrade";
    const KEYS: &'static [&'static str] = &[
        "target",
        "to",
        "direction",
        "plane",
        "latency",
        "jitter",
        "distribution",
        "loss",
        "duplicate",
        "reorder",
        "corrupt",
        "bandwidth",
    ];
    const MEANS: &'static str = "side-car: packet queue (NFQUEUE), which fails open";
    const NEEDS: &'static [Need] = &[Need::Engine, Need::SideCar, Need::PacketQueue];

    fn read<K: Keys>(keys: &mut K) -> Result<(Self, Target), Noted> {
        let (target, to) = (keys.whom(), To::read(keys, To::All));
        let direction = keys.word("direction", &Direction::WORDS);
        let (plane, treatment) = (keys.word("plane", &Plane::WORDS), treatment(keys));
        let (target, to, treatment) = (target?, to?, treatment?);
        let direction = direction?.unwrap_or(Direction::Out);
        if !treatment.duplicate.is_none() && direction != Direction::Out {
            let message = "packets can only be sent twice, not received twice".to_owned();
            let help = "write direction = \"out\": the others then receive them twice";
            return Err(keys.refuse(Some("duplicate"), message, "on the way out only", help));
        }
        Ok((Self { to, direction, plane: plane?, treatment }, target))
    }

    fn detail(&self) -> String {
        let way = match self.direction {
            Direction::Both => "both ways",
            Direction::In => "incoming",
            Direction::Out => "outgoing",
        };
        format!("{way} packets to and from {}{}: {}", self.to, cutting::on_plane(self.plane), shown(&self.treatment))
    }

    fn to(&self) -> Option<&Target> {
        self.to.target()
    }

    fn state(&self) -> State {
        State::Up
    }

    fn strokes(&self, scene: &Scene) -> Vec<Stroke> {
        let ends = match &self.to {
            To::All => Ends::Everybody,
            To::Clients => Ends::Clients,
            To::Rest | To::Brokers(_) => Ends::Brokers(scene.to.clone()),
        };
        let wire = |way| Wire { way, ends: ends.clone(), plane: self.plane };
        let stroke = |(place, broker)| {
            let action = Action::Shape {
                name: scene.fault.0.clone(),
                wires: self.direction.ways().map(wire).collect(),
                treatment: self.treatment.clone(),
                // Each target's packets have chances of their own.
                seed: scene.seed.wrapping_add(place),
            };
            Stroke { broker, action }
        };
        (0..).zip(scene.brokers()).map(stroke).collect()
    }

    fn questions(&self, scene: &Scene) -> Vec<(BrokerId, Question)> {
        let mut questions = Vec::new();
        for target in scene.brokers() {
            let others = scene.all.iter().filter(|other| **other != target && scene.reachable.contains(other));
            let planes = self.plane.filter(|plane| *plane != Plane::Client).unwrap_or(Plane::Replication);
            let open = others.map(|to| Link { to: *to, plane: planes }).collect();
            questions.push((target, Question::Links { from: target, cut: Vec::new(), open }));
            questions.push((target, Question::Rules { name: scene.fault.0.clone(), holders: vec![target] }));
        }
        questions
    }

    fn prove(&self, case: &mut Case<'_>) {
        case.worked_before();
        case.some_link_passes_at(Moment::Before, "before the fault");
        case.was_treated(&self.treatment);
        case.was_slower(&self.treatment);
        case.some_link_passes_at(Moment::After, "after the heal");
        case.lost_standing();
        case.works_again();
        case.regained_standing();
    }
}

fn treatment<K: Keys>(keys: &mut K) -> Result<Treatment, Noted> {
    let (latency, jitter) = (keys.millis("latency"), keys.millis("jitter"));
    let distributions =
        [("uniform", Distribution::Uniform), ("normal", Distribution::Normal), ("pareto", Distribution::Pareto)];
    let distribution = keys.word("distribution", &distributions);
    let (loss, duplicate) = (share(keys, "loss"), share(keys, "duplicate"));
    let (reorder, corrupt) = (share(keys, "reorder"), share(keys, "corrupt"));
    let rate_bytes_per_s = keys.bytes_per_s("bandwidth");
    let (latency_ms, jitter_ms, rate_bytes_per_s) = (latency?.unwrap_or(0), jitter?.unwrap_or(0), rate_bytes_per_s?);
    let treatment = Treatment {
        delay_us: latency_ms * 1000,
        jitter_us: jitter_ms * 1000,
        distribution: distribution?.unwrap_or_default(),
        loss: loss?,
        duplicate: duplicate?,
        reorder: reorder?,
        corrupt: corrupt?,
        rate_bytes_per_s,
        backlog_bytes: rate_bytes_per_s.map(|rate| rate.max(BACKLOG_BYTES_MIN)),
    };
    let mut wrong = None;
    if treatment == (Treatment { distribution: treatment.distribution, ..Treatment::default() }) {
        let message = "this network is as good as before".to_owned();
        let help = "add at least one of latency, loss, duplicate, reorder, corrupt and bandwidth";
        wrong = Some(keys.refuse(None, message, "nothing is degraded", help));
    }
    if treatment.distribution != Distribution::Uniform && jitter_ms == 0 {
        let message = "`distribution` is that of a `jitter`".to_owned();
        let help = "add jitter = \"10ms\", or leave it out";
        wrong = Some(keys.refuse(Some("distribution"), message, "nothing varies", help));
    }
    if jitter_ms > latency_ms {
        let message = "`jitter` is more than `latency`".to_owned();
        let help = "make it smaller";
        wrong = Some(keys.refuse(Some("jitter"), message, "a packet cannot come before it was sent", help));
    }
    if latency_ms + jitter_ms > DELAY_MS_MAX {
        let message = format!("packets cannot be held for more than {DELAY_MS_MAX}ms");
        let help = "a longer delay looks like a cut to everybody; write a partition for that";
        wrong = Some(keys.refuse(Some("latency"), message, "too long", help));
    }
    if !treatment.reorder.is_none() && latency_ms == 0 {
        let message = "`reorder` needs a `latency`".to_owned();
        let help = "a packet overtakes those that are held: add latency = \"20ms\"";
        wrong = Some(keys.refuse(Some("reorder"), message, "nothing to overtake", help));
    }
    wrong.map_or(Ok(treatment), Err)
}

fn share<K: Keys>(keys: &mut K, key: &'static str) -> Result<PartsPerMillion, Noted> {
    let millionths = keys.millionths(key)?.unwrap_or(0);
    Ok(PartsPerMillion::new(millionths).expect("a share that was read is at most all"))
}

fn shown(treatment: &Treatment) -> String {
    let mut parts = Vec::new();
    if treatment.delay_us > 0 {
        let jitter =
            if treatment.jitter_us > 0 { format!(" +/- {} ms", treatment.jitter_us / 1000) } else { String::new() };
        parts.push(format!("{} ms{jitter} late", treatment.delay_us / 1000));
    }
    let shares = [
        (treatment.loss, "lost"),
        (treatment.duplicate, "twice"),
        (treatment.reorder, "out of order"),
        (treatment.corrupt, "damaged"),
    ];
    parts.extend(shares.iter().filter(|(share, _)| !share.is_none()).map(|(share, what)| format!("{share} {what}")));
    parts.extend(
        treatment.rate_bytes_per_s.map(|rate| format!("{}/s at most", bytesize::ByteSize(rate).display().iec())),
    );
    parts.join(", ")
}
