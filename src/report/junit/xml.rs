//! A suite as XML.

use std::io;
use std::time::Duration;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

/// What names all suites together.
const ALL: &str = "wiber-chaos";

/// A suite of cases.
pub(super) struct Suite {
    /// The scenario's name.
    pub name: String,
    /// When it began, RFC 3339, where that is known.
    pub timestamp: Option<String>,
    /// How long it took.
    pub took: Duration,
    /// What else is to be known of it.
    pub properties: Vec<(&'static str, String)>,
    /// Its cases.
    pub cases: Vec<Case>,
}

/// One case.
pub(super) struct Case {
    /// Its name, unique in its suite.
    pub name: String,
    /// How long it took, where it took time of its own.
    pub took: Option<Duration>,
    /// How it ended.
    pub end: End,
}

/// How a case ended.
pub(super) enum End {
    /// As it should.
    Passed,
    /// Nobody was to tell, or can.
    Skipped(Why),
    /// What was looked at is not as it should be.
    Failed(Why),
    /// It could not be looked at, or cleared away.
    Errored(Why),
}

impl End {
    /// The element that says so, and why.
    fn element(&self) -> Option<(&'static str, &Why)> {
        match self {
            Self::Passed => None,
            Self::Skipped(why) => Some(("skipped", why)),
            Self::Failed(why) => Some(("failure", why)),
            Self::Errored(why) => Some(("error", why)),
        }
    }
}

/// Why a case did not pass.
pub(super) struct Why {
    /// One word for machines.
    pub kind: &'static str,
    /// One line for people.
    pub message: String,
    /// The rest, in lines.
    pub details: Vec<String>,
}

impl Suite {
    /// The file's text.
    pub(super) fn render(&self) -> String {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 4);
        let head = Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None));
        let written = writer.write_event(head).and_then(|()| self.write_all(&mut writer));
        written.expect("memory takes every byte");
        let mut text = String::from_utf8(writer.into_inner()).expect("text was written");
        text.push('\n');
        text
    }

    fn write_all(&self, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let [tests, failures, errors, _] = self.counts();
        let time = seconds(self.took);
        // What Jenkins' schema lets stand here, which is less than it lets a suite have.
        let attributes: [(&str, &str); 5] =
            [("name", ALL), ("time", &time), ("tests", &tests), ("failures", &failures), ("errors", &errors)];
        writer
            .create_element("testsuites")
            .with_attributes(attributes)
            .write_inner_content(|writer| self.write(writer))
            .map(drop)
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let (name, time) = (one_line(&self.name), seconds(self.took));
        let [tests, failures, errors, skipped] = self.counts();
        let mut attributes = vec![
            ("name", name.as_str()),
            ("tests", tests.as_str()),
            ("failures", failures.as_str()),
            ("errors", errors.as_str()),
            ("skipped", skipped.as_str()),
            ("time", time.as_str()),
        ];
        attributes.extend(self.timestamp.as_deref().map(|timestamp| ("timestamp", timestamp)));
        let suite = writer.create_element("testsuite").with_attributes(attributes);
        let written = suite.write_inner_content(|writer| {
            writer.create_element("properties").write_inner_content(|writer| {
                self.properties.iter().try_for_each(|(name, value)| property(writer, name, value))
            })?;
            self.cases.iter().try_for_each(|case| case.write(writer, &self.name))
        });
        written.map(drop)
    }

    /// How many cases there are, and how many failed, could not be looked at, and were skipped.
    fn counts(&self) -> [String; 4] {
        let of = |element: &str| {
            let ends = self.cases.iter().filter_map(|case| case.end.element());
            ends.filter(|(name, _)| *name == element).count().to_string()
        };
        [self.cases.len().to_string(), of("failure"), of("error"), of("skipped")]
    }
}

impl Case {
    fn write(&self, writer: &mut Writer<Vec<u8>>, suite: &str) -> io::Result<()> {
        let (name, class) = (one_line(&self.name), one_line(&format!("{ALL}.{suite}")));
        let time = self.took.map(seconds);
        let mut attributes = vec![("name", name.as_str()), ("classname", class.as_str())];
        attributes.extend(time.as_deref().map(|time| ("time", time)));
        let case = writer.create_element("testcase").with_attributes(attributes);
        let Some((element, why)) = self.end.element() else { return case.write_empty().map(drop) };
        case.write_inner_content(|writer| {
            let message = one_line(&why.message);
            let element =
                writer.create_element(element).with_attributes([("type", why.kind), ("message", message.as_str())]);
            if why.details.is_empty() {
                return element.write_empty().map(drop);
            }
            element.write_text_content(BytesText::new(&lines(&why.details.join("\n")))).map(drop)
        })
        .map(drop)
    }
}

fn property(writer: &mut Writer<Vec<u8>>, name: &str, value: &str) -> io::Result<()> {
    let value = one_line(value);
    writer
        .create_element("property")
        .with_attributes([("name", name), ("value", value.as_str())])
        .write_empty()
        .map(drop)
}

/// Seconds to the millisecond, as test reports have them.
fn seconds(took: Duration) -> String {
    format!("{}.{:03}", took.as_secs(), took.subsec_millis())
}

fn one_line(text: &str) -> String {
    written_out(text, |_| false)
}

fn lines(text: &str) -> String {
    written_out(text, |letter| letter == '\n')
}

/// Text without what XML cannot hold, or would change: that is written out, as it is for terminals.
fn written_out(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        let is_legal = !letter.is_control() && !matches!(letter, '\u{fffe}' | '\u{ffff}');
        if is_legal || keep(letter) {
            shown.push(letter);
        } else {
            shown.extend(letter.escape_default());
        }
    }
    shown
}
