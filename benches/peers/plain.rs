//! The same image as people start it who have nothing but its tools: three containers, each of which formats its storage by the storage
//! tool and then starts its broker, without archives of classes; started side by side, and ready when each has logged that it is.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::lab::{HEAP_MIB, Lab};

const BROKERS: [u32; 3] = [1, 2, 3];
/// How often logs are read.
const POLL: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(120);

/// Until all three have said so, in seconds.
pub fn start(lab: &Lab, _seconds: u64) -> Result<f64, String> {
    let plain = Plain { name: format!("{}-plain", lab.label()) };
    let image = docker(&["inspect", "--format", "{{.Config.Image}}", &lab.tools().0])?;
    let begun = Instant::now();
    docker(&["network", "create", &plain.name])?;
    for broker in BROKERS {
        plain.run(image.trim(), broker)?;
    }
    for broker in BROKERS {
        while !docker(&["logs", &plain.container(broker)])?.contains("Kafka Server started") {
            if begun.elapsed() > PATIENCE {
                return Err(format!("waited {} s for broker {broker}", PATIENCE.as_secs()));
            }
            std::thread::sleep(POLL);
        }
    }
    Ok(begun.elapsed().as_secs_f64())
}

/// What was started, and goes with it.
struct Plain {
    name: String,
}

impl Plain {
    fn container(&self, broker: u32) -> String {
        format!("{}-{broker}", self.name)
    }

    fn run(&self, image: &str, broker: u32) -> Result<(), String> {
        let voters: Vec<String> = BROKERS.iter().map(|id| format!("{id}@{}:9093", self.container(*id))).collect();
        let own = self.container(broker);
        let properties = format!(
            "node.id={broker}\nprocess.roles=broker,controller\ncontroller.quorum.voters={}\n\
             listeners=INTERNAL://:29092,CONTROLLER://:9093\nadvertised.listeners=INTERNAL://{own}:29092\n\
             listener.security.protocol.map=INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             inter.broker.listener.name=INTERNAL\ncontroller.listener.names=CONTROLLER\nlog.dirs=/var/lib/kafka/data\n\
             offsets.topic.replication.factor=3\n",
            voters.join(",")
        );
        let script = "printf %s \"$PROPERTIES\" >/tmp/server.properties && \
                      /opt/kafka/bin/kafka-storage.sh format -t 5L6g3nShT-eMCtK--X86sw -c /tmp/server.properties && \
                      KAFKA_HEAP_OPTS=$HEAP exec /opt/kafka/bin/kafka-server-start.sh /tmp/server.properties";
        let heap = format!("HEAP=-Xms{HEAP_MIB}m -Xmx{HEAP_MIB}m");
        let properties = format!("PROPERTIES={properties}");
        let arguments = ["run", "-d", "--name", &own, "--hostname", &own, "--network", &self.name];
        let given = ["-e", &heap, "-e", &properties, "--entrypoint", "bash", image, "-c", script];
        docker(&[&arguments[..], &given[..]].concat()).map(drop)
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        for broker in BROKERS {
            let _gone = docker(&["rm", "-f", "-v", &self.container(broker)]);
        }
        if let Err(message) = docker(&["network", "rm", &self.name]) {
            eprintln!("peers: not everything was removed: {message}");
        }
    }
}

/// What the engine's command prints.
fn docker(arguments: &[&str]) -> Result<String, String> {
    let output =
        Command::new("docker").args(arguments).output().map_err(|error| format!("cannot start docker: {error}"))?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(said(&output.stdout) + &said(&output.stderr))
    } else {
        Err(format!("docker {arguments:?}: {}", said(&output.stderr)))
    }
}
