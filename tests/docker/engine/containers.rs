//! Containers and networks that a test makes, and that go with it.

use std::process::Command;

/// The image of side-cars: small, with shell and network tools.
pub fn image() -> String {
    wiber_chaos::cluster::images::side_car()
}

/// What `docker` prints; it must succeed.
pub fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().expect("docker runs");
    assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A name that no other test and no other run of the tests has.
pub fn unique(name: &str) -> String {
    format!("test-engine-{name}-{}", std::process::id())
}

/// What one test made, removed when it ends.
#[derive(Default)]
pub struct Made {
    containers: Vec<String>,
    networks: Vec<String>,
}

impl Made {
    /// A container that sleeps, with these further arguments of `docker run`.
    pub fn container(&mut self, name: &str, args: &[&str]) -> String {
        let name = unique(name);
        self.containers.push(name.clone());
        let image = image();
        let mut all = vec!["run", "-d", "--init", "--name", &name];
        all.extend(args);
        all.extend([image.as_str(), "sleep", "600"]);
        docker(&all);
        name
    }

    /// A network, with these further arguments of `docker network create`.
    pub fn network(&mut self, name: &str, args: &[&str]) -> String {
        let name = unique(name);
        self.networks.push(name.clone());
        let mut all = vec!["network", "create"];
        all.extend(args);
        all.push(&name);
        docker(&all);
        name
    }

    /// A network to remove that somebody else makes.
    pub fn adopt_network(&mut self, network: &str) {
        self.networks.push(network.to_owned());
    }

    /// A container to remove that somebody else makes.
    pub fn adopt(&mut self, container: &str) {
        self.containers.push(container.to_owned());
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let remove = |args: &[&str], names: &[String]| {
            if !names.is_empty() {
                // What is gone already cannot be removed, and that is fine.
                drop(Command::new("docker").args(args).args(names).output());
            }
        };
        remove(&["rm", "-f", "-v"], &self.containers);
        remove(&["network", "rm"], &self.networks);
    }
}
