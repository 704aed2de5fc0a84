//! How a broker's process ends, and how the next one is started.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Containers;
use crate::cluster::ClusterError;
use crate::fault::{ProcessState, Signal};
use crate::kafka::BrokerId;

/// How long a process may take to end after a signal. A broker that hands its leaderships over takes seconds.
const EXIT_LIMIT: Duration = Duration::from_secs(90);

/// How long one that was told to end may go on taking its time once it is to run again. Without a quorum an orderly
/// shutdown may take minutes, and whoever heals wants the broker back.
const PARTING_LIMIT: Duration = Duration::from_secs(30);

const POLL_INTERVAL: Duration = Duration::from_millis(50);

impl Containers {
    /// Starts it where it was, if it ended.
    pub(super) async fn start(&self, broker: BrokerId, name: &str) -> Result<(), ClusterError> {
        if let Some(home) = self.homes.get(&broker) {
            self.engine.keep_address(name, home).await?;
        }
        self.engine.start_if_ended(name).await
    }

    /// Ends its process at once, if it runs, and for good.
    pub async fn halt(&self, broker: BrokerId) -> Result<(), ClusterError> {
        let name = self.name(broker)?;
        self.down_on_purpose.lock().await.insert(broker);
        match self.engine.process_state(name).await? {
            ProcessState::Running { .. } | ProcessState::Paused { .. } => {
                self.engine.kill(name, Signal::Kill).await?;
                self.wait_for_exit(broker, name).await
            }
            ProcessState::Exited { .. } | ProcessState::Missing | ProcessState::Unwatched => Ok(()),
        }
    }

    /// Starts it anew after a life that was told to end, or may have been.
    pub(super) async fn revive(&self, broker: BrokerId, name: &str, life: &str) -> Result<(), ClusterError> {
        self.revive_within(PARTING_LIMIT, broker, name, life).await
    }

    async fn revive_within(
        &self,
        limit: Duration,
        broker: BrokerId,
        name: &str,
        life: &str,
    ) -> Result<(), ClusterError> {
        // One that runs now and is gone in a moment would be taken for well, and be started by nobody.
        if let Some(last_seen) = self.outlives(limit, name, life).await? {
            let killed = self.engine.kill(name, Signal::Kill).await;
            // It may have ended by itself in this very moment, and then there was nothing to kill.
            if self.outlives(if killed.is_ok() { EXIT_LIMIT } else { Duration::ZERO }, name, life).await?.is_some() {
                killed?;
                return Err(still_there(broker, EXIT_LIMIT, &last_seen));
            }
        }
        self.start(broker, name).await
    }

    /// Waits until that life is over; how it was seen last when it is not by then.
    async fn outlives(&self, limit: Duration, name: &str, life: &str) -> Result<Option<ProcessState>, ClusterError> {
        let deadline = Instant::now() + limit;
        loop {
            let state = self.engine.process_state(name).await?;
            if state.life() != Some(life) {
                return Ok(None);
            }
            if Instant::now() >= deadline {
                return Ok(Some(state));
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Waits until it has ended, after it was told to.
    pub(super) async fn wait_for_exit(&self, broker: BrokerId, name: &str) -> Result<(), ClusterError> {
        let deadline = Instant::now() + EXIT_LIMIT;
        loop {
            let state = self.engine.process_state(name).await?;
            if matches!(state, ProcessState::Exited { .. }) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(still_there(broker, EXIT_LIMIT, &state));
            }
            sleep(POLL_INTERVAL).await;
        }
    }
}

fn still_there(broker: BrokerId, limit: Duration, last_seen: &ProcessState) -> ClusterError {
    ClusterError::Engine {
        action: format!("end {broker}"),
        reason: format!("waited {} s for its process to end; last seen: {last_seen:?}", limit.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::cluster::containers::{Listeners, ListenersOf};
    use crate::cluster::engine::Limits;
    use crate::cluster::engine::fake::{Answer, Fake};
    use crate::cluster::maker::Maker;
    use crate::cluster::undo::Undo;
    use crate::fault::Action;

    const BROKER: BrokerId = BrokerId(1);
    const LONG: Duration = Duration::from_secs(60);

    /// A broker's process that was told to end, and what it makes of it.
    enum Ends {
        /// It ends after it was looked at so often.
        AfterLooks(u32),
        /// It ends when it is killed.
        WhenKilled,
    }

    /// A container, which lives one life after another.
    struct Container {
        life: u32,
        runs: bool,
        looks: u32,
        ends: Ends,
    }

    impl Container {
        fn answer(&mut self, request: &str) -> Answer {
            if request.starts_with("GET ") {
                self.looks += 1;
                if matches!(self.ends, Ends::AfterLooks(looks) if self.life == 1 && self.looks > looks) {
                    self.runs = false;
                }
                let status = if self.runs { "running" } else { "exited" };
                let state = json!({ "Status": status, "StartedAt": format!("life {}", self.life), "ExitCode": 143 });
                return (200, json!({ "Id": "1", "State": state }));
            }
            if request.contains("/kill") || request.contains("/stop") {
                self.runs = false;
            }
            if request.contains("/start") {
                (self.life, self.runs) = (self.life + 1, true);
            }
            (204, Value::Null)
        }
    }

    fn broker_that(ends: Ends) -> (Fake, Containers) {
        let mut container = Container { life: 1, runs: true, looks: 0, ends };
        let fake = Fake::start(move |request| container.answer(request));
        let names = BTreeMap::from([(BROKER, "kafka-1".to_owned())]);
        let listeners = ListenersOf::All(Listeners::new());
        let containers = Containers::new(fake.engine.clone(), names, listeners, Maker::sweep("test"));
        (fake, containers)
    }

    #[tokio::test]
    async fn a_broker_on_its_way_out_is_waited_for_and_started_again() {
        let (fake, containers) = broker_that(Ends::AfterLooks(3));
        containers.revive_within(LONG, BROKER, "kafka-1", "life 1").await.expect("it runs again");
        assert_eq!(fake.orders(), ["POST /containers/kafka-1/start"]);
        assert_eq!(containers.process_state(BROKER).await.expect("a state").life(), Some("life 2"));
    }

    #[tokio::test]
    async fn one_that_does_not_go_is_killed_and_started_again() {
        let (fake, containers) = broker_that(Ends::WhenKilled);
        containers.revive_within(Duration::ZERO, BROKER, "kafka-1", "life 1").await.expect("it runs again");
        assert_eq!(fake.orders(), ["POST /containers/kafka-1/kill?signal=SIGKILL", "POST /containers/kafka-1/start"]);
    }

    #[tokio::test]
    async fn one_that_lives_its_next_life_already_is_left_alone() {
        let (fake, containers) = broker_that(Ends::WhenKilled);
        containers.revive_within(Duration::ZERO, BROKER, "kafka-1", "life 0").await.expect("it is well");
        assert_eq!(fake.orders(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_broker_that_died_of_its_limit_is_started_when_the_limit_is_lifted() {
        let (fake, containers) = broker_that(Ends::AfterLooks(0));
        let lift = Undo::Limit { limits: Limits::UNLIMITED };
        for _ in 0..2 {
            containers.undo(BROKER, &lift).await.expect("lifted");
        }
        assert_eq!(fake.orders(), ["POST /containers/kafka-1/start"]);
    }

    #[tokio::test]
    async fn lifting_a_limit_starts_no_broker_that_another_fault_keeps_down() {
        let (fake, containers) = broker_that(Ends::WhenKilled);
        containers.perform(BROKER, &Action::Stop { grace_ms: 1000 }).await.expect("stopped");
        containers.undo(BROKER, &Undo::Limit { limits: Limits::UNLIMITED }).await.expect("lifted");
        assert_eq!(fake.orders().len(), 1, "{:?}", fake.orders());
        containers.undo(BROKER, &Undo::Start).await.expect("started");
        assert_eq!(fake.orders()[1..], ["POST /containers/kafka-1/start"]);
    }
}
