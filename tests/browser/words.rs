//! Filters: rows, cards and lines by what somebody looks for.

use crate::browser::{Browser, Scripts, with_browser};
use crate::pages::{LOST, VALID, pages};

/// Types into the filter of a section.
async fn filter(browser: &Browser, section: &str, words: &str) {
    let selector = format!("#{section} .filter input");
    browser.bring(&selector).await;
    let input = browser.find(&selector).await;
    input.clear().await.expect("it can be emptied");
    input.send_keys(words).await.expect("it can be written into");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_leaves_the_rows_that_hold_all_words_and_counts_them() {
    const ROWS: &str = "return [...document.querySelectorAll('#checks [data-filter] tbody tr')]
        .filter((row) => row.checkVisibility()).map((row) => row.innerText.toLowerCase())";
    with_browser(Scripts::On, async |browser| {
        browser.open(&pages().report(VALID)).await;
        let all = browser.texts(ROWS).await;
        filter(browser, "checks", "LOST write").await;
        let left = browser.texts(ROWS).await;
        let holding = all.iter().filter(|row| row.contains("lost") && row.contains("write")).count();
        assert!(!left.is_empty() && left.len() == holding && holding < all.len(), "{left:?}");
        let said = browser.text("return document.querySelector('#checks .filter output').textContent").await;
        assert_eq!(said, format!("{holding} of {}", all.len()));
        filter(browser, "checks", "no such check").await;
        assert_eq!(browser.texts(ROWS).await, Vec::<String>::new());
        filter(browser, "checks", " ").await;
        assert_eq!(browser.texts(ROWS).await, all);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_are_filtered_and_a_link_to_a_hidden_one_shows_it() {
    const CARDS: &str = "return [...document.querySelectorAll('.card')].filter((card) => card.checkVisibility())
        .map((card) => card.innerText)";
    with_browser(Scripts::On, async |browser| {
        browser.open(&pages().report(LOST)).await;
        let first =
            browser.find(".banner .jump").await.attr("href").await.expect("an element").expect("it leads somewhere");
        let another = format!(
            "return [...document.querySelectorAll('.card')].findLast((card) => '#' + card.id !== '{first}')
                .querySelector('.explanation').textContent"
        );
        let wanted = browser.text(&another).await;
        filter(browser, "anomalies", &wanted).await;
        let left = browser.texts(CARDS).await;
        assert!(!left.is_empty() && left.iter().all(|card| card.contains(&wanted)), "{wanted} is in {left:?}");
        let hidden = format!("return document.querySelector('{first}').checkVisibility()");
        assert_eq!(browser.ask(&hidden).await, false);
        browser.click(".banner .jump").await;
        assert_eq!(browser.ask(&hidden).await, true, "whoever follows a link gets to see where it leads");
        assert!(browser.is_in_sight(&first).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legend_hides_and_shows_its_line() {
    const LINES: &str = "return [...document.querySelectorAll('figure[data-chart=throughput] svg.wide .line')]
        .filter((line) => line.style.display !== 'none').map((line) => line.getAttribute('class'))";
    with_browser(Scripts::On, async |browser| {
        browser.open(&pages().report(VALID)).await;
        let all = browser.texts(LINES).await;
        let button = "figure[data-chart=throughput] .legend button";
        browser.click(button).await;
        let left = browser.texts(LINES).await;
        assert_eq!(left.len() + 1, all.len());
        let pressed = browser.find(button).await.attr("aria-pressed").await.expect("an element");
        assert_eq!(pressed.as_deref(), Some("false"));
        browser.click(button).await;
        assert_eq!(browser.texts(LINES).await, all);
    })
    .await;
}
