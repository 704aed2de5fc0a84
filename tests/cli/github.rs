//! What GitHub Actions is told, and that a CI finds its junit.xml whatever happened.

use super::*;

/// A command as a step of a workflow whose repository is the test's place.
fn step(place: &Place, mut command: Command) -> Assert {
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_WORKSPACE", place.path(""));
    command.env("GITHUB_STEP_SUMMARY", place.path("summary.md"));
    expect(command)
}

fn summary(place: &Place) -> String {
    fs::read_to_string(place.path("summary.md")).expect("the step's summary")
}

/// The line of a text, counted from 1, that is this one.
fn line_of(text: &str, wanted: &str) -> usize {
    text.lines().position(|line| line == wanted).expect("the line is there") + 1
}

#[test]
fn a_step_annotates_the_lines_that_matter_and_sums_up_what_ran() {
    let place = Place::new();
    place.file("summary.md", "What an earlier command of the step said.\n");
    let slow = quick_mock("too-slow", ONE_MILLISECOND);
    let mut command = place.run();
    command.args(["--format", "json"]).arg(place.file("slow.toml", &slow));
    command.arg(place.file("doubtful.toml", &quick_mock("doubtful", "[evidence]\nacked = 100000000\n")));
    let ran = step(&place, command).assert().code(3);
    let stdout = String::from_utf8_lossy(&ran.get_output().stdout).into_owned();
    assert!(stdout.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{stdout}");

    let breached = format!(
        "\n::error file=slow.toml,line={},title=too-slow%3A produce-latency-max breached::",
        line_of(&slow, "max = \"1ms\"")
    );
    let ran = ran.stderr(contains(breached).and(contains("%0Arepeat: wiber-chaos run ")));
    ran.stderr(contains("\n::warning file=doubtful.toml,line=1,title=doubtful%3A inconclusive::"));
    let summed = summary(&place);
    assert!(summed.starts_with("What an earlier command of the step said.\n## wiber-chaos: 0 of 2 passed"), "{summed}");
    assert!(summed.contains("| ✗ | too-slow | ") && summed.contains("| ? | doubtful | "), "{summed}");
    assert!(summed.contains("\n### ? doubtful\n"), "{summed}");

    // A stored run is told of in its own directory, by what it expects now.
    let run = place.latest("too-slow");
    let text = slow.replace("1ms", "3ms");
    fs::write(run.join("scenario.toml"), &text).expect("the run's scenario");
    let mut command = place.program();
    command.arg("check").arg(place.path("reports/too-slow/latest"));
    let told = step(&place, command).assert().code(3);
    let name = run.file_name().expect("a name").to_string_lossy().into_owned();
    let breached =
        format!("::error file=reports/too-slow/{name}/scenario.toml,line={},", line_of(&text, "max = \"3ms\""));
    told.stderr(contains(breached));
    assert_eq!(summary(&place).matches("## wiber-chaos: ").count(), 2);
}

#[test]
fn a_run_that_passed_is_a_row_of_the_summary_and_no_annotation() {
    let place = Place::new();
    let mut command = place.run();
    command.arg(place.file("s.toml", &quick_mock("quick", "")));
    step(&place, command).assert().success().stderr(contains("::error").not().and(contains("::warning").not()));
    let summed = summary(&place);
    assert!(summed.starts_with("## wiber-chaos: 1 of 1 passed, exit code 0\n"), "{summed}");
    assert!(summed.contains("| ✓ | quick | pass, ") && !summed.contains("###"), "{summed}");
}

#[test]
fn a_run_that_never_began_has_its_test_report_all_the_same() {
    let place = Place::new();
    let mut command = place.run();
    command.arg("scenarios/kill-one.toml").env("DOCKER_HOST", "tcp://127.0.0.1:1");
    let ran = step(&place, command).assert().code(5).stdout("");
    ran.stderr(contains("\n::error file=scenarios/kill-one.toml,line=1,title=kill-one%3A no verdict::"));
    assert!(summary(&place).contains("| ✗ | kill-one | no verdict | 5 |"), "{}", summary(&place));
    let run = place.latest("kill-one");
    let junit = fs::read_to_string(run.join("junit.xml")).expect("a test report");
    assert!(junit.contains("<testcase name=\"set-up\"") && junit.contains("<error type=\"set-up\""), "{junit}");
    assert!(junit.contains("no Docker engine answers"), "{junit}");
    let verdict = fs::read_to_string(run.join("verdict.json")).expect("a verdict");
    assert_eq!(serde_json::from_str::<Value>(&verdict).expect("JSON")["outcome"], "inconclusive");
}

#[test]
fn a_scenario_that_is_refused_has_each_problem_at_its_line() {
    let place = Place::new();
    let mut command = place.run();
    command.arg(place.file("bad.toml", "name = \"bad\"\nsed = 42\n")).arg("nowhere.toml");
    let ran = step(&place, command).assert().code(2).stdout("");
    ran.stderr(contains("\n::error file=bad.toml,line=2,title=scenario::").and(contains("did you mean `seed`?")))
        .stderr(contains("\n::error title=scenario::cannot read nowhere.toml"));
    assert!(!place.path("summary.md").exists(), "nothing ran");
}
