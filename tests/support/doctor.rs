//! Asking the doctor, and reading what it found.

use std::process::Command;

use assert_cmd::Command as Assert;
use serde_json::Value;

use crate::program::Place;

/// The doctor, who looks at three ports from this one on.
pub fn doctor(place: &Place, base_port: u16) -> Command {
    let mut command = place.program();
    command.args(["doctor", "--base-port", &base_port.to_string()]);
    command.arg("--reports").arg(place.path("reports"));
    command.env_remove("WIBER_BOOTSTRAP").env_remove("WIBER_KAFKA_IMAGE");
    command
}

/// Lets it look, and expects this exit code; what it found.
pub fn look(mut command: Command, exit_code: i32) -> Value {
    command.args(["--format", "json"]);
    let shown = Assert::from_std(command).assert().code(exit_code).stderr("");
    serde_json::from_slice(&shown.get_output().stdout).expect("stdout is JSON")
}

/// The findings of one check, each as its level, what was found, and the help.
pub fn findings(shown: &Value, name: &str) -> Vec<[String; 3]> {
    let checks = shown["checks"].as_array().expect("checks");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of_name = checks.iter().filter(|check| check["name"] == name);
    of_name.map(|check| [text(&check["level"]), text(&check["found"]), text(&check["help"])]).collect()
}
