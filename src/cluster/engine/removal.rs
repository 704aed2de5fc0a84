//! Containers that have to go, and one that is on its way out already.

use std::time::Duration;

use bollard::query_parameters::RemoveContainerOptionsBuilder;
use tokio::time::{Instant, sleep};

use super::{CALL_LIMIT, Engine, TOOL_LABEL, absent_is_none, limited};
use crate::cluster::ClusterError;

/// How long a container that somebody else removes may take to be gone.
const GONE_LIMIT: Duration = Duration::from_secs(30);

const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

impl Engine {
    /// Removes a container, with the nameless volumes that nobody else has; no error when there is none. One that is on its
    /// way out already, because it ends by itself or another sweep is at it, is waited for.
    pub async fn remove_container(&self, container: &str) -> Result<(), ClusterError> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        let call = self.docker.remove_container(container, Some(options));
        match limited(&format!("remove container {container}"), CALL_LIMIT, call).await {
            Err(error) if is_under_way(&error) => self.wait_until_gone(container).await,
            removed => absent_is_none(removed).map(drop),
        }
    }

    /// Removes a run's tool containers, and ends with them whatever is still being done in them: a command there outlives
    /// whoever gave it. Its side-cars stay, which undo by themselves what they did.
    pub async fn remove_tools(&self, label: &str) -> Result<(), ClusterError> {
        self.remove(&self.carrying(&format!("{TOOL_LABEL}={label}")).await?).await
    }

    async fn wait_until_gone(&self, container: &str) -> Result<(), ClusterError> {
        let deadline = Instant::now() + GONE_LIMIT;
        while self.container(container).await?.is_some() {
            if Instant::now() >= deadline {
                return Err(ClusterError::Engine {
                    action: format!("remove container {container}"),
                    reason: format!(
                        "its removal was in progress, and {} s later it is still there",
                        GONE_LIMIT.as_secs()
                    ),
                });
            }
            sleep(BETWEEN_LOOKS).await;
        }
        Ok(())
    }
}

/// Whether the engine refuses to remove it because it is removing it.
fn is_under_way(error: &ClusterError) -> bool {
    matches!(error, ClusterError::Engine { reason, .. } if reason.contains("already in progress"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::cluster::engine::Leftovers;
    use crate::cluster::engine::fake::Fake;

    #[tokio::test]
    async fn a_container_that_is_on_its_way_out_already_is_waited_for_and_no_trouble() {
        let mut looks = 0;
        let fake = Fake::start(move |request| {
            if request.starts_with("DELETE /containers/going") {
                return (409, json!({ "message": "removal of container going is already in progress" }));
            }
            if request.starts_with("GET /containers/going/json") {
                looks += 1;
                return if looks < 3 { (200, json!({ "Id": "1" })) } else { (404, json!({ "message": "gone" })) };
            }
            (204, json!(null))
        });
        let leftovers =
            Leftovers { containers: vec!["going".to_owned()], networks: vec!["n".to_owned()], ..Leftovers::default() };
        fake.engine.remove(&leftovers).await.expect("all of it is gone");
        let orders = fake.orders();
        assert!(orders[0].starts_with("DELETE /containers/going") && orders[1] == "DELETE /networks/n", "{orders:?}");
    }

    #[tokio::test]
    async fn any_other_refusal_to_remove_is_told() {
        let fake = Fake::start(|_| (409, json!({ "message": "it is in use" })));
        let leftovers = Leftovers { containers: vec!["kafka-1".to_owned()], ..Leftovers::default() };
        let error = fake.engine.remove(&leftovers).await.expect_err("refused").to_string();
        assert!(error.contains("it is in use"), "{error}");
    }
}
