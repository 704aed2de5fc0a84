//! The pipelines in docs/ci.md: YAML, whole, and every command in them is one that the program takes.

use std::path::Path;

use serde_json::Value;

use crate::page::{self, Shown};
use crate::shell;
use crate::{is_ours, refusal};

/// The pipelines, in the order of the page.
fn pipelines() -> Vec<Value> {
    let blocks = page::read(Path::new("docs/ci.md")).blocks();
    let pipelines = blocks.iter().filter(|block| block.language == "yaml");
    pipelines.map(|block| serde_saphyr::from_str(&block.text).unwrap_or_else(|error| panic!("{error}"))).collect()
}

/// The workflow of GitHub Actions, and the pipeline of GitLab.
fn both() -> [Value; 2] {
    <[Value; 2]>::try_from(pipelines()).expect("two pipelines")
}

/// The commands of a script: one text, or a list of them.
fn commands(script: &Value) -> Vec<Shown> {
    let texts = script.as_array().map_or_else(|| vec![script], |list| list.iter().collect());
    let lines = texts.into_iter().flat_map(|text| text.as_str().expect("a script is text").lines());
    let shown = |command| Shown { place: "docs/ci.md".to_owned(), command };
    lines.flat_map(shell::commands).map(shown).collect()
}

fn run_of(shown: &[Shown]) -> Option<&Shown> {
    shown.iter().find(|shown| shown.command.len() > 1 && shown.command[..2] == ["wiber-chaos", "run"])
}

#[test]
fn every_command_of_a_pipeline_is_one_that_the_program_takes() {
    let [github, gitlab] = both();
    let steps = github["jobs"]["chaos"]["steps"].as_array().expect("steps");
    let mut all: Vec<Shown> =
        steps.iter().map(|step| &step["run"]).filter(|run| !run.is_null()).flat_map(commands).collect();
    all.extend(commands(&gitlab["chaos"]["before_script"]));
    all.extend(commands(&gitlab["chaos"]["script"]));
    let ours: Vec<Shown> = all.into_iter().filter(is_ours).collect();
    assert_eq!(ours.len(), 5, "{}", ours.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    for shown in ours {
        if let Some(error) = refusal(&shown) {
            panic!("{shown}\n{error}");
        }
    }
}

#[test]
fn the_workflow_keeps_the_reports_of_a_run_that_failed_and_needs_no_more_than_to_read() {
    let [github, _] = both();
    assert_eq!(github["permissions"], serde_json::json!({ "contents": "read" }));
    let job = &github["jobs"]["chaos"];
    assert!(job["timeout-minutes"].is_u64() && job["runs-on"].is_string());
    let steps = job["steps"].as_array().expect("steps");
    for step in steps {
        assert_ne!(step["run"].is_string(), step["uses"].is_string(), "a step runs or uses something: {step}");
        let action = step["uses"].as_str().unwrap_or("actions/none@v1");
        assert!(action.starts_with("actions/") && action.contains("@v"), "{action}");
    }
    let place = |found: &dyn Fn(&Value) -> bool| steps.iter().position(found).expect("such a step");
    let runs = place(&|step| step["run"].is_string() && run_of(&commands(&step["run"])).is_some());
    let keeps = place(&|step| step["uses"].as_str().is_some_and(|action| action.contains("upload-artifact")));
    assert!(runs < keeps);
    assert!(steps[runs]["continue-on-error"].is_null(), "a run that failed fails the job");
    assert_eq!(steps[keeps]["if"], "${{ !cancelled() }}");
    assert_eq!(steps[keeps]["with"]["path"], "reports/*/2*");
}

#[test]
fn the_gitlab_job_hands_over_its_test_reports_whatever_happened() {
    let [_, gitlab] = both();
    let job = &gitlab["chaos"];
    assert!(gitlab["stages"].as_array().is_some_and(|stages| stages.contains(&job["stage"])));
    assert!(run_of(&commands(&job["script"])).is_some());
    assert_eq!(job["artifacts"]["when"], "always");
    assert_eq!(job["artifacts"]["reports"]["junit"], "reports/*/2*/junit.xml");
    assert!(job["allow_failure"].is_null(), "an inconclusive run is no pass");
    assert_eq!(job["retry"]["exit_codes"], serde_json::json!([4, 5]), "what says nothing of Kafka is tried again");
}

#[test]
fn the_page_tells_of_every_exit_code_and_every_sort_of_case() {
    let text = std::fs::read_to_string("docs/ci.md").expect("the page");
    for code in ["0", "1", "2", "3", "4", "5", "6", "130, 143"] {
        assert!(text.contains(&format!("\n| {code} |")), "exit code {code}");
    }
    for case in ["set-up", "METRIC threshold", "fault ID is proven", "clean-up", "conclusive"] {
        assert!(text.contains(&format!("\n| `{case}` |")), "case {case}");
    }
}
