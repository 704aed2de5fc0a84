//! What a page is without scripts, and on a phone: all of it.

use serde_json::{Value, json};

use crate::browser::{Browser, Scheme, Scripts, Width, with_browser};
use crate::pages::{LOST, pages};

/// What can be seen of a page: its headings, how many rows its tables have, and how much is drawn.
const CONTENT: &str = "
    const seen = (element) => element.checkVisibility();
    const count = (selector) => [...document.querySelectorAll(selector)].filter(seen).length;
    return {
        headings: [...document.querySelectorAll('h1, h2, h3')].filter(seen).map((heading) => heading.innerText),
        rows: [...document.querySelectorAll('table')].filter(seen).map((table) => table.rows.length),
        lines: [...document.querySelectorAll('svg.chart .line')].filter(seen).filter((line) => line.getAttribute('d')).length,
        bars: count('svg.chart .bar'), bands: count('svg.chart .band'), names: count('svg.chart .fault-label'),
        cards: count('.card'), details: count('details'),
    };";

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_every_heading_table_and_chart_is_there() {
    let with = contents(Scripts::On).await;
    let without = contents(Scripts::Off).await;
    for (page, (with, without)) in pages().reports().iter().zip(with.iter().zip(&without)) {
        assert_eq!(with, without, "{}", page.display());
        assert!(without["headings"].as_array().is_some_and(|headings| headings.len() >= 10), "{without}");
        assert!(without["lines"].as_u64() >= Some(5) && without["bars"].as_u64() >= Some(4), "{without}");
    }
}

async fn contents(scripts: Scripts) -> Vec<Value> {
    with_browser(scripts, async |browser| {
        let mut contents = Vec::new();
        for page in pages().reports() {
            browser.open(&page).await;
            let runs = browser.ask("return document.documentElement.classList.contains('scripted')").await;
            assert_eq!(runs, scripts == Scripts::On);
            contents.push(browser.ask(CONTENT).await);
        }
        contents
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_nothing_is_shown_that_would_do_nothing() {
    with_browser(Scripts::Off, async |browser| {
        for page in pages().all() {
            browser.open(&page).await;
            let controls = "return [...document.querySelectorAll('button, input, select, output, [role=toolbar]')]
                .filter((control) => control.checkVisibility()).map((control) => control.outerHTML)";
            assert_eq!(browser.texts(controls).await, Vec::<String>::new(), "{}", page.display());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_a_card_and_its_mark_lead_to_each_other() {
    with_browser(Scripts::Off, async |browser| {
        for width in [Width::Desk, Width::Phone] {
            browser.look(width, Scheme::Light).await;
            to_the_mark_and_back(browser).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_and_its_mark_lead_to_each_other() {
    with_browser(Scripts::On, async |browser| {
        for width in [Width::Desk, Width::Phone] {
            browser.look(width, Scheme::Light).await;
            to_the_mark_and_back(browser).await;
        }
    })
    .await;
}

/// From the first card of each check to its mark, and from there to a card of the same check and second.
async fn to_the_mark_and_back(browser: &Browser) {
    browser.open(&pages().report(LOST)).await;
    let firsts = "return [...document.querySelectorAll('.of-check')].map((check) => check.querySelector('.card').id)";
    let cards = browser.texts(firsts).await;
    assert!(!cards.is_empty());
    for card in cards {
        let link = format!("#{card} .to-timeline a.{}", shown_size(browser).await);
        let mark = browser.find(&link).await.attr("href").await.expect("an element").expect("it leads somewhere");
        browser.click(&link).await;
        assert_eq!(browser.text("return location.hash").await, mark);
        assert!(browser.is_in_sight(&mark).await, "{card} leads to {mark}");
        let back = browser.find(&mark).await.attr("href").await.expect("an element").expect("it leads back");
        browser.click(&mark).await;
        assert_eq!(browser.text("return location.hash").await, back);
        assert!(browser.is_in_sight(&back).await, "{mark} leads to {back}");
        let same = format!("return document.querySelector('{back} .to-timeline a').getAttribute('href')");
        let [wide, narrow] = ["-wide-", "-narrow-"];
        assert_eq!(browser.text(&same).await, mark.replace(narrow, wide), "{back} is of the same second");
    }
}

async fn shown_size(browser: &Browser) -> &'static str {
    let wide = browser.ask("return document.querySelector('svg.chart.wide').checkVisibility()").await;
    if wide == json!(true) { "wide" } else { "narrow" }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_banner_leads_to_what_was_lost_first() {
    for scripts in [Scripts::On, Scripts::Off] {
        with_browser(scripts, async |browser| {
            browser.open(&pages().report(LOST)).await;
            let link = browser.find(".banner .jump").await;
            assert!(browser.is_in_sight(".banner .jump").await, "on the first screen");
            let target = link.attr("href").await.expect("an element").expect("it leads somewhere");
            let sent = "return [...document.querySelector('#anomalies .of-check').querySelectorAll('.card')].map((card) =>
                [...card.querySelectorAll('dt')].find((term) => term.innerText === 'sent' || term.textContent === 'sent')
                    .nextElementSibling.textContent.padStart(20, '0') + ' #' + card.id)";
            let earliest = browser.texts(sent).await.into_iter().min().expect("there are cards");
            assert!(earliest.ends_with(&target), "{target} is not {earliest}");
            link.click().await.expect("it can be clicked");
            assert!(browser.is_in_sight(&target).await, "{target}");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_scrolls_sideways_on_a_phone() {
    let mut faults = Vec::new();
    for scripts in [Scripts::On, Scripts::Off] {
        with_browser(scripts, async |browser| {
            browser.look(Width::Phone, Scheme::Light).await;
            for page in pages().all() {
                browser.open(&page).await;
                let width = browser.ask("return document.scrollingElement.scrollWidth").await;
                let widest =
                    "return [...document.querySelectorAll('body *')].filter((element) => element.checkVisibility()
                    && !element.closest('.scroll, nav, pre') && element.getBoundingClientRect().right > innerWidth + 1)
                    .slice(0, 3).map((element) => element.outerHTML.slice(0, 120))";
                let widest = browser.texts(widest).await;
                if width != Width::Phone.pixels()[0] {
                    faults.push(format!("{} is {width} wide: {widest:?}", page.display()));
                }
            }
        })
        .await;
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
