//! What helps people who write scenarios and look at many runs: templates, the schema, completions, the manual, comparisons.

use super::*;

#[test]
fn the_help_of_the_commands_about_files_names_what_they_take() {
    for (command, words) in [
        ("compare", ["<BEFORE> <AFTER>", "--format", "--out <FILE.html>", "--noise <FACTOR>"]),
        ("report", ["--index <DIR>", "index.html", "check", "Usage"]),
        ("init", ["[FILE]", "--template", "transactions", "scenario.toml"]),
        ("schema", ["Usage: wiber-chaos schema", "JSON Schema", "--color", "--help"]),
        ("completions", ["<SHELL>", "zsh", "fish", "powershell"]),
        ("man", ["--out <DIR>", "a page", "stdout", "Usage"]),
    ] {
        let told = program(&[command, "--help"]).assert().success().stderr("");
        let told = String::from_utf8_lossy(&told.get_output().stdout).into_owned();
        for word in words {
            assert!(told.contains(word), "{command}: {word} in:\n{told}");
        }
    }
}

#[test]
fn a_scenario_to_begin_with_is_valid_and_is_never_written_over_another() {
    let place = Place::new();
    let init = |args: &[&str]| {
        let mut command = place.program();
        command.current_dir(place.path("")).arg("init").args(args);
        expect(command).assert()
    };
    init(&["my-first.toml"]).success().stdout("my-first.toml\n").stderr(contains("wiber-chaos run my-first.toml"));
    let text = fs::read_to_string(place.path("my-first.toml")).expect("the scenario");
    assert!(text.contains("name = \"my-first\""), "{text}");
    let mut validate = place.program();
    validate.args(["validate", "--offline"]).arg(place.path("my-first.toml"));
    expect(validate).assert().success().stdout(contains("warning").not()).stderr("");

    place.file("mine.toml", "mine");
    init(&["mine.toml"]).code(2).stdout("").stderr(contains("mine.toml").and(contains("help: name another file")));
    assert_eq!(fs::read_to_string(place.path("mine.toml")).expect("the file"), "mine");
    init(&["nowhere/s.toml"]).code(2).stderr(contains("make its directory first"));
    init(&["-", "--template", "transactions"]).success().stdout(contains("transactions = {")).stderr("");
    assert_eq!(names(&place.path("")), ["mine.toml", "my-first.toml"]);
}

#[test]
fn the_schema_is_printed_as_it_is_kept() {
    let kept = fs::read_to_string("docs/scenario.schema.json").expect("the schema is kept");
    program(&["schema"]).assert().success().stdout(kept).stderr("");
}

#[test]
fn completions_offer_what_people_may_call() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let told = program(&["completions", shell]).assert().success().stderr("");
        told.stdout(contains("compare").and(contains("client-process").not()));
    }
    program(&["completions", "tcsh"]).assert().code(2).stdout("").stderr(contains("fish"));
}

#[test]
fn the_manual_has_a_page_for_the_program_and_for_each_command() {
    program(&["man"]).assert().success().stdout(contains(".TH wiber").and(contains("SUBCOMMANDS"))).stderr("");
    let place = Place::new();
    let mut command = place.program();
    command.args(["man", "--out"]).arg(place.path("man1"));
    let told = expect(command).assert().success();
    let pages = names(&place.path("man1"));
    assert_eq!(String::from_utf8_lossy(&told.get_output().stdout).lines().count(), pages.len());
    for page in ["wiber-chaos.1", "wiber-chaos-run.1", "wiber-chaos-compare.1", "wiber-chaos-topics-create.1"] {
        assert!(pages.iter().any(|name| name == page), "{page} in {pages:?}");
    }
    assert!(!pages.iter().any(|name| name.contains("client-process")));
}

#[test]
fn two_runs_are_compared_and_all_are_listed() {
    let place = Place::new();
    let slow = quick_mock("quick", "").replace("1000/s", "300/s");
    for text in [quick_mock("quick", ""), quick_mock("quick", ""), slow] {
        let mut command = place.run();
        command.args(["--progress", "none"]).arg(place.file("s.toml", &text));
        expect(command).assert().success();
    }
    let mut runs = names(&place.path("reports/quick"));
    runs.retain(|name| name != "latest");
    let compare = |other: usize, more: &[&str]| {
        let mut command = place.program();
        command.current_dir(place.path("reports/quick")).args(["compare", &runs[0], &runs[other]]).args(more);
        expect(command).assert()
    };

    // On a machine with other tests to run two runs differ by much; what counts is for the tests of comparisons themselves.
    let two = compare(1, &["--format", "json"]).stderr("");
    let json: Value = serde_json::from_slice(&two.get_output().stdout).expect("stdout is JSON");
    assert_eq!((&json["before"]["run"], &json["after"]["run"]), (&json!(runs[0]), &json!(runs[1])), "{json:#}");
    let worse = compare(2, &["--out", "page.html"]).failure().stderr("");
    let text = String::from_utf8_lossy(&worse.get_output().stdout).into_owned();
    assert!(text.starts_with("✗ WORSE  ") && text.contains("\"1000/s\" → \"300/s\""), "{text}");
    assert!(text.contains("✗ chatters: rate") && text.contains("page: page.html"), "{text}");
    assert!(fs::read_to_string(place.path("reports/quick/page.html")).expect("the page").contains("chatters"));
    compare(0, &["--noise", "0"]).success().stdout(contains("no difference beyond noise"));
    compare(0, &["--noise", "much"]).code(2).stdout("");
    program(&["compare", "reports/nothing/latest", "reports/sample"])
        .assert()
        .code(2)
        .stderr(contains("nothing/latest"));
    program(&["compare", "reports/sample", "reports/sample"])
        .assert()
        .success()
        .stdout(contains("no history/ any more"));

    let mut command = place.program();
    command.args(["report", "--index"]).arg(place.path("reports"));
    expect(command).assert().success().stdout(contains("index.html")).stderr("");
    let page = fs::read_to_string(place.path("reports/index.html")).expect("the index");
    assert!(runs.iter().all(|run| page.contains(&format!("href=\"./quick/{run}/report.html\""))), "{runs:?}");
    let mut command = place.program();
    command.args(["report", "--index"]).arg(place.path("state"));
    expect(command).assert().code(2).stdout("");
}

#[test]
fn a_plan_in_json_says_what_the_drawing_says() {
    let scenario = [
        &mock("meet", "warmup = \"2s\"\nchaos = \"20s\"", "at = \"2s\"\nfor = \"5s\"", "")[..],
        "[[fault]]\nid = \"second\"\nat = \"4s\"\nfor = \"5s\"\nkill = { target = \"broker:1\" }\n",
    ]
    .concat()
    .replace("kind = \"mock\"", "kind = \"docker\"");
    let place = Place::new();
    let file = place.file("s.toml", &scenario);
    let plan = |more: &[&str]| {
        let mut command = place.program();
        command.arg("plan").arg(&file).args(more).env("LC_ALL", "C");
        let shown = expect(command).assert().success();
        String::from_utf8(shown.get_output().stdout.clone()).expect("text")
    };
    let outlook =
        serde_json::from_str::<Value>(&plan(&["--format", "json"])).expect("stdout is JSON")["outlook"].clone();
    assert_eq!(
        outlook["away"][1],
        json!({ "from_ms": 4000, "until_ms": 7000, "brokers": 2, "steps": ["kill", "second"] })
    );
    assert_eq!(outlook["controllers"], json!({ "controllers": 3, "majority": 2, "left": 1, "holds": false }));
    assert_eq!(outlook["topics"][0]["holds"], json!(false));
    let drawn = plan(&[]);
    for warning in outlook["warnings"].as_array().expect("warnings") {
        let text = warning["text"].as_str().expect("a sentence");
        let folded = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(folded(&drawn).contains(&folded(text)), "{text} in:\n{drawn}");
    }
    assert_eq!(outlook["warnings"][0]["warning"], "quorum-lost");
    assert!(drawn.contains("2 of 3 brokers away, 4s to 7s (kill, second)"), "{drawn}");
    assert!(drawn.is_ascii(), "{drawn}");
}
