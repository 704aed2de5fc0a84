//! What holds of every page, whatever the run.

use super::render;
use crate::report::{Report, fixture};

fn pages() -> Vec<(&'static str, Report)> {
    vec![
        ("valid", fixture::valid()),
        ("invalid", fixture::invalid()),
        ("inconclusive", fixture::inconclusive()),
        ("long", fixture::long()),
        ("hostile", fixture::hostile()),
        ("empty", fixture::empty()),
        ("aborted", fixture::aborted()),
        ("damaged", fixture::with_a_damaged_time()),
    ]
}

/// The value of every attribute of this name.
fn attributes<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    page.split(start.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// The first tag that is not closed, or closes nothing. Attributes are quoted, so that `>` ends a tag.
fn unbalanced(markup: &str) -> Option<String> {
    let mut open: Vec<&str> = Vec::new();
    for tag in markup.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or(rest)) {
        let name = tag.trim_start_matches('/').split([' ', '\n']).next().unwrap_or(tag);
        match tag.strip_prefix('/') {
            Some(_) if open.last() == Some(&name) => {
                open.pop();
            }
            Some(_) => return Some(format!("</{name}> after <{:?}>", open.last())),
            None if tag.ends_with('/') => {}
            None => open.push(name),
        }
    }
    open.last().map(|name| format!("<{name}> is not closed"))
}

#[test]
fn no_page_makes_a_request() {
    for (name, report) in pages() {
        let page = render(&report);
        assert!(!page.contains("http:") && !page.contains("https:"), "{name}");
        assert!(!page.contains("@import") && !page.contains("<link") && !page.contains(" src="), "{name}");
        // The only references are to the page itself, to its patterns, and to files beside it.
        for target in attributes(&page, "href") {
            assert!(!target.contains(':') && !target.starts_with('/'), "{name}: {target}");
        }
    }
}

#[test]
fn every_drawing_is_well_formed_and_has_a_title_and_a_description() {
    for (name, report) in pages() {
        let page = render(&report);
        for drawing in page.split("<svg").skip(1) {
            let inside = drawing.split("</svg>").next().expect("a closed drawing");
            assert_eq!(unbalanced(&format!("<svg{inside}</svg>")), None, "{name}");
            let described = inside.contains("<title id=") && inside.contains("<desc id=");
            assert!(described || inside.contains("aria-hidden=\"true\""), "{name}");
            assert!(!inside.contains("NaN") && !inside.contains("inf"), "{name}");
        }
    }
}

#[test]
fn every_id_is_unique_and_every_reference_has_its_target() {
    for (name, report) in pages() {
        let page = render(&report);
        let mut ids = attributes(&page, "id");
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{name}");
        let anchors = attributes(&page, "href").into_iter().filter_map(|target| target.strip_prefix('#'));
        let labels = attributes(&page, "aria-labelledby").into_iter().flat_map(|list| list.split(' '));
        let patterns = attributes(&page, "fill").into_iter().filter_map(|f| f.strip_prefix("url(#")?.strip_suffix(')'));
        for reference in anchors.chain(labels).chain(patterns) {
            assert!(ids.contains(&reference), "{name}: {reference}");
        }
    }
}

#[test]
fn hostile_names_are_text() {
    let page = render(&fixture::hostile());
    assert_eq!(page.matches("<script").count(), 2, "the page's own two");
    assert!(page.contains("&lt;script&gt;alert"));
}

#[test]
fn anomalies_above_the_cap_say_how_many_more_there_are() {
    let report = fixture::invalid();
    let page = render(&report);
    assert_eq!(page.matches("<article").count(), 50);
    assert!(page.contains("1,002 were found. 50 of them, of each check in turn, are below; 952 more are in "));
}

#[test]
fn a_long_run_is_thinned_out_and_says_so() {
    let page = render(&fixture::long());
    assert!(page.contains("each point covers 15 seconds"));
    assert!(page.len() < 400_000, "{} bytes", page.len());
}

#[test]
fn failures_come_first() {
    let page = render(&fixture::invalid());
    let place = |text: &str| page.find(text).expect(text);
    assert!(place("1,000 acknowledged records are not in the log") < place("id=\"checks\""));
    assert!(place(">lost-write<") < place(">duplicate<"));
    let page = render(&fixture::inconclusive());
    let place = |text: &str| page.find(text).expect(text);
    assert!(place(">coverage<") < place(">duplicate<"));
}

#[test]
fn a_page_is_the_same_every_time() {
    assert_eq!(render(&fixture::invalid()), render(&fixture::invalid()));
}

/// Writes the made-up runs' pages for somebody to look at: `REPORT_PAGES=/some/dir cargo test --lib pages_to_look_at`.
#[test]
fn pages_to_look_at() {
    let Some(dir) = std::env::var_os("REPORT_PAGES") else { return };
    for (name, report) in pages() {
        let dir = std::path::Path::new(&dir).join(name);
        crate::report::write_all(&report, &dir).expect("the pages");
    }
}

#[test]
fn the_scenario_shows_references_but_no_secrets() {
    let mut report = fixture::valid();
    report.scenario_toml = "\
        name = \"secured\"\n[cluster]\nkind = \"attach\"\n[cluster.client]\n\
        \"sasl.username\" = \"chatter\"\n\"sasl.password\" = \"hunter2\"\n\
        ssl = { key.password = \"${KEY_PASSWORD}\", key.pem = \"\"\"\nhunter2\n\"\"\" }\n"
        .to_owned();
    let page = render(&report);
    assert!(!page.contains("hunter2"));
    assert!(page.contains("chatter") && page.contains("${KEY_PASSWORD}"));
}
