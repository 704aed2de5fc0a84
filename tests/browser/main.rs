//! The pages as people see them: in real Chromium, with a real pointer and a real keyboard. Without a browser these tests fail;
//! `docker/setup.sh --browser` installs one.

mod access;
mod browser;
mod pages;
mod pictures;
mod still;
mod time;
mod words;
mod world;

use std::io::Write as _;

use browser::{Scripts, with_browser};
use pages::{HOUR, pages};

/// Several megabytes open at once on any machine; tens of them do not.
const LARGEST_BYTES: u64 = 5 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn no_page_complains_and_nothing_is_asked_for_but_the_page_itself() {
    with_browser(Scripts::On, async |browser| {
        for page in pages().all() {
            browser.log("performance").await;
            browser.open(&page).await;
            // What is done late is done by now too: whatever a page loads is asked for before a frame is drawn.
            browser
                .client
                .execute_async("requestAnimationFrame(() => setTimeout(arguments[0], 50))", vec![])
                .await
                .expect("a frame");
            let said = browser.log("browser").await;
            assert_eq!(said, Vec::<serde_json::Value>::new(), "{}", page.display());
            let asked = requests(&browser.log("performance").await);
            assert_eq!(asked, [browser::address(&page)], "{}", page.display());
        }
    })
    .await;
}

/// The addresses that were asked for.
fn requests(log: &[serde_json::Value]) -> Vec<String> {
    let told = |entry: &serde_json::Value| -> Option<String> {
        let message: serde_json::Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
        let message = &message["message"];
        let is_request = message["method"] == "Network.requestWillBeSent";
        is_request.then(|| message["params"]["request"]["url"].as_str().map(str::to_owned))?
    };
    log.iter().filter_map(told).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hours_report_is_small_enough_to_open_and_says_that_it_is_thinned_out() {
    let page = pages().report(HOUR);
    let bytes = std::fs::metadata(&page).expect("the page").len();
    assert!(bytes <= LARGEST_BYTES, "{bytes} bytes");
    with_browser(Scripts::On, async |browser| {
        browser.open(&page).await;
        let body = browser.text("return document.querySelector('#load').innerText").await;
        assert!(body.contains("each point covers 8 seconds"), "{body}");
        let loaded = browser.ask("return performance.getEntriesByType('navigation')[0].loadEventEnd").await;
        let loaded = loaded.as_f64().expect("milliseconds");
        // How long it took is told and not judged: no test asserts on time.
        let told = format!("an hour's report: {bytes} bytes, its load event after {loaded:.0} ms");
        writeln!(std::io::stderr(), "{told}").expect("stderr");
    })
    .await;
}
