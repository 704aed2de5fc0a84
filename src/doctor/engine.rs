//! The container engine: does it answer, and if not, why.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tokio::time::timeout;

use super::Check;
use crate::cluster::ClusterError;
use crate::cluster::engine::{Engine, EngineFacts, Premises};

const NAME: &str = "engine";

/// How long the engine may take to answer the first question, and then each further one.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// Where engines listen unless told otherwise.
const USUAL_SOCKET: &str = "/var/run/docker.sock";

/// The variable that names an engine.
const VARIABLE: &str = "DOCKER_HOST";

/// Asks for an engine, and says of which version it is or why there is none.
pub async fn examine() -> (Option<Engine>, Vec<Check>) {
    match in_time(Engine::connect()).await {
        Ok(engine) => {
            let check = match in_time(engine.facts()).await {
                Ok(facts) => present(&facts),
                Err(reason) => Check::warning(
                    NAME,
                    format!("a Docker engine answers, but does not describe itself: {reason}"),
                    "look at its log, or start it again",
                ),
            };
            (Some(engine), vec![check])
        }
        Err(reason) => {
            let named = std::env::var(VARIABLE).ok().filter(|host| !host.is_empty());
            let path = named.as_deref().map_or(Some(USUAL_SOCKET), |host| host.strip_prefix("unix://"));
            let socket = path.and_then(|path| Some((path, UnixStream::connect(path).err()?.kind())));
            (None, vec![absent(&reason, named.as_deref(), socket)])
        }
    }
}

/// Where the engine works; `None` where there is none, or it does not tell.
pub async fn premises(engine: Option<&Engine>) -> Option<Premises> {
    in_time(engine?.premises()).await.ok()
}

async fn in_time<T>(asked: impl Future<Output = Result<T, ClusterError>>) -> Result<T, String> {
    match timeout(ANSWER_LIMIT, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(ClusterError::NoEngine { reason })) => Err(reason),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", ANSWER_LIMIT.as_secs())),
    }
}

fn present(facts: &EngineFacts) -> Check {
    Check::ok(NAME, format!("Docker {} answers, on {}", facts.engine, facts.host))
}

/// `named` is what the environment names, `socket` where it should listen and what came of connecting to it.
fn absent(reason: &str, named: Option<&str>, socket: Option<(&str, io::ErrorKind)>) -> Check {
    match (named, socket) {
        (_, Some((path, io::ErrorKind::PermissionDenied))) => Check::problem(
            NAME,
            format!("the engine's socket {path} is not open to this user"),
            "add the user to its group (`sudo usermod -aG docker $USER`) and log in again",
        ),
        (Some(host), _) => Check::problem(
            NAME,
            format!("no Docker engine answers at {host}, which {VARIABLE} names: {reason}"),
            format!("start an engine there, or unset {VARIABLE}; docker/setup.sh installs and starts one here"),
        ),
        (None, _) => Check::problem(
            NAME,
            format!("no Docker engine answers: {reason}"),
            format!(
                "run docker/setup.sh, which installs and starts one on Debian or Ubuntu; elsewhere start Docker, or set {VARIABLE}"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    fn help(check: &Check) -> &str {
        assert_eq!(check.level, Level::Problem);
        check.help.as_deref().expect("a problem brings help")
    }

    #[test]
    fn a_socket_that_is_closed_to_the_user_is_a_matter_of_groups() {
        let check = absent("client error", None, Some((USUAL_SOCKET, io::ErrorKind::PermissionDenied)));
        assert!(check.found.contains(USUAL_SOCKET) && help(&check).contains("docker $USER"), "{check:?}");
    }

    #[test]
    fn an_engine_that_the_environment_names_is_looked_for_there() {
        let check = absent("refused", Some("tcp://nowhere:1"), None);
        assert!(check.found.contains("tcp://nowhere:1") && help(&check).contains("unset DOCKER_HOST"), "{check:?}");
    }

    #[test]
    fn where_there_is_no_engine_at_all_it_says_how_to_get_one() {
        let check = absent("not found", None, Some((USUAL_SOCKET, io::ErrorKind::NotFound)));
        assert!(help(&check).contains("docker/setup.sh"), "{check:?}");
    }
}
