//! What readers of test reports rely on, as the strictest of them asks for it: Jenkins' xunit plugin, `junit-10.xsd`.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

use super::render;
use crate::report::{Report, fixture};

/// What an element may have, and in which order.
struct Rule {
    name: &'static str,
    /// Attributes that it must have.
    needs: &'static [&'static str],
    /// Attributes that it may have besides; none that is not named is legal.
    may: &'static [&'static str],
    /// Its children, in the order in which we write them; each name may come several times in a row.
    children: &'static [&'static str],
    text: Text,
}

/// Whether an element may hold text.
#[derive(PartialEq)]
enum Text {
    Allowed,
    None,
}

const RULES: [Rule; 8] = [
    Rule {
        name: "testsuites",
        needs: &[],
        may: &["name", "time", "tests", "failures", "errors"],
        children: &["testsuite"],
        text: Text::None,
    },
    Rule {
        name: "testsuite",
        needs: &["name", "tests", "failures", "errors"],
        may: &["group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url", "version"],
        children: &["properties", "testcase"],
        text: Text::None,
    },
    Rule { name: "properties", needs: &[], may: &[], children: &["property"], text: Text::None },
    Rule { name: "property", needs: &["name", "value"], may: &[], children: &[], text: Text::None },
    Rule {
        name: "testcase",
        needs: &["name"],
        may: &["time", "classname", "group"],
        children: &["skipped", "error", "failure"],
        text: Text::None,
    },
    Rule { name: "skipped", needs: &[], may: &["type", "message"], children: &[], text: Text::Allowed },
    Rule { name: "error", needs: &[], may: &["type", "message"], children: &[], text: Text::Allowed },
    Rule { name: "failure", needs: &[], may: &["type", "message"], children: &[], text: Text::Allowed },
];

/// Attributes that are counts.
const COUNTS: [&str; 4] = ["tests", "failures", "errors", "skipped"];

/// An element as it was read.
#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    children: Vec<Element>,
    text: String,
}

impl Element {
    fn of(start: &BytesStart<'_>) -> Self {
        let name = std::str::from_utf8(start.name().as_ref()).expect("UTF-8").to_owned();
        let mut attributes = BTreeMap::new();
        for attribute in start.attributes() {
            let attribute = attribute.expect("a well-formed attribute");
            let key = std::str::from_utf8(attribute.key.as_ref()).expect("UTF-8").to_owned();
            let value = attribute.normalized_value(XmlVersion::Explicit1_0).expect("no unknown entity").into_owned();
            assert_eq!(attributes.insert(key.clone(), value), None, "{key} twice");
        }
        Self { name, attributes, ..Self::default() }
    }

    fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).unwrap_or_else(|| panic!("{} has no {name}", self.name))
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

/// The file's one root.
fn read(xml: &str) -> Element {
    let mut reader = Reader::from_str(xml);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().expect("well-formed XML") {
            Event::Start(start) => open.push(Element::of(&start)),
            Event::Empty(start) => open.last_mut().expect("a parent").children.push(Element::of(&start)),
            Event::End(_) => {
                let closed = open.pop().expect("an open element");
                open.last_mut().expect("a parent").children.push(closed);
            }
            Event::Text(text) => {
                let text = text.decode().expect("UTF-8");
                open.last_mut().expect("a parent").text.push_str(text.trim());
            }
            Event::Eof => break,
            Event::GeneralRef(_) | Event::Decl(_) => {}
            other => panic!("what has no place in a test report: {other:?}"),
        }
    }
    let [root] = <[Element; 1]>::try_from(open.pop().expect("the outermost").children).expect("one root");
    assert!(open.is_empty());
    root
}

fn hold(element: &Element) {
    let name = &element.name;
    let rule = RULES.iter().find(|rule| rule.name == name).unwrap_or_else(|| panic!("no rule for <{name}>"));
    for needed in rule.needs {
        assert!(element.attributes.contains_key(*needed), "<{name}> needs {needed}");
    }
    for (key, value) in &element.attributes {
        let is_known = rule.needs.contains(&key.as_str()) || rule.may.contains(&key.as_str());
        assert!(is_known, "<{name}> may not have {key}");
        match key.as_str() {
            key if COUNTS.contains(&key) => assert!(value.parse::<u64>().is_ok(), "{key}={value} is no count"),
            "time" => assert!(is_seconds(value), "time={value} is no number of seconds"),
            "timestamp" => assert!(value.parse::<jiff::Timestamp>().is_ok(), "timestamp={value}"),
            _ => assert!(!value.is_empty() || key == "value", "<{name}> has an empty {key}"),
        }
    }
    assert!(rule.text == Text::Allowed || element.text.is_empty(), "<{name}> holds text: {}", element.text);
    let place = |child: &Element| {
        let place = rule.children.iter().position(|known| *known == child.name);
        place.unwrap_or_else(|| panic!("<{}> in <{name}>", child.name))
    };
    assert!(element.children.iter().is_sorted_by_key(place), "the children of <{name}> are out of order");
    element.children.iter().for_each(hold);
}

/// Whole seconds, a dot, and three digits.
fn is_seconds(value: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    value.split_once('.').is_some_and(|(whole, rest)| digits(whole) && digits(rest) && rest.len() == 3)
}

/// Runs that passed, failed, proved nothing, never began, left something behind, are empty, or are full of traps.
fn all() -> Vec<Report> {
    vec![
        fixture::valid(),
        fixture::invalid(),
        fixture::inconclusive(),
        fixture::aborted(),
        fixture::unclean(),
        fixture::empty(),
        fixture::hostile(),
    ]
}

#[test]
fn every_element_has_its_attributes_and_its_place_and_no_others() {
    for report in all() {
        let root = read(&render(&report));
        assert_eq!(root.name, "testsuites");
        hold(&root);
    }
}

#[test]
fn the_counts_are_those_of_the_cases() {
    for report in all() {
        let root = read(&render(&report));
        let [suite] = &root.children[..] else { panic!("one suite: {root:?}") };
        let with = |child: &str| suite.all("testcase").filter(|case| case.all(child).count() == 1).count().to_string();
        assert_eq!(suite.attribute("tests"), suite.all("testcase").count().to_string());
        for (count, child) in [("failures", "failure"), ("errors", "error"), ("skipped", "skipped")] {
            assert_eq!(suite.attribute(count), with(child), "{}: {count}", report.verdict.scenario);
        }
        for count in ["tests", "failures", "errors"] {
            assert_eq!(root.attribute(count), suite.attribute(count));
        }
    }
}

#[test]
fn a_suite_has_a_case_for_everything_that_may_go_wrong_and_each_name_once() {
    for report in [fixture::valid(), fixture::invalid(), fixture::inconclusive(), fixture::aborted()] {
        let root = read(&render(&report));
        let suite = &root.children[0];
        let names: Vec<&str> = suite.all("testcase").map(|case| case.attribute("name")).collect();
        let mut wanted = vec!["set-up".to_owned()];
        wanted.extend(report.verdict.checks.iter().map(|line| line.check.name().to_owned()));
        wanted.extend(report.verdict.thresholds.iter().map(|line| format!("{} threshold", line.metric.name())));
        wanted.extend(report.verdict.faults.iter().map(|line| format!("fault {} is proven", line.id)));
        wanted.extend(["clean-up".to_owned(), "conclusive".to_owned()]);
        assert_eq!(names, wanted);
        assert!(suite.all("testcase").all(|case| case.children.len() <= 1), "a case ends in one way");
    }
}
