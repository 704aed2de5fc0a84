//! What a fault's proof asks to see of a broker, looked at from where it is.

use std::time::Duration;

use super::{Containers, not_by_container};
use crate::cluster::{ClusterError, allowance};
use crate::fault::{Allowance, Link, LinkSeen, Question, RulesSeen, Sight, Unseen};
use crate::kafka::BrokerId;

/// How long one connection may take. What a fault delays is delayed by less.
const LINK_LIMIT: Duration = Duration::from_secs(1);

impl Containers {
    /// The answer to a question. What cannot be seen is told as such.
    pub async fn look_once(&self, broker: BrokerId, question: &Question) -> Sight {
        let sight = self.answer(broker, question).await;
        sight.unwrap_or_else(|error| Sight::Blind { reason: error.to_string() })
    }

    async fn answer(&self, broker: BrokerId, question: &Question) -> Result<Sight, ClusterError> {
        Ok(match question {
            Question::Links { from, cut, open } => {
                let links: Vec<Link> = cut.iter().chain(open).copied().collect();
                let life = self.life(*from).await?;
                let mut seen = match self.links(*from, &links).await {
                    Ok(seen) => seen,
                    Err(error) => {
                        return if self.lives_on(*from, life.as_deref()).await {
                            Err(error)
                        } else {
                            Ok(Sight::NotRunning { broker: *from })
                        };
                    }
                };
                let open = seen.split_off(cut.len());
                Sight::Links { from: *from, cut: seen, open }
            }
            Question::Rules { name, holders } => {
                // One that cannot be looked at must not hide the others.
                let mut seen = Vec::new();
                for holder in holders {
                    seen.push(self.rules_or_why_not(*holder, name).await);
                }
                Sight::Rules { holders: seen }
            }
            Question::Limits => {
                let life = self.life(broker).await?;
                match self.limits(broker).await {
                    Err(_) if !self.lives_on(broker, life.as_deref()).await => Sight::NotRunning { broker },
                    limits => limits?,
                }
            }
            Question::Partition(_) | Question::Settings { .. } | Question::LogStart(_) | Question::Controller => {
                return Err(not_by_container(broker));
            }
            Question::Room => Sight::Room(self.disk(broker).await?.room().await?),
            Question::DiskLimits => Sight::DiskLimits(self.disk(broker).await?.limits().await?),
            Question::Networks => {
                let places = self.engine.addresses(self.name(broker)?).await?;
                Sight::Networks { addresses: places.into_iter().map(|place| place.address).collect() }
            }
        })
    }

    /// What the engine tells, and what the kernel does, of what it may use.
    async fn limits(&self, broker: BrokerId) -> Result<Sight, ClusterError> {
        let name = self.name(broker)?;
        let limits = self.engine.limits(name).await?;
        let groups = allowance::read(&self.engine, name, &self.maker).await?;
        let host = self.engine.facts().await.ok().map(|facts| {
            let cpus = facts.cpus.and_then(|cpus| u32::try_from(cpus).ok());
            Allowance { cpu_millis: cpus.map(|cpus| cpus.saturating_mul(1000)), memory_bytes: facts.memory_bytes }
        });
        Ok(Sight::Limits {
            cpu_millis: limits.cpu_millis,
            memory_bytes: limits.memory_bytes,
            group: Some(groups.allowance),
            held_back: Some(groups.held_back),
            host,
        })
    }

    async fn links(&self, broker: BrokerId, links: &[Link]) -> Result<Vec<LinkSeen>, ClusterError> {
        let hand = self.hand(broker).await?;
        let mut ends = Vec::new();
        for link in links {
            ends.push(self.end_of(*link).await?);
        }
        let probes = hand.probe(&ends, LINK_LIMIT).await?;
        let seen = links.iter().zip(&ends).map(|(link, end)| {
            // What nobody tried was not silent.
            let probe = probes.iter().find(|probe| probe.to == *end).ok_or_else(|| ClusterError::Engine {
                action: format!("try a connection from {broker} to {end}"),
                reason: "its side-car did not say what became of it".to_owned(),
            })?;
            Ok(LinkSeen { link: *link, result: probe.result, elapsed_us: probe.elapsed_us })
        });
        seen.collect()
    }

    /// When the broker's process began; `None` while there is none.
    async fn life(&self, broker: BrokerId) -> Result<Option<String>, ClusterError> {
        Ok(self.process_state(broker).await?.life().map(str::to_owned))
    }

    /// Whether the process that there was at a look's begin is there still. If it is not, its end explains why the look failed.
    async fn lives_on(&self, broker: BrokerId, life: Option<&str>) -> bool {
        let Some(life) = life else { return false };
        match self.life(broker).await {
            Ok(now) => now.as_deref() == Some(life),
            // Nobody knows that it ended.
            Err(_) => true,
        }
    }

    async fn rules_or_why_not(&self, broker: BrokerId, name: &str) -> RulesSeen {
        let unseen = |why| RulesSeen { broker, packets: None, unseen: Some(why), shape: None, renewed: 0 };
        let life = match self.life(broker).await {
            Ok(Some(life)) => life,
            Ok(None) => return unseen(Unseen::NotRunning),
            Err(error) => return unseen(Unseen::Failed(error.to_string())),
        };
        match self.rules_seen(broker, name).await {
            Ok(seen) => seen,
            Err(error) if self.lives_on(broker, Some(&life)).await => unseen(Unseen::Failed(error.to_string())),
            Err(_) => unseen(Unseen::NotRunning),
        }
    }

    async fn rules_seen(&self, broker: BrokerId, name: &str) -> Result<RulesSeen, ClusterError> {
        let hand = self.hand(broker).await?;
        let (rules, look) = (self.hands.rules(name), hand.look().await?);
        let cut = look.cuts.into_iter().find(|cut| cut.name == rules);
        let shape = look.shapes.into_iter().find(|shape| shape.name == rules);
        let packets = cut.map(|cut| cut.packets).or(shape.as_ref().map(|shape| shape.rule_packets));
        let in_force = self.in_force.lock().await;
        let ours = in_force.iter().find(|one| one.broker == broker && one.rules(&self.hands) == rules);
        Ok(RulesSeen { broker, packets, unseen: None, shape, renewed: ours.map_or(0, |one| one.renewed) })
    }
}
