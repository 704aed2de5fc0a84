//! Three brokers whose client listener speaks TLS and wants SCRAM, with certificates made for the occasion.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

use super::brokers::{PATIENCE, docker};
use crate::ports::free_base_port;
use crate::program::Place;

/// Who may enter.
pub const USER: &str = "chatter";
/// What opens the door; in an environment variable, as it should be.
pub const PASSWORD: &str = "p4$$word: with spaces";

/// A secured cluster.
pub struct Secured {
    pub place: Place,
    pub bootstrap: String,
    pub containers: [String; 3],
    /// The certificate of who signed the brokers' certificates.
    pub authority: PathBuf,
    network: String,
}

impl Secured {
    /// Starts the brokers, and gives the user its password.
    pub fn start() -> Self {
        let place = Place::new();
        let network = format!("test-secured-{}", std::process::id());
        let base_port = free_base_port();
        let containers = [1, 2, 3].map(|number| format!("{network}-{number}"));
        let secrets = place.path("secrets");
        fs::create_dir(&secrets).expect("a directory");
        let authority = certificates(&secrets, &containers);
        let ports = [base_port, base_port + 1, base_port + 2];
        let cluster = Self {
            bootstrap: ports.map(|port| format!("localhost:{port}")).join(","),
            containers,
            authority,
            network,
            place,
        };
        docker(&["network", "create", &cluster.network]);
        let image = Command::new("docker/setup.sh").arg("--image").output().expect("the set-up runs");
        let image = String::from_utf8_lossy(&image.stdout).trim().to_owned();
        for (number, port) in (1..=3).zip(ports) {
            cluster.start_broker(number, port, &secrets, &image);
        }
        cluster.give_password();
        cluster
    }

    fn start_broker(&self, number: usize, port: u16, secrets: &Path, image: &str) {
        let name = &self.containers[number - 1];
        let voters: Vec<String> =
            self.containers.iter().zip(1..).map(|(name, id)| format!("{id}@{name}:9093")).collect();
        let environment = [
            ("CLUSTER_ID", "wiberSecuredForTestsAA".to_owned()),
            ("KAFKA_HEAP_OPTS", "-Xms384m -Xmx384m".to_owned()),
            ("KAFKA_NODE_ID", number.to_string()),
            ("KAFKA_PROCESS_ROLES", "broker,controller".to_owned()),
            ("KAFKA_CONTROLLER_QUORUM_VOTERS", voters.join(",")),
            ("KAFKA_LISTENERS", "INTERNAL://:29092,CONTROLLER://:9093,CLIENT://:9092".to_owned()),
            ("KAFKA_ADVERTISED_LISTENERS", format!("INTERNAL://{name}:29092,CLIENT://localhost:{port}")),
            (
                "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
                "INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT,CLIENT:SASL_SSL".to_owned(),
            ),
            ("KAFKA_INTER_BROKER_LISTENER_NAME", "INTERNAL".to_owned()),
            ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER".to_owned()),
            ("KAFKA_LOG_DIRS", "/var/lib/kafka/data".to_owned()),
            ("KAFKA_LISTENER_NAME_CLIENT_SSL_KEYSTORE_TYPE", "PEM".to_owned()),
            ("KAFKA_LISTENER_NAME_CLIENT_SSL_KEYSTORE_LOCATION", format!("/etc/kafka/secrets/{name}.pem")),
            ("KAFKA_LISTENER_NAME_CLIENT_SASL_ENABLED_MECHANISMS", "SCRAM-SHA-512,SCRAM-SHA-256".to_owned()),
            (
                "KAFKA_LISTENER_NAME_CLIENT_SCRAM___SHA___512_SASL_JAAS_CONFIG",
                "org.apache.kafka.common.security.scram.ScramLoginModule required;".to_owned(),
            ),
            (
                "KAFKA_LISTENER_NAME_CLIENT_SCRAM___SHA___256_SASL_JAAS_CONFIG",
                "org.apache.kafka.common.security.scram.ScramLoginModule required;".to_owned(),
            ),
            ("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false".to_owned()),
            ("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "3".to_owned()),
            ("KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS", "6".to_owned()),
            ("KAFKA_MIN_INSYNC_REPLICAS", "2".to_owned()),
            ("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0".to_owned()),
        ];
        let mut args = vec!["run".to_owned(), "-d".to_owned()];
        args.extend(["--name", name, "--hostname", name, "--network", &self.network].map(str::to_owned));
        args.extend(["-p".to_owned(), format!("127.0.0.1:{port}:9092")]);
        args.extend(["-v".to_owned(), format!("{}:/etc/kafka/secrets:ro", secrets.display())]);
        for (key, value) in environment {
            args.extend(["-e".to_owned(), format!("{key}={value}")]);
        }
        args.push(image.to_owned());
        docker(&args.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// Over the internal listener, which asks nobody who he is; retried until the brokers are there.
    fn give_password(&self) {
        let deadline = Instant::now() + PATIENCE;
        for mechanism in ["SCRAM-SHA-512", "SCRAM-SHA-256"] {
            loop {
                let output = Command::new("docker")
                    .args(["exec", &self.containers[0], "/opt/kafka/bin/kafka-configs.sh", "--bootstrap-server"])
                    .args([&format!("{}:29092", self.containers[0]), "--alter", "--entity-type", "users"])
                    .args(["--entity-name", USER, "--add-config", &format!("{mechanism}=[password={PASSWORD}]")])
                    .output()
                    .expect("docker runs");
                if output.status.success() {
                    break;
                }
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(Instant::now() < deadline, "waited {PATIENCE:?} for the brokers; last seen: {said}");
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    }

    /// What a client has to say on the command line.
    pub fn properties(&self, mechanism: &str) -> Vec<String> {
        [
            "security.protocol=SASL_SSL".to_owned(),
            format!("ssl.ca.location={}", self.authority.display()),
            format!("sasl.mechanism={mechanism}"),
            format!("sasl.username={USER}"),
            "sasl.password=${WIBER_TEST_PASSWORD}".to_owned(),
        ]
        .into_iter()
        .flat_map(|property| ["-X".to_owned(), property])
        .collect()
    }

    /// Exit code, stdout and stderr of a command at this cluster.
    pub fn ask(&self, args: &[&str], properties: &[String]) -> (Option<i32>, String, String) {
        self.ask_at(&self.bootstrap, args, properties)
    }

    /// The same, with another address to begin with.
    pub fn ask_at(&self, bootstrap: &str, args: &[&str], properties: &[String]) -> (Option<i32>, String, String) {
        let mut command = self.place.program();
        command.args(args).args(["--bootstrap", bootstrap]).args(properties);
        let output = command.env("WIBER_TEST_PASSWORD", PASSWORD).output().expect("the program runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        let names: Vec<&str> = self.containers.iter().map(String::as_str).collect();
        let remove = |args: &[&str]| drop(Command::new("docker").args(args).output());
        remove(&[&["rm", "-f", "-v"], &names[..]].concat());
        remove(&["network", "rm", &self.network]);
    }
}

/// An authority, and a certificate for each broker that clients reach as `localhost`. Each broker's file holds its key
/// and its certificate, as Kafka wants them (KIP-651). Returns the authority's certificate.
fn certificates(dir: &Path, brokers: &[String]) -> PathBuf {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "wiber-chaos tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate");
    for broker in brokers {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned(), broker.clone()]).expect("names");
        let certificate = params.signed_by(&key, &authority).expect("a certificate");
        fs::write(dir.join(format!("{broker}.pem")), key.serialize_pem() + &certificate.pem()).expect("written");
    }
    let path = dir.join("authority.pem");
    fs::write(&path, authority.pem()).expect("written");
    path
}
