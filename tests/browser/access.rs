//! Nobody is kept out of a page: by axe-core, whose rules are those that people are audited by, and by rules of our own on what it does
//! not look at.

use std::path::{Path, PathBuf};

use fantoccini::key::Key;
use serde_json::Value;

use crate::browser::{Browser, Scheme, Scripts, Width, with_browser};
use crate::pages::{LOST, VALID, pages};

const OWN_RULES: &str = include_str!("access.js");

/// All rules of WCAG 2.2 up to level AA, and what axe-core calls good practice. Every fault counts, whatever its impact.
const AXE: &str = "
    const done = arguments[arguments.length - 1];
    axe.run(document, { resultTypes: ['violations'] }).then((result) => done(result.violations.flatMap((rule) =>
        rule.nodes.map((node) => `${rule.impact}: ${rule.id}: ${node.target.join(' ')}: ${node.failureSummary}`))),
        (error) => done([String(error)]));";

fn axe() -> String {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the target directory");
    let file: PathBuf = target.join("axe-core/axe.min.js");
    std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; docker/setup.sh --browser fetches it", file.display()))
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_core_finds_nothing_on_any_page() {
    let axe = axe();
    let mut faults = Vec::new();
    with_browser(Scripts::On, async |browser| {
        for (width, scheme) in looks() {
            browser.look(width, scheme).await;
            for page in pages().all() {
                open_all(browser, &page).await;
                browser.ask(&axe).await;
                let found = browser.client.execute_async(AXE, Vec::new()).await.expect("axe-core runs");
                let found: Vec<String> = serde_json::from_value(found).expect("a list of texts");
                faults.extend(
                    found.into_iter().map(|fault| format!("{}, {width:?}, {scheme:?}: {fault}", page.display())),
                );
            }
        }
    })
    .await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn drawings_headings_and_tables_are_for_everybody() {
    let mut faults = Vec::new();
    with_browser(Scripts::On, async |browser| {
        for (width, scheme) in looks() {
            browser.look(width, scheme).await;
            for page in pages().all() {
                open_all(browser, &page).await;
                let found = browser.texts(OWN_RULES).await;
                faults.extend(
                    found.into_iter().map(|fault| format!("{}, {width:?}, {scheme:?}: {fault}", page.display())),
                );
            }
        }
    })
    .await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn looks() -> impl Iterator<Item = (Width, Scheme)> {
    [Width::Desk, Width::Phone]
        .into_iter()
        .flat_map(|width| [Scheme::Light, Scheme::Dark].map(|scheme| (width, scheme)))
}

/// Opens a page with everything on it unfolded.
async fn open_all(browser: &Browser, page: &Path) {
    browser.open(page).await;
    browser.ask("for (const part of document.querySelectorAll('details')) part.open = true").await;
}

/// What has the focus: its name, and what is wrong with how it is shown.
const FOCUSED: &str = "
    const element = document.activeElement;
    if (element === document.body) return null;
    const told = element.outerHTML.slice(0, 160);
    const style = getComputedStyle(element);
    const inside = element.querySelector('.aim');
    const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
    const stroked = inside && getComputedStyle(inside).stroke !== 'none';
    const { left, right, top, bottom } = element.getBoundingClientRect();
    const within = bottom > 0 && top < innerHeight && right > 0 && left < innerWidth;
    // Some of it has to be seen: of a tall part the top may well lie below a bar.
    const x = Math.min(Math.max((left + right) / 2, 1), innerWidth - 1);
    const covered = [top + 6, (top + bottom) / 2, bottom - 6].every((y) => {
        const upper = document.elementFromPoint(x, Math.min(Math.max(y, 1), innerHeight - 1));
        return upper && !element.contains(upper) && !upper.contains(element);
    });
    const wrong = [!outlined && !stroked && 'its focus is not seen', !within && 'it is out of sight', covered && 'something covers it'];
    return [told, ...wrong.filter((one) => one)];";

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_a_keyboard_only_sees_where_they_are() {
    const MOST_STOPS: usize = 400;
    with_browser(Scripts::On, async |browser| {
        for run in [VALID, LOST] {
            browser.open(&pages().report(run)).await;
            let mut stops = Vec::new();
            for _ in 0..MOST_STOPS {
                browser.press(Key::Tab).await;
                let Value::Array(told) = browser.ask(FOCUSED).await else { break };
                assert_eq!(told.len(), 1, "{told:?}");
                stops.push(told[0].to_string());
            }
            let reached = |words: &str| stops.iter().any(|stop| stop.contains(words));
            for part in [
                "class=\\\"skip",
                "href=\\\"#timeline",
                "data-zoom=\\\"in",
                "data-moment",
                "type=\\\"search",
                "summary",
            ] {
                assert!(reached(part), "{part} is not among the {} stops", stops.len());
            }
            assert!(stops.len() < MOST_STOPS, "the keyboard comes to the end of the page");
        }
    })
    .await;
}
