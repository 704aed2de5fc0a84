//! A cluster that speaks TLS and wants SCRAM: by hand, attached, and what is said to a client that comes otherwise.

use std::fs;

use serde_json::Value;

use super::brokers::docker;
use super::secured_brokers::{PASSWORD, Secured, USER};
use crate::program::{start, wait};
use crate::turn;

#[test]
fn clients_and_attached_runs_work_over_tls_and_scram_and_others_are_told_what_is_wanted() {
    let _turn = turn::cluster();
    let cluster = Secured::start();
    for mechanism in ["SCRAM-SHA-512", "SCRAM-SHA-256"] {
        let (code, _, errors) = cluster.ask(&["status", "--wait", "120s"], &cluster.properties(mechanism));
        assert_eq!(code, Some(0), "{mechanism}: {errors}");
    }
    chat(&cluster);
    strangers_are_told_what_is_wanted(&cluster);
    a_certificate_counts_for_the_hosts_that_it_names(&cluster);
    a_run_proves_its_fault(&cluster);
}

fn chat(cluster: &Secured) {
    let properties = cluster.properties("SCRAM-SHA-512");
    let (code, _, errors) = cluster.ask(&["topics", "create", "chat"], &properties);
    assert_eq!(code, Some(0), "{errors}");
    let (code, receipt, errors) = cluster.ask(&["produce", "chat", "Hello", "World!"], &properties);
    assert_eq!(code, Some(0), "{errors}");
    assert!(receipt.starts_with("chat-") && receipt.ends_with(" @ 0\n"), "{receipt}");
    let read = ["consume", "chat", "--group", "readers", "--from-beginning", "--format", "raw", "--max", "1"];
    let (code, read, errors) = cluster.ask(&[&read[..], &["--timeout", "60s"]].concat(), &properties);
    assert_eq!((code, read.as_str()), (Some(0), "Hello World!\n"), "{errors}");
}

fn strangers_are_told_what_is_wanted(cluster: &Secured) {
    let with = |properties: &[&str]| -> Vec<String> {
        properties.iter().flat_map(|property| ["-X".to_owned(), (*property).to_owned()]).collect()
    };
    let authority = format!("ssl.ca.location={}", cluster.authority.display());
    let user = format!("sasl.username={USER}");
    let scram = ["security.protocol=SASL_SSL", &authority, "sasl.mechanism=SCRAM-SHA-512", &user];
    let cases: [(&str, Vec<String>, &str); 6] = [
        ("a plain-text client", Vec::new(), "speaks TLS, and this client plain text"),
        ("one that trusts nobody here", with(&["security.protocol=SSL"]), "certificate is not trusted"),
        ("one without a name", with(&["security.protocol=SSL", &authority]), "wants SASL (SCRAM-SHA-"),
        ("a wrong password", with(&[&scram[..], &["sasl.password=wrong"]].concat()), "does not let this client in"),
        (
            "another mechanism",
            with(&["security.protocol=SASL_SSL", &authority, "sasl.mechanism=PLAIN", &user, "sasl.password=x"]),
            "does not take PLAIN; it takes SCRAM-SHA-",
        ),
        (
            "one that is plain text but for SASL",
            with(&["security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN", &user, "sasl.password=x"]),
            "speaks TLS, and this client plain text",
        ),
    ];
    for (who, properties, told) in &cases {
        for command in [&["consume", "chat", "--group", "g"][..], &["produce", "chat", "hello"], &["status"]] {
            let (code, _, errors) = cluster.ask(command, properties);
            assert_eq!(code, Some(5), "{who}, {command:?}: {errors}");
            assert!(errors.contains(told) && errors.contains("help:"), "{who}, {command:?}: {errors}");
        }
    }
}

/// The brokers' certificates name `localhost`, and no address.
fn a_certificate_counts_for_the_hosts_that_it_names(cluster: &Secured) {
    let port = cluster.bootstrap.split([':', ',']).nth(1).expect("a port");
    let address = format!("127.0.0.1:{port}");
    let properties = cluster.properties("SCRAM-SHA-512");
    let (code, _, errors) = cluster.ask_at(&address, &["status"], &properties);
    assert_eq!(code, Some(5), "{errors}");
    assert!(errors.contains("certificate is not trusted: IP address mismatch") && errors.contains("help:"), "{errors}");

    let unchecked = ["-X", "ssl.endpoint.identification.algorithm=none"].map(str::to_owned);
    let (code, status, errors) = cluster.ask_at(&address, &["status"], &[&properties[..], &unchecked].concat());
    assert_eq!(code, Some(0), "{errors}");
    assert!(status.starts_with("3 brokers, whole"), "{status}");
}

fn a_run_proves_its_fault(cluster: &Secured) {
    let bootstrap: Vec<String> = cluster.bootstrap.split(',').map(|address| format!("\"{address}\"")).collect();
    let [one, two, three] = &cluster.containers;
    let scenario = format!(
        "name = \"secured\"\nseed = 42\n[cluster]\nkind = \"attach\"\nbootstrap = [{}]\n\
         containers = {{ 1 = \"{one}\", 2 = \"{two}\", 3 = \"{three}\" }}\n\
         [cluster.client]\n\"security.protocol\" = \"SASL_SSL\"\n\"ssl.ca.location\" = \"{}\"\n\
         \"sasl.mechanism\" = \"SCRAM-SHA-512\"\n\"sasl.username\" = \"{USER}\"\n\
         \"sasl.password\" = \"${{WIBER_TEST_PASSWORD}}\"\n\
         [[topic]]\nname = \"chaos\"\npartitions = 3\nreplication-factor = 3\nconfig = {{ \"min.insync.replicas\" = 2 }}\n\
         [[producer]]\nname = \"chatters\"\ntopic = \"chaos\"\nrate = \"500/s\"\n\
         [[consumer-group]]\nname = \"chaos-group\"\ntopics = [\"chaos\"]\n\
         [phases]\nwarmup = \"3s\"\nchaos = \"25s\"\nrecovery = \"90s\"\ndrain = \"60s\"\n\
         [[fault]]\nid = \"kill\"\nat = \"2s\"\nfor = \"12s\"\nkill = {{ target = \"leader:chaos-0\" }}\n",
        bootstrap.join(", "),
        cluster.authority.display(),
    );
    let file = cluster.place.file("s.toml", &scenario);
    // Without the variable nothing is begun, and the message says which one is missing.
    let output = cluster.place.run().arg(&file).output().expect("the program runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{errors}");
    assert!(errors.contains("WIBER_TEST_PASSWORD"), "{errors}");

    let mut command = cluster.place.run();
    command.arg(&file).env("WIBER_TEST_PASSWORD", PASSWORD);
    let code = wait(&mut start(command)).code();
    let directory = cluster.place.latest("secured");
    let verdict = fs::read_to_string(directory.join("verdict.json")).expect("the run was judged");
    let verdict: Value = serde_json::from_str(&verdict).expect("JSON");
    assert_eq!((code, verdict["verdict"].as_str()), (Some(0), Some("valid")), "{verdict}");
    assert_eq!(verdict["faults"][0]["proven"], true, "{verdict}");
    let (code, topics, errors) = cluster.ask(&["topics", "list"], &cluster.properties("SCRAM-SHA-512"));
    assert_eq!(code, Some(0), "{errors}");
    assert!(!topics.contains("chaos"), "{topics}");
    let running = docker(&["inspect", "--format", "{{.State.Status}}", one, two, three]);
    assert_eq!(running, ["running", "running", "running"]);
    assert_secret_stands_nowhere(cluster);
}

/// The password is in no file of the run, and in no ledger.
fn assert_secret_stands_nowhere(cluster: &Secured) {
    let mut directories = vec![cluster.place.path("reports"), cluster.place.path("state")];
    let mut files = 0;
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.is_symlink() {
                directories.push(path);
            } else if path.is_file() {
                files += 1;
                let bytes = fs::read(&path).expect("a file");
                let found = bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
                assert!(!found, "{}", path.display());
            }
        }
    }
    assert!(files >= 10, "the run's own files were looked at");
}
